//! Fails runs that end the processes that write for their customers, or make them stand still; the others go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::crash_markers::Look;
use super::{EngineContext, RunScheduler};
use crate::domain::crashes::{LOOKS_MAX, failed, stands_still};
use crate::domain::customer::{CustomerKey, EventNeeds};
use crate::domain::name::RunId;
use crate::domain::state::RunState;
use crate::store::StoreError;
use crate::telemetry::Sampled;

/// How often the markers are checked for stalled threads.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait when the store does not answer.
const AFTER_A_FAILURE: Duration = Duration::from_millis(500);

static NOT_COUNTED: Sampled = Sampled::every(Duration::from_secs(10));

/// Counts whom earlier processes wrote for when they ended, before anything of their runs is taken up again.
pub(in crate::runtime) async fn count_crashes(context: &EngineContext, stop: &CancellationToken) {
    for left in context.crash_markers.take_left() {
        for (run, customer) in &left.crash_markers {
            while let Err(error) = count(context, *run, *customer, &left.process).await {
                if !error.is_transient() {
                    tracing::error!(run = run.0, %error, "an ended process cannot be counted");
                    break;
                }
                if let Some(held_back) = NOT_COUNTED.pass(&error.to_string()) {
                    tracing::warn!(%error, held_back, "what ended the process cannot be counted yet");
                }
                let stopped = tokio::time::timeout(AFTER_A_FAILURE, stop.cancelled()).await;
                if stopped.is_ok() {
                    return;
                }
            }
        }
        left.forget();
    }
}

async fn count(
    context: &EngineContext,
    run: RunId,
    key: CustomerKey,
    process: &str,
) -> Result<(), StoreError> {
    let crashes = context.runs.count_crash(run, key, process).await?;
    if crashes == 0 {
        return Ok(());
    }
    let customer = name(context, key).await;
    tracing::warn!(run = run.0, customer, crashes, "a process ended while it wrote for a customer");
    match failed(crashes, &customer) {
        Some(reason) => fail(context, run, reason).await,
        None => Ok(()),
    }
}

/// Watches the markers; ends when a thread stalls, as the thread that renders cannot be ended otherwise
/// than with its process.
pub(in crate::runtime) async fn watch_stalled_writing(scheduler: Arc<RunScheduler>, stop: CancellationToken) {
    let context = &scheduler.context;
    let mut seen = Seen::default();
    while !stop.is_cancelled() {
        let _stopped_or_ticked = tokio::time::timeout(CHECK_EVERY, stop.cancelled()).await;
        for Look { run, customer, .. } in seen.standing_still(context.crash_markers.look()) {
            let reason = stands_still(&name(context, customer).await);
            tracing::error!(run = run.0, reason, "the run is failed, and the process ends");
            if let Some(live) = scheduler.run(run) {
                live.fail();
            }
            match fail(context, run, reason).await {
                Ok(()) => return,
                Err(error) => tracing::error!(run = run.0, %error, "the run's failure could not be written"),
            }
        }
    }
}

/// How many checks in a row each marker has been unchanged.
#[derive(Default)]
struct Seen(BTreeMap<usize, (Look, u32)>);

impl Seen {
    /// Checks once; returns the markers that were unchanged too often.
    fn standing_still(&mut self, looks: Vec<Look>) -> Vec<Look> {
        let again = |look: Look| {
            let before = self.0.get(&look.slot).filter(|(before, _)| *before == look);
            (look.slot, (look, before.map_or(1, |(_, times)| times + 1)))
        };
        self.0 = looks.into_iter().map(again).collect();
        self.0.values().filter(|(_, times)| *times > LOOKS_MAX).map(|(look, _)| *look).collect()
    }
}

/// Other replicas stop the run as well, so that nothing more of it is sent anywhere.
async fn fail(context: &EngineContext, run: RunId, reason: String) -> Result<(), StoreError> {
    context.runs.stop_run(run).await?;
    context.runs.end_run(run, RunState::Failed, Some(reason), context.clock.now()).await.map(drop)
}

/// The customer as people know it; its key, if it cannot be read.
async fn name(context: &EngineContext, key: CustomerKey) -> String {
    let found = context.customers.load(&[key], &EventNeeds::default()).await;
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
