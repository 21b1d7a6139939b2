//! The end of a chunk and of a run: counted from the rows, checked by both equations, written once.

use std::sync::Arc;

use super::chunk_worker::{ChunkEnd, ChunkWorker};
use super::{EngineContext, LiveRun};
use crate::domain::left_out::left_out;
use crate::domain::permit::Halt;
use crate::domain::run_counts::{JourneyEnd, JourneysElsewhere};
use crate::domain::state::RunState;
use crate::store::StoreError;
use crate::store::deliveries::count_chunk;
use crate::store::runs::{OpenChunks, Reached, RunEnd, RunTotals};

impl ChunkWorker {
    /// Counts the chunk and marks it done.
    pub(super) async fn finish(&self) -> Result<ChunkEnd, StoreError> {
        let halt = self.chunk.permit(self.context.clock.now()).halt();
        if halt == Some(Halt::Failed) {
            return Ok(ChunkEnd::Done);
        }
        let position = self.chunk.cursor().position;
        if halt.is_none() && position < self.keys.len() {
            return Err(StoreError::Unavailable("the chunk has customers who are not decided about".into()));
        }
        let rows = self.context.deliveries.of_chunk(self.chunk.id).await?;
        let others = halt.map_or(JourneyEnd::WithoutMessage, Halt::journey_end);
        let elsewhere = match self.chunk.run.bound.waits() {
            true => self.context.deliveries.journeys_elsewhere(self.chunk.id).await?,
            false => JourneysElsewhere::default(),
        };
        let run_counts = count_chunk(&rows, &elsewhere, &self.keys, position, others);
        if self.context.runs.finish_chunk(self.chunk.id, self.chunk.fence, position, &run_counts).await? {
            return Ok(ChunkEnd::Done);
        }
        Err(StoreError::Unavailable("the chunk has open deliveries or another owner".into()))
    }
}

impl Halt {
    /// What a halted run's undecided journeys come to.
    pub(super) fn journey_end(self) -> JourneyEnd {
        match self {
            Halt::Expired => JourneyEnd::Expired,
            Halt::Cancelled | Halt::Failed => JourneyEnd::Cancelled,
        }
    }

    /// What a halted run ends as.
    fn run_end(self) -> RunState {
        match self {
            Halt::Expired => RunState::Expired,
            Halt::Cancelled => RunState::Cancelled,
            Halt::Failed => RunState::Failed,
        }
    }
}

/// Ends a run whose chunks are all done, if both equations hold; says so loudly if they do not. Gives the chunks
/// that turned out to be open.
pub(super) async fn finish_run(
    context: &EngineContext,
    run: &Arc<LiveRun>,
) -> Result<OpenChunks, StoreError> {
    let now = context.clock.now();
    let halt = run.halt(now);
    if halt == Some(Halt::Failed) {
        context.runs.end_run(run.id, RunState::Failed, None, now).await?;
        return Ok(OpenChunks::default());
    }
    // Before anything is counted: a run may come here each time that some of its journeys were woken.
    if halt.is_none() && run.bound.waits() && context.runs.rest_run(run.id).await? {
        tracing::info!(call = %run.call, scenario = %run.scenario, run = run.id.0, "all that is left of the run waits");
        return Ok(OpenChunks::default());
    }
    let totals = context.runs.run_totals(run.id).await?;
    if totals.open_chunks > 0 {
        return context.runs.open_chunks(run.id, &context.owner).await;
    }
    if totals.is_waiting {
        // One that is stopped or has expired wakes all, so that each comes to its end.
        if halt.is_some() {
            context.runs.wake_run(run.id, now).await?;
        }
        return context.runs.open_chunks(run.id, &context.owner).await;
    }
    let (state, error) = match totals.run_counts.settle(totals.audience, &totals.deliveries) {
        Ok(()) => (totals.run_counts.end_of_run(halt.map(Halt::run_end)), None),
        Err(unsettled) => {
            tracing::error!(
                call = %run.call, scenario = %run.scenario, run = run.id.0, %unsettled,
                "the run does not add up; this is a defect of Fanfare"
            );
            (RunState::Failed, Some(format!("its counts do not add up: {unsettled}")))
        }
    };
    let end = RunEnd { reached: reached(&totals, state), state, error };
    let left_out = match &end.reached {
        Reached::Not(left_out) => Some(left_out.in_public_words()),
        Reached::Enough | Reached::Unknown => None,
    };
    if !context.runs.end_run_as(run.id, end, now).await? {
        return context.runs.open_chunks(run.id, &context.owner).await;
    }
    say(run, &totals, state);
    if let Some(left_out) = left_out {
        tracing::warn!(
            call = %run.call, scenario = %run.scenario, run = run.id.0,
            "{left_out}; `fanfare log {}` has the counts", run.call
        );
    }
    Ok(OpenChunks::default())
}

/// Whether a run has reached its customers. One that was stopped, or had none, tells nothing about its scenario.
fn reached(totals: &RunTotals, state: RunState) -> Reached {
    match left_out(&totals.run_counts, totals.audience).into_iter().next() {
        Some(left_out) => Reached::Not(left_out),
        None if state == RunState::Done && totals.run_counts.journeys.messaged > 0 => Reached::Enough,
        None => Reached::Unknown,
    }
}

fn say(run: &LiveRun, totals: &RunTotals, state: RunState) {
    let journeys = &totals.run_counts.journeys;
    tracing::info!(
        call = %run.call, scenario = %run.scenario, run = run.id.0, audience = totals.audience,
        messaged = journeys.messaged, without_message = journeys.without_message, skipped = journeys.skipped,
        cancelled = journeys.cancelled, expired = journeys.expired, deliveries = ?totals.run_counts.by_state(),
        "run {}", state.word()
    );
}
