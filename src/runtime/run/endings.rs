//! Fails runs that end the processes that write for their customers, or make them stand still; the others go on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::marks::Look;
use super::{Board, Desk};
use crate::domain::customer::{CustomerKey, EventNeeds};
use crate::domain::endings::{LOOKS_MAX, failed, stands_still};
use crate::domain::name::RunId;
use crate::domain::state::RunState;
use crate::store::StoreError;
use crate::telemetry::Sampled;

/// How often it is looked who is written for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait when the store does not answer.
const AFTER_A_FAILURE: Duration = Duration::from_millis(500);

static NOT_COUNTED: Sampled = Sampled::every(Duration::from_secs(10));

/// Counts whom earlier processes wrote for when they ended, before anything of their runs is taken up again.
pub(in crate::runtime) async fn count_endings(desk: &Desk, stop: &mut watch::Receiver<bool>) {
    for left in desk.marks.take_left() {
        for (run, customer) in &left.marks {
            while let Err(error) = count(desk, *run, *customer, &left.process).await {
                if !error.is_transient() {
                    tracing::error!(run = run.0, %error, "an ended process cannot be counted");
                    break;
                }
                if let Some(held_back) = NOT_COUNTED.pass(&error.to_string()) {
                    tracing::warn!(%error, held_back, "what ended the process cannot be counted yet");
                }
                let stopped = tokio::time::timeout(AFTER_A_FAILURE, stop.changed()).await;
                if stopped.is_ok() {
                    return;
                }
            }
        }
        left.forget();
    }
}

async fn count(desk: &Desk, run: RunId, key: CustomerKey, process: &str) -> Result<(), StoreError> {
    let endings = desk.runs.count_ending(run, key, process).await?;
    if endings == 0 {
        return Ok(());
    }
    let customer = name(desk, key).await;
    tracing::warn!(run = run.0, customer, endings, "a process ended while it wrote for a customer");
    match failed(endings, &customer) {
        Some(reason) => fail(desk, run, reason).await,
        None => Ok(()),
    }
}

/// Watches who is written for; ends when somebody stands still, as the thread that writes cannot be ended otherwise
/// than with its process.
pub(in crate::runtime) async fn watch_marks(board: Arc<Board>, mut stop: watch::Receiver<bool>) {
    let desk = &board.desk;
    let mut seen = Seen::default();
    while !*stop.borrow() {
        let _stopped_or_ticked = tokio::time::timeout(LOOK_EVERY, stop.changed()).await;
        for Look { run, customer, .. } in seen.standing_still(desk.marks.look()) {
            let reason = stands_still(&name(desk, customer).await);
            tracing::error!(run = run.0, reason, "the run is failed, and the process ends");
            if let Some(live) = board.run(run) {
                live.fail();
            }
            match fail(desk, run, reason).await {
                Ok(()) => return,
                Err(error) => tracing::error!(run = run.0, %error, "the run's failure could not be written"),
            }
        }
    }
}

/// How often each mark was seen as it is.
#[derive(Default)]
struct Seen(HashMap<usize, (Look, u32)>);

impl Seen {
    /// Looks once more; gives the marks that were seen too often.
    fn standing_still(&mut self, looks: Vec<Look>) -> Vec<Look> {
        let again = |look: Look| {
            let before = self.0.get(&look.slot).filter(|(before, _)| *before == look);
            (look.slot, (look, before.map_or(1, |(_, times)| times + 1)))
        };
        self.0 = looks.into_iter().map(again).collect();
        self.0.values().filter(|(_, times)| *times > LOOKS_MAX).map(|(look, _)| *look).collect()
    }
}

/// Other replicas are told to stop, so that they send nothing more of it either.
async fn fail(desk: &Desk, run: RunId, reason: String) -> Result<(), StoreError> {
    desk.runs.stop_run(run).await?;
    desk.runs.end_run(run, RunState::Failed, Some(reason), Timestamp::now()).await.map(drop)
}

/// The customer as people know it; its key, if it cannot be read.
async fn name(desk: &Desk, key: CustomerKey) -> String {
    let found = desk.customers.load(&[key], &EventNeeds::default()).await;
    let registered = found.ok().and_then(|found| found.first().map(|one| one.registered().to_owned()));
    registered.unwrap_or_else(|| format!("number {}", key.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_change_stands_still() {
        let look = |slot, changes| Look { slot, changes, run: RunId(1), customer: CustomerKey(2) };
        let mut seen = Seen::default();
        for times in 0..u64::from(LOOKS_MAX) {
            assert_eq!(seen.standing_still(vec![look(0, 5), look(1, times)]), []);
        }
        assert_eq!(seen.standing_still(vec![look(0, 5), look(1, 99)]), [look(0, 5)]);
        // A gap begins anew.
        assert_eq!(seen.standing_still(Vec::new()), []);
        assert_eq!(seen.standing_still(vec![look(0, 5)]), []);
    }
}
