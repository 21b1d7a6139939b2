//! The process's numbers. Labels come from closed sets: what a caller makes up never becomes a series.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::domain::name::TriggerName;

/// What a request at a trigger's endpoint was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    /// A declared trigger; empty for requests to others.
    trigger: String,
    status: u16,
}

/// The numbers.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Family<Answered, Counter<u64, AtomicU64>>,
    call_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("fanfare");
        let calls = Family::default();
        registry.register("calls", "Requests at triggers' endpoints, by answer", calls.clone());
        let call_seconds = Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0]);
        let help = "From a request's head to its answer, commit included";
        registry.register("call_duration_seconds", help, call_seconds.clone());
        Metrics { registry, calls, call_seconds }
    }
}

impl Metrics {
    /// Counts an answer. `trigger` is a declared one, or `None`.
    pub fn answered(&self, trigger: Option<&TriggerName>, status: u16, took: Duration) {
        let trigger = trigger.map_or_else(String::new, |trigger| trigger.as_str().to_owned());
        self.calls.get_or_create(&Answered { trigger, status }).inc();
        self.call_seconds.observe(took.as_secs_f64());
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
