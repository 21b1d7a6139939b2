//! Cancels runs whose scenario was made inactive, changed or deleted and says `onStop: Cancel`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{EngineContext, LiveRun, RunScheduler, VersionError};
use crate::domain::name::{ScenarioName, VersionId};
use crate::store::StoreError;
use crate::telemetry::Sampled;

/// How often the runs under way are held against the configuration in force.
const TICK: Duration = Duration::from_millis(250);

/// When the runs that rest are looked at again after a change: one may have begun to rest just then, or another replica may
/// have put the change in force later.
const RESTING_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// How often they are looked at though nothing has changed. There may be a hundred thousand of them.
const RESTING_EVERY: Duration = Duration::from_secs(600);

static NOT_CANCELLED: Sampled = Sampled::every(Duration::from_secs(10));

/// Polls until stopped.
pub(in crate::runtime) async fn watch_stops(scheduler: Arc<RunScheduler>, stop: CancellationToken) {
    let clock = &scheduler.context.clock;
    let (mut seen, mut look_at, mut going_on) = (None, clock.instant(), HashSet::new());
    while !stop.is_cancelled() {
        let now = clock.now();
        for run in scheduler.runs() {
            if stop.is_cancelled() {
                return;
            }
            if run.halt(now).is_none() && scheduler.context.versions.stops(&run.version, &run.scenario) {
                stop_one(&scheduler, &run).await;
            }
        }
        let in_force = scheduler.context.versions.in_force();
        let has_changed = seen.as_ref() != Some(&in_force);
        if has_changed || clock.instant() >= look_at {
            if has_changed {
                going_on.clear();
            }
            match stop_resting(&scheduler, &mut going_on).await {
                Ok(()) => {
                    let rest = if has_changed { RESTING_AGAIN_AFTER } else { RESTING_EVERY };
                    (seen, look_at) = (Some(in_force), clock.instant() + rest);
                }
                Err(error) => {
                    if let Some(held_back) = NOT_CANCELLED.pass(&error.to_string()) {
                        tracing::warn!(%error, held_back, "runs that wait cannot be looked at yet");
                    }
                }
            }
        }
        let _stopped_or_ticked = tokio::time::timeout(TICK, stop.cancelled()).await;
    }
}

/// Runs that rest are in no process's memory. Versions of which it is known that their scenario's runs go on are not compiled
/// again.
async fn stop_resting(
    scheduler: &RunScheduler,
    going_on: &mut HashSet<(VersionId, ScenarioName)>,
) -> Result<(), StoreError> {
    let EngineContext { versions, runs, .. } = &scheduler.context;
    let mut resting = runs.waiting_runs().await?;
    resting.retain(|run| {
        run.version != versions.in_force()
            && versions.may_stop(&run.scenario)
            && !going_on.contains(&(run.version.clone(), run.scenario.clone()))
    });
    // Each version is compiled once, if it is not kept.
    resting.sort_by(|one, other| one.version.cmp(&other.version));
    let mut compiled = None;
    for run in resting {
        if compiled.as_ref() != Some(&run.version) {
            match versions.get(&run.version).await {
                Err(VersionError::Store(error)) => return Err(error),
                Ok(_) | Err(VersionError::Unusable { .. }) => compiled = Some(run.version.clone()),
            }
        }
        if !versions.stops(&run.version, &run.scenario) {
            going_on.insert((run.version, run.scenario));
        } else if runs.stop_run(run.id).await? {
            tracing::info!(call = %run.call, scenario = %run.scenario, "the scenario was stopped: its run is cancelled");
        }
    }
    Ok(())
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
