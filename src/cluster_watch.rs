//! Watches of the API server, for the operator and for a runtime: how a kind is listed and watched, and how soon that is
//! begun again after a failure: soon enough that an edit is seen within seconds of the server's return, and never by all
//! clients at once.

use std::fmt::Debug;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use kube::runtime::utils::{Backoff, ResetTimerBackoff};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::causes::in_words;
use crate::telemetry::Sampled;

/// What a watch brings: a change, or why it was interrupted.
pub type WatchEvent<K> = Result<watcher::Event<K>, watcher::Error>;

/// How many objects a page of a list holds. A ConfigMap may have a mebibyte.
const PAGE: u32 = 100;
/// How long the API server keeps a watch open, in seconds; a connection that is silent for longer is dead.
const WATCH_SECONDS: u32 = 120;
/// An API server that is away interrupts every watch every few seconds.
static INTERRUPTED: Sampled = Sampled::every(Duration::from_secs(10));

/// Lists and then watches the objects with these labels, all where they are empty, without their managed fields. The
/// stream does not end: after an interruption, which is logged here, it goes on by itself, with a new list if need be.
pub fn watch<K>(api: Api<K>, labels: &str) -> impl Stream<Item = WatchEvent<K>> + Send + use<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let config = watcher::Config::default().page_size(PAGE).timeout(WATCH_SECONDS);
    let config = if labels.is_empty() { config } else { config.labels(labels) };
    let path = api.resource_url().to_owned();
    watcher(api, config)
        .backoff(watch_again())
        .modify(|object| object.meta_mut().managed_fields = None)
        .inspect_err(move |error| {
            if let Some(held_back) = INTERRUPTED.pass(&path) {
                let error = in_words(error);
                tracing::warn!(
                    path,
                    error,
                    held_back,
                    "a watch was interrupted and goes on; what it brought stays"
                );
            }
        })
}

/// Hands on what a watch brings until told to stop.
pub async fn each_event<K>(
    events: impl Stream<Item = WatchEvent<K>> + Send,
    stop: CancellationToken,
    mut take: impl FnMut(WatchEvent<K>),
) {
    let events = events.take_until(stop.cancelled_owned());
    tokio::pin!(events);
    while let Some(event) = events.next().await {
        take(event);
    }
}

const FIRST: Duration = Duration::from_millis(250);
/// The longest rest. Longer ones are for servers with many more clients than there are operators and runtimes.
const LONGEST: Duration = Duration::from_secs(4);
/// What failed again within this time goes on where it was: a list that comes and a watch that does not must not be
/// repeated without a rest.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// The rests of one watch.
fn watch_again() -> ResetTimerBackoff<Rests> {
    ResetTimerBackoff::new(Rests { longest: FIRST }, FORGOTTEN_AFTER)
}

/// Rests that double up to a few seconds; each is drawn from the upper half of what it may be.
#[derive(Debug)]
struct Rests {
    longest: Duration,
}

impl Iterator for Rests {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let longest = self.longest;
        self.longest = (longest * 2).min(LONGEST);
        let drawn = RandomState::new().hash_one(0) >> 32;
        let share = f64::from(u32::try_from(drawn).unwrap_or_default()) / f64::from(u32::MAX);
        Some(longest.mul_f64(0.5 + share / 2.0))
    }
}

impl Backoff for Rests {
    fn reset(&mut self) {
        self.longest = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_it_failed_it_is_tried_again_within_seconds() {
        let mut rests = Rests { longest: FIRST };
        let drawn: Vec<Duration> = rests.by_ref().take(50).collect();
        assert!(drawn[0] <= FIRST && drawn[0] >= FIRST / 2);
        assert!(drawn.iter().all(|rest| *rest <= LONGEST));
        assert!(drawn[10..].iter().all(|rest| *rest >= LONGEST / 2));
        let different: std::collections::HashSet<&Duration> = drawn[10..].iter().collect();
        assert!(different.len() > 20, "not by all at once: {drawn:?}");
        rests.reset();
        assert!(rests.next().is_some_and(|rest| rest <= FIRST));
    }
}
