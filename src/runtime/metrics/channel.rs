//! Numbers of a channel, taken once by its dispatcher: nothing is looked up for a message.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::whole;
use crate::channels::Attempt;
use crate::domain::name::ChannelName;
use crate::domain::state::DeliveryState;
use crate::store::deliveries::Decided;
use crate::store::run_log::Backlog;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfChannel {
    /// A channel of a manifest.
    channel: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    channel: String,
    outcome: &'static str,
}

/// Deliveries that wait, by channel and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Waiting {
    channel: String,
    /// `queued`, `retrying` or `held`.
    state: &'static str,
}

/// What an attempt can come to.
const ATTEMPTS: [&str; 4] = ["sent", "refused", "not_taken", "unknown"];
/// The outcomes a dispatcher writes; walks write some of them too.
const OUTCOMES: [DeliveryState; 8] = [
    DeliveryState::Sent,
    DeliveryState::Failed,
    DeliveryState::Unknown,
    DeliveryState::Held,
    DeliveryState::Retrying,
    DeliveryState::Skipped,
    DeliveryState::Cancelled,
    DeliveryState::Expired,
];

type Count = Counter<u64, AtomicU64>;

/// The numbers of all channels.
#[derive(Debug)]
pub(super) struct Channels {
    /// Channels of manifests that something was sent by, or waits for.
    known: Mutex<BTreeSet<ChannelName>>,
    waiting: Family<Waiting, Gauge>,
    attempts: Family<Ended, Count>,
    deliveries: Family<Ended, Count>,
    attempt_seconds: Family<OfChannel, Histogram>,
    latency_seconds: Family<OfChannel, Histogram>,
    window: Family<OfChannel, Gauge>,
    window_usable: Family<OfChannel, Gauge>,
    window_open: Family<OfChannel, Gauge>,
    concurrency_limit: Family<OfChannel, Gauge>,
    learned_rate: Family<OfChannel, Gauge<f64, AtomicU64>>,
    attempts_under_way: Family<OfChannel, Gauge>,
    rate_wait_seconds: Family<OfChannel, Counter<f64, AtomicU64>>,
    paused: Family<OfChannel, Gauge>,
    down: Family<OfChannel, Gauge>,
    unrecognized: Family<OfChannel, Count>,
    segments: Family<OfChannel, Count>,
}

impl Channels {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let short = || Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
        let long =
            || Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0]);
        let channels = Channels {
            known: Mutex::default(),
            waiting: Family::default(),
            attempts: Family::default(),
            deliveries: Family::default(),
            attempt_seconds: Family::new_with_constructor(short as fn() -> Histogram),
            latency_seconds: Family::new_with_constructor(long as fn() -> Histogram),
            window: Family::default(),
            window_usable: Family::default(),
            window_open: Family::default(),
            concurrency_limit: Family::default(),
            learned_rate: Family::default(),
            attempts_under_way: Family::default(),
            rate_wait_seconds: Family::default(),
            paused: Family::default(),
            down: Family::default(),
            unrecognized: Family::default(),
            segments: Family::default(),
        };
        channels.register_counts(registry);
        channels.register_states(registry);
        channels
    }

    fn register_counts(&self, registry: &mut Registry) {
        registry.register("attempts", "Attempts at providers, by what came of them", self.attempts.clone());
        let help =
            "Deliveries whose outcome was written, by outcome; one that is tried again counts each time";
        registry.register("deliveries", help, self.deliveries.clone());
        let help = "How long a provider takes for an attempt";
        registry.register("attempt_duration_seconds", help, self.attempt_seconds.clone());
        let help = "From a call's receipt to a provider's taking of a message";
        registry.register("delivery_latency_seconds", help, self.latency_seconds.clone());
        let help = "Time during which messages were ready and the channel's rate let none begin";
        registry.register("channel_rate_wait_seconds", help, self.rate_wait_seconds.clone());
        let help = "Refusals of a provider that no row of the tables of refusals knows";
        registry.register("refusals_unrecognized", help, self.unrecognized.clone());
        let help = "Segments of text messages that the provider took: each is paid for";
        registry.register("sms_segments", help, self.segments.clone());
    }

    fn register_states(&self, registry: &mut Registry) {
        let help = "Deliveries queued, to be tried again, or held for a person";
        registry.register("deliveries_waiting", help, self.waiting.clone());
        let help = "How many deliveries may be open at this process: the field window, or what follows the concurrency";
        registry.register("channel_window", help, self.window.clone());
        let help = "What the channel's rates leave of the window";
        registry.register("channel_window_usable", help, self.window_usable.clone());
        let help = "Deliveries opened at this process and without a written outcome";
        registry.register("channel_window_open", help, self.window_open.clone());
        let help =
            "How many attempts may be under way at once: the field rate.concurrency, or what was learned";
        registry.register("channel_concurrency_limit", help, self.concurrency_limit.clone());
        let help = "Attempts at the provider that have begun and not ended";
        registry.register("channel_attempts_under_way", help, self.attempts_under_way.clone());
        let help =
            "Attempts a second that a provider that throttles turned out to take; 0 while none is learned";
        registry.register("channel_learned_rate", help, self.learned_rate.clone());
        registry.register("channel_paused", "1 while a person has paused the channel", self.paused.clone());
        let help = "1 while the provider fails and one delivery probes it";
        registry.register("channel_provider_down", help, self.down.clone());
    }

    pub(super) fn of(&self, name: &ChannelName) -> ChannelNumbers {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        let label = OfChannel { channel: name.to_string() };
        let ended = |outcome| Ended { channel: name.to_string(), outcome };
        ChannelNumbers {
            attempts: ATTEMPTS.map(|outcome| self.attempts.get_or_create(&ended(outcome)).clone()),
            deliveries: OUTCOMES.map(|state| self.deliveries.get_or_create(&ended(state.word())).clone()),
            attempt_seconds: self.attempt_seconds.get_or_create(&label).clone(),
            latency_seconds: self.latency_seconds.get_or_create(&label).clone(),
            window: self.window.get_or_create(&label).clone(),
            window_usable: self.window_usable.get_or_create(&label).clone(),
            window_open: self.window_open.get_or_create(&label).clone(),
            concurrency_limit: self.concurrency_limit.get_or_create(&label).clone(),
            learned_rate: self.learned_rate.get_or_create(&label).clone(),
            attempts_under_way: self.attempts_under_way.get_or_create(&label).clone(),
            rate_wait_seconds: self.rate_wait_seconds.get_or_create(&label).clone(),
            paused: self.paused.get_or_create(&label).clone(),
            down: self.down.get_or_create(&label).clone(),
            unrecognized: self.unrecognized.get_or_create(&label).clone(),
            segments: self.segments.get_or_create(&label).clone(),
            unrecognized_before: Arc::default(),
        }
    }

    pub(super) fn decided(&self, decided: &[Decided]) {
        let mut counts: HashMap<(&ChannelName, DeliveryState), u64> = HashMap::new();
        decided.iter().for_each(|one| *counts.entry((&one.channel, one.state)).or_default() += 1);
        for ((channel, state), count) in counts {
            let label = Ended { channel: channel.to_string(), outcome: state.word() };
            self.deliveries.get_or_create(&label).inc_by(count);
        }
    }

    /// Channels of which nothing waits any more are shown with 0.
    pub(super) fn set_waiting(&self, backlog: &Backlog) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(backlog.deliveries.iter().map(|(channel, ..)| channel.clone()));
        let pending = |channel| DeliveryState::PENDING.iter().map(move |state| (channel, *state));
        for (channel, state) in known.iter().flat_map(pending) {
            let found = backlog.deliveries.iter().find(|it| it.0 == *channel && it.1 == state);
            let count = found.map_or(0, |(.., count)| usize::try_from(*count).unwrap_or(usize::MAX));
            let label = Waiting { channel: channel.to_string(), state: state.word() };
            self.waiting.get_or_create(&label).set(whole(count));
        }
    }
}

/// The numbers of one channel.
#[derive(Debug, Clone)]
pub struct ChannelNumbers {
    attempts: [Count; ATTEMPTS.len()],
    deliveries: [Count; OUTCOMES.len()],
    attempt_seconds: Histogram,
    latency_seconds: Histogram,
    window: Gauge,
    window_usable: Gauge,
    window_open: Gauge,
    concurrency_limit: Gauge,
    learned_rate: Gauge<f64, AtomicU64>,
    attempts_under_way: Gauge,
    rate_wait_seconds: Counter<f64, AtomicU64>,
    paused: Gauge,
    down: Gauge,
    unrecognized: Count,
    segments: Count,
    /// How many there were when they were counted last.
    unrecognized_before: Arc<AtomicU64>,
}

impl ChannelNumbers {
    /// Counts an attempt that took so long.
    pub fn attempted(&self, attempt: &Attempt, took: Duration) {
        let place = match attempt {
            Attempt::Sent { .. } => 0,
            Attempt::Refused { .. } => 1,
            Attempt::NotTaken { .. } | Attempt::Throttled { .. } => 2,
            Attempt::Unknown { .. } => 3,
        };
        self.attempts[place].inc();
        self.attempt_seconds.observe(took.as_secs_f64());
    }

    /// Counts an outcome that is written; `since` its call came in.
    pub fn ended(&self, state: DeliveryState, since: Duration) {
        if let Some(place) = OUTCOMES.iter().position(|it| *it == state) {
            self.deliveries[place].inc();
        }
        if state == DeliveryState::Sent {
            self.latency_seconds.observe(since.as_secs_f64());
        }
    }

    /// Counts the segments of a text message that was taken.
    pub fn sent_segments(&self, segments: Option<u8>) {
        self.segments.inc_by(segments.unwrap_or(0).into());
    }

    /// Notes the window, how much of it the rate leaves, and how much is open.
    pub fn window(&self, window: usize, usable: usize, open: usize) {
        self.window.set(whole(window));
        self.window_usable.set(whole(usable));
        self.window_open.set(whole(open));
    }

    /// Notes how many attempts may be under way, how many a second were learned to be taken, and how many are under way.
    pub fn concurrency(&self, limit: usize, learned_rate: Option<f64>, under_way: usize) {
        self.concurrency_limit.set(whole(limit));
        self.learned_rate.set(learned_rate.unwrap_or(0.0));
        self.attempts_under_way.set(whole(under_way));
    }

    /// Adds time that ready messages waited for the rate.
    pub fn waited_for_rate(&self, time: Duration) {
        self.rate_wait_seconds.inc_by(time.as_secs_f64());
    }

    /// Counts refusals that no table knows, of which the channel has seen so many since it was connected.
    pub fn unrecognized(&self, seen: u64) {
        let before = self.unrecognized_before.swap(seen, Ordering::Relaxed);
        // Fewer than before are those of a channel that was connected anew.
        self.unrecognized.inc_by(if seen < before { seen } else { seen - before });
    }

    /// Notes whether the channel is paused, and whether its provider fails.
    pub fn standing(&self, is_paused: bool, is_down: bool) {
        self.paused.set(i64::from(is_paused));
        self.down.set(i64::from(is_down));
    }
}
