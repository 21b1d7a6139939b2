//! The process's numbers. Labels come from closed sets and manifests: what a caller makes up never becomes a series.
//!
//! docs/reference/metrics.md says what each is for, and a test holds the two together.

mod channel;
mod indexes;
mod ledger;
mod retention;
mod waits;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use channel::ChannelNumbers;
use channel::Channels;
pub use indexes::IndexNumbers;
pub use ledger::{LedgerNumbers, LedgerWork};
pub use retention::{GrowsOld, RetentionNumbers};
use waits::Waits;

use crate::compile::Snapshot;
use crate::domain::admission::Refusal;
use crate::domain::name::{ChannelName, TriggerName};
use crate::store::deliveries::Decided;
use crate::store::run_log::Backlog;

/// What a request at a trigger's endpoint was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    /// A declared trigger; empty for requests to others.
    trigger: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfScenario {
    /// A scenario of a manifest.
    scenario: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

/// The numbers.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Family<Answered, Counter<u64, AtomicU64>>,
    refusals: Family<Refused, Counter<u64, AtomicU64>>,
    call_seconds: Histogram,
    channels: Channels,
    /// What the ledger was asked and how it stands.
    pub ledger: LedgerNumbers,
    /// What was removed because it was old.
    pub retention: RetentionNumbers,
    /// How far the indexes of audiences are.
    pub indexes: IndexNumbers,
    objects: Family<OfKind, Gauge>,
    problems: Gauge,
    unconnected: Gauge,
    in_force_since: Gauge<f64, AtomicU64>,
    left_out: Family<OfScenario, Gauge<f64, AtomicU64>>,
    waiting: Family<OfScenario, Gauge>,
    waits: Waits,
    /// Scenarios of manifests that were in force, or have runs under way.
    scenarios: Mutex<BTreeSet<String>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("fanfare");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", version);
        let (calls, refusals) = (Family::default(), Family::default());
        registry.register("calls", "Requests at triggers' endpoints, by answer", Family::clone(&calls));
        registry.register("refusals", "Requests that were turned away, by reason", Family::clone(&refusals));
        let call_seconds = Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0]);
        let help = "From a request's head to its answer, commit included";
        registry.register("call_duration_seconds", help, call_seconds.clone());
        let (objects, problems, unconnected, in_force_since) =
            (Family::default(), Gauge::default(), Gauge::default(), Gauge::default());
        registry.register("snapshot_objects", "Objects in force, by kind", Family::clone(&objects));
        let help = "What is wrong with objects as they are declared; they stay in force as they were";
        registry.register("snapshot_problems", help, problems.clone());
        let help = "Channels that cannot be connected; their messages wait";
        registry.register("channels_unconnected", help, unconnected.clone());
        let help = "When what is in force was put in force, in Unix time";
        registry.register("snapshot_timestamp_seconds", help, in_force_since.clone());
        let left_out = Family::default();
        let help = "When a run of the scenario last skipped or failed all, or more than a tenth, of its customers for one \
            reason, in Unix time; 0 if none did";
        registry.register("scenario_left_out_timestamp_seconds", help, Family::clone(&left_out));
        let waiting = Family::default();
        let help =
            "Customers who were selected and have no delivery yet, because their channels rest or are busy";
        registry.register("customers_waiting", help, Family::clone(&waiting));
        let waits = Waits::register(&mut registry);
        let ledger = LedgerNumbers::register(&mut registry);
        let retention = RetentionNumbers::register(&mut registry);
        let indexes = IndexNumbers::register(&mut registry);
        let channels = Channels::register(&mut registry);
        Metrics {
            registry,
            calls,
            refusals,
            call_seconds,
            channels,
            ledger,
            retention,
            indexes,
            objects,
            problems,
            unconnected,
            in_force_since,
            left_out,
            waiting,
            waits,
            scenarios: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts an answer. `trigger` is a declared one, or `None`.
    pub fn answered(&self, trigger: Option<&TriggerName>, status: u16, took: Duration) {
        let trigger = trigger.map_or_else(String::new, |trigger| trigger.as_str().to_owned());
        self.calls.get_or_create(&Answered { trigger, status }).inc();
        self.call_seconds.observe(took.as_secs_f64());
    }

    /// Counts a refusal by its reason.
    pub fn refused(&self, refusal: &Refusal) {
        self.refusals.get_or_create(&Refused { reason: refusal.word() }).inc();
    }

    /// The numbers of one channel of a manifest.
    pub fn channel(&self, name: &ChannelName) -> ChannelNumbers {
        self.channels.of(name)
    }

    /// Counts journeys that were woken.
    pub fn woken(&self, journeys: u64) {
        self.waits.woken(journeys);
    }

    /// Counts deliveries that were decided without an attempt.
    pub fn decided(&self, decided: &[Decided]) {
        self.channels.decided(decided);
    }

    /// Notes what is in force since when, and how many problems hold other declarations back.
    pub fn in_force(&self, snapshot: &Snapshot, problems: usize, since: Timestamp) {
        let counts = [
            ("ApiTrigger", snapshot.triggers.len()),
            ("Scenario", snapshot.scenarios.len()),
            ("Channel", snapshot.channels.len()),
        ];
        for (kind, count) in counts {
            self.objects.get_or_create(&OfKind { kind }).set(whole(count));
        }
        for scenario in snapshot.scenarios.keys().map(ToString::to_string) {
            self.scenarios().insert(scenario.clone());
            drop(self.waiting.get_or_create(&OfScenario { scenario: scenario.clone() }));
            drop(self.left_out.get_or_create(&OfScenario { scenario }));
        }
        self.problems.set(whole(problems));
        self.in_force_since.set(since.as_microsecond() as f64 / 1e6);
    }

    fn scenarios(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.scenarios.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how many channels cannot be connected.
    pub fn unconnected(&self, channels: usize) {
        self.unconnected.set(whole(channels));
    }

    /// Takes over what the ledger counts, just before it is shown.
    pub fn set_backlog(&self, backlog: &Backlog, now: Timestamp) {
        self.ledger.set_backlog(backlog, now);
        self.waits.set_backlog(backlog, now);
        self.channels.set_waiting(backlog);
        let mut scenarios = self.scenarios();
        scenarios.extend(backlog.waiting.iter().map(|(scenario, _)| scenario.to_string()));
        for scenario in scenarios.iter().cloned() {
            let waiting = backlog.waiting.iter().find(|(name, _)| name.as_str() == scenario);
            let count = waiting.map_or(0, |(_, count)| i64::try_from(*count).unwrap_or(i64::MAX));
            self.waiting.get_or_create(&OfScenario { scenario }).set(count);
        }
        drop(scenarios);
        for (scenario, at) in &backlog.left_out {
            let of = OfScenario { scenario: scenario.to_string() };
            self.left_out.get_or_create(&of).set(at.as_microsecond() as f64 / 1e6);
        }
    }

    /// OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "metrics could not be written");
        }
        text
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
