//! The end of a chunk and of a run: counted from the rows, checked by both equations, written once.

use std::sync::Arc;

use jiff::Timestamp;

use super::walk::Walk;
use super::{Desk, Halt, LiveRun};
use crate::domain::customer::CustomerKey;
use crate::domain::state::RunState;
use crate::domain::tally::{JourneyEnd, Tally, journey_end};
use crate::store::StoreError;
use crate::store::deliveries::Delivery;

impl Walk {
    /// Counts the chunk and marks it done.
    pub(super) async fn finish(&self) -> Result<(), StoreError> {
        let halt = self.chunk.run.halt(Timestamp::now());
        if halt == Some(Halt::Failed) {
            return Ok(());
        }
        let position = self.chunk.cursor().position;
        if halt.is_none() && position < self.keys.len() {
            return Err(StoreError::Unavailable("the chunk has customers nobody decided about".into()));
        }
        let rows = self.desk.deliveries.of_chunk(self.chunk.id).await?;
        let others = halt.map_or(JourneyEnd::WithoutMessage, Halt::journey_end);
        let tally = tally(&rows, &self.keys, position, others);
        if self.desk.runs.finish_chunk(self.chunk.id, self.chunk.fence, position, &tally).await? {
            return Ok(());
        }
        Err(StoreError::Unavailable("the chunk has open deliveries or another owner".into()))
    }
}

/// Counts a chunk. Journeys with deliveries count by what came of them; of the others, those before `position`
/// ended without a message, and the rest as the run was halted.
pub(super) fn tally(rows: &[Delivery], keys: &[CustomerKey], position: usize, rest: JourneyEnd) -> Tally {
    let mut tally = Tally::default();
    let first_undecided = keys.get(position);
    let (mut before, mut behind) = (0_u64, 0_u64);
    for journey in rows.chunk_by(|one, next| one.id.customer == next.id.customer) {
        tally.journeys.add(journey_end(journey.iter().map(|row| row.state)), 1);
        let is_before = first_undecided.is_none_or(|key| journey[0].id.customer < *key);
        *(if is_before { &mut before } else { &mut behind }) += 1;
    }
    for row in rows {
        tally.add_deliveries(row.id.node, row.state, 1);
    }
    let (position, size) = (position.min(keys.len()) as u64, keys.len() as u64);
    tally.journeys.add(JourneyEnd::WithoutMessage, position.saturating_sub(before));
    tally.journeys.add(rest, (size - position).saturating_sub(behind));
    tally
}

impl Halt {
    /// What a halted run's undecided journeys come to.
    pub(super) fn journey_end(self) -> JourneyEnd {
        match self {
            Halt::Expired => JourneyEnd::Expired,
            Halt::Cancelled | Halt::Failed => JourneyEnd::Cancelled,
        }
    }
}

/// Ends a run whose chunks are all done, if both equations hold; says so loudly if they do not.
pub(super) async fn finish_run(desk: &Desk, run: &Arc<LiveRun>) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let totals = desk.runs.run_totals(run.id).await?;
    let halt = run.halt(now);
    if halt == Some(Halt::Failed) {
        return desk.runs.end_run(run.id, RunState::Failed, None, now).await;
    }
    if totals.open_chunks > 0 {
        return Ok(());
    }
    let was_cancelled = halt == Some(Halt::Cancelled);
    let state = if was_cancelled { RunState::Cancelled } else { RunState::Done };
    match totals.tally.settle(totals.audience, &totals.deliveries) {
        Ok(()) => {
            desk.runs.end_run(run.id, state, None, now).await?;
            let deliveries = totals.tally.by_state();
            tracing::info!(
                call = %run.call, scenario = %run.scenario, run = run.id.0, audience = totals.audience,
                journeys = ?totals.tally.journeys, ?deliveries, "run {}", state.word()
            );
            Ok(())
        }
        Err(unsettled) => {
            tracing::error!(
                call = %run.call, scenario = %run.scenario, run = run.id.0, %unsettled,
                "the run does not add up; this is a defect of Fanfare"
            );
            let error = format!("its counts do not add up: {unsettled}");
            desk.runs.end_run(run.id, RunState::Failed, Some(error), now).await
        }
    }
}
