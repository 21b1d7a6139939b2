//! Cancels runs whose scenario was made inactive, changed or deleted and says `onStop: Cancel`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{LiveRun, RunScheduler};
use crate::store::StoreError;
use crate::telemetry::Sampled;

/// How often the runs under way are held against the configuration in force.
const TICK: Duration = Duration::from_millis(250);

static NOT_CANCELLED: Sampled = Sampled::every(Duration::from_secs(10));

/// Polls until stopped.
pub(in crate::runtime) async fn watch_stops(scheduler: Arc<RunScheduler>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let now = jiff::Timestamp::now();
        for run in scheduler.runs() {
            if *stop.borrow() {
                return;
            }
            if run.halt(now).is_none() && scheduler.context.versions.stops(&run.version, &run.scenario) {
                stop_one(&scheduler, &run).await;
            }
        }
        let _stopped_or_ticked = tokio::time::timeout(TICK, stop.changed()).await;
    }
}

async fn stop_one(scheduler: &RunScheduler, run: &LiveRun) {
    match cancel(scheduler, run).await {
        Ok(_) => {
            tracing::info!(call = %run.call, scenario = %run.scenario, "the scenario was stopped: its run is cancelled");
        }
        Err(error) => {
            if let Some(held_back) = NOT_CANCELLED.pass(&error.to_string()) {
                tracing::warn!(call = %run.call, %error, held_back, "the run could not be cancelled yet");
            }
        }
    }
}

/// Cancels what has not been sent of a run: first in the ledger, then here. False if it was at its end already.
pub(super) async fn cancel(scheduler: &RunScheduler, run: &LiveRun) -> Result<bool, StoreError> {
    if !scheduler.context.runs.stop_run(run.id).await? {
        return Ok(false);
    }
    run.cancel();
    scheduler.context.dispatchers.wake_all();
    scheduler.wakeup.notify_one();
    Ok(true)
}
