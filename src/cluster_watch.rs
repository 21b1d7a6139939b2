//! Watches of the API server, for the operator and for a runtime: how a kind is listed and watched, and how soon that is
//! begun again after a failure: soon enough that an edit is seen within seconds of the server's return, and never by all
//! clients at once.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use kube::runtime::utils::{Backoff, ResetTimerBackoff};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::causes::in_words;
use crate::domain::backoff::{ExponentialBackoff, drawn_jitter};
use crate::telemetry::Sampled;

/// What a watch brings: a change, or why it was interrupted.
pub type WatchEvent<K> = Result<watcher::Event<K>, watcher::Error>;

/// How many objects a page of a list holds. A ConfigMap may have a mebibyte.
const PAGE: u32 = 100;
/// How long the API server keeps a watch open, in seconds; a connection that is silent for longer is dead.
const WATCH_SECONDS: u32 = 120;
/// The wait before a watch that was interrupted is begun again: at most a few seconds. Longer ones are for servers with
/// many more clients than there are operators and runtimes.
const BACKOFF: ExponentialBackoff =
    ExponentialBackoff::new(Duration::from_millis(250), Duration::from_secs(4));
/// What failed again within this time goes on where it was: a list that comes and a watch that does not must not be
/// repeated without a wait.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);
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
        .backoff(ResetTimerBackoff::new(WatchBackoff(BACKOFF), FORGOTTEN_AFTER))
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

/// The backoff as the watcher asks for it, with jitter drawn for each wait.
#[derive(Debug)]
struct WatchBackoff(ExponentialBackoff);

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.0.failed(drawn_jitter()))
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        self.0.succeeded();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_it_failed_it_is_tried_again_within_seconds() {
        let longest = Duration::from_secs(4);
        let mut waits = WatchBackoff(BACKOFF);
        let drawn: Vec<Duration> = waits.by_ref().take(50).collect();
        assert!(drawn.iter().all(|wait| *wait <= longest));
        assert!(drawn[10..].iter().all(|wait| *wait >= longest / 2));
        let different: std::collections::HashSet<&Duration> = drawn[10..].iter().collect();
        assert!(different.len() > 20, "not by all at once: {drawn:?}");
        waits.reset();
        assert!(waits.next().is_some_and(|wait| wait <= Duration::from_millis(250)));
    }
}
