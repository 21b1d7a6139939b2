//! Wakes journeys that wait at a node when their time has come: into chunks, which are then worked on like all others.
//!
//! Nothing of a journey that waits is in memory. One timer is set for the earliest of all; the store is looked at every few
//! seconds behind it, since other replicas write waits too.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::RunScheduler;
use super::calls::poll_store;
use crate::store::StoreError;
use crate::store::runs::WokenChunks;
use crate::telemetry::Sampled;

/// How many groups of journeys are woken in one look.
const GROUPS_MAX: u32 = 64;
/// How often the store is looked at when nothing is known to be due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Journeys that are due within so short a time of one another are woken together.
const TOGETHER: Duration = Duration::from_millis(100);
/// How long to wait when the store does not answer.
const REST: Duration = Duration::from_secs(1);

static NOT_WOKEN: Sampled = Sampled::every(Duration::from_secs(10));

/// Wakes journeys until stopped.
pub(in crate::runtime) async fn wake_journeys(scheduler: Arc<RunScheduler>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let rest = match wake(&scheduler, &stop).await {
            Ok(woken) if woken.is_more_due => continue,
            Ok(woken) => until_next(&woken, scheduler.context.clock.now()),
            Err(error) => {
                if let Some(held_back) = NOT_WOKEN.pass(&error.to_string()) {
                    tracing::warn!(%error, held_back, "journeys whose time has come cannot be woken yet");
                }
                REST
            }
        };
        // Journeys that are due do not wait for those that begin to wait without end.
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = tokio::time::sleep(rest) => {}
            () = scheduler.context.waits_begun.notified() => {
                // A wait that has just begun may be the shortest; a run of them is looked at once.
                let _stopped_or_slept = tokio::time::timeout(TOGETHER, stop.cancelled()).await;
            }
        }
    }
}

/// How long nothing is due.
fn until_next(woken: &WokenChunks, now: Timestamp) -> Duration {
    let next = woken.next_at.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
    next.unwrap_or(LOOK_EVERY).clamp(TOGETHER, LOOK_EVERY)
}

async fn wake(scheduler: &RunScheduler, stop: &CancellationToken) -> Result<WokenChunks, StoreError> {
    let woken = scheduler.context.runs.wake_due(scheduler.context.clock.now(), GROUPS_MAX).await?;
    let mut is_any_unknown = false;
    for (chunk, journeys) in &woken.chunks {
        tracing::debug!(run = chunk.run.0, chunk = chunk.n, journeys, "journeys are woken");
        scheduler.context.dispatchers.metrics().woken(*journeys);
        is_any_unknown |= !scheduler.reopen(*chunk);
    }
    if is_any_unknown {
        poll_store(scheduler, stop).await?;
    }
    Ok(woken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_is_set_for_the_next_and_no_longer_than_the_next_look() {
        let now = Timestamp::UNIX_EPOCH;
        let rest = |milliseconds: Option<i64>| {
            let next_at = milliseconds.map(|at| Timestamp::from_millisecond(at).unwrap());
            until_next(&WokenChunks { next_at, ..WokenChunks::default() }, now)
        };
        assert_eq!(rest(None), LOOK_EVERY);
        assert_eq!(rest(Some(400)), Duration::from_millis(400));
        assert_eq!(rest(Some(-5)), TOGETHER);
        assert_eq!(rest(Some(86_400_000)), LOOK_EVERY);
    }
}
