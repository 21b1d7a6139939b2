//! The process's numbers. Labels come from closed sets: what a caller makes up never becomes a series.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::domain::name::TriggerName;
use crate::store::run_log::Backlog;

/// What a request at a trigger's endpoint was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    /// A declared trigger; empty for requests to others.
    trigger: String,
    status: u16,
}

/// Deliveries that wait, by channel and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Waiting {
    /// A channel of a manifest.
    channel: String,
    /// `queued`, `retrying` or `held`.
    state: &'static str,
}

/// The numbers.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Family<Answered, Counter<u64, AtomicU64>>,
    call_seconds: Histogram,
    calls_open: Gauge,
    runs_open: Gauge,
    deliveries_waiting: Family<Waiting, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("fanfare");
        let calls = Family::default();
        registry.register("calls", "Requests at triggers' endpoints, by answer", calls.clone());
        let call_seconds = Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0]);
        let help = "From a request's head to its answer, commit included";
        registry.register("call_duration_seconds", help, call_seconds.clone());
        let (calls_open, runs_open, deliveries_waiting) =
            (Gauge::default(), Gauge::default(), Family::default());
        registry.register("calls_open", "Calls accepted and not at their end", calls_open.clone());
        registry.register("runs_open", "Runs not at their end", runs_open.clone());
        let help = "Deliveries queued, to be tried again, or held for a person";
        registry.register("deliveries_waiting", help, deliveries_waiting.clone());
        Metrics { registry, calls, call_seconds, calls_open, runs_open, deliveries_waiting }
    }
}

impl Metrics {
    /// Counts an answer. `trigger` is a declared one, or `None`.
    pub fn answered(&self, trigger: Option<&TriggerName>, status: u16, took: Duration) {
        let trigger = trigger.map_or_else(String::new, |trigger| trigger.as_str().to_owned());
        self.calls.get_or_create(&Answered { trigger, status }).inc();
        self.call_seconds.observe(took.as_secs_f64());
    }

    /// Takes over what the ledger counts, just before it is shown.
    pub fn set_backlog(&self, backlog: &Backlog) {
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.calls_open.set(whole(backlog.calls));
        self.runs_open.set(whole(backlog.runs));
        self.deliveries_waiting.clear();
        for (channel, state, count) in &backlog.deliveries {
            let label = Waiting { channel: channel.to_string(), state: state.word() };
            self.deliveries_waiting.get_or_create(&label).set(whole(*count));
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
