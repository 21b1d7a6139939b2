//! Journeys that wait at nodes.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::whole;
use crate::store::run_log::Backlog;

/// The numbers of journeys that wait.
#[derive(Debug, Default)]
pub(super) struct Waits {
    resting_runs: Gauge,
    late_seconds: Gauge<f64, AtomicU64>,
    woken: Counter<u64, AtomicU64>,
}

impl Waits {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let numbers = Waits::default();
        let help = "Runs of which all that is left are customers who wait at a node";
        registry.register("runs_waiting", help, numbers.resting_runs.clone());
        let help = "How long ago the first of the journeys that wait should have gone on; 0 if none is late";
        registry.register("journeys_wake_late_seconds", help, numbers.late_seconds.clone());
        registry.register("journeys_woken", "Journeys that went on behind a wait", numbers.woken.clone());
        numbers
    }

    pub(super) fn woken(&self, journeys: u64) {
        self.woken.inc_by(journeys);
    }

    pub(super) fn set_backlog(&self, backlog: &Backlog, now: Timestamp) {
        self.resting_runs.set(whole(usize::try_from(backlog.resting_runs).unwrap_or(usize::MAX)));
        let late = backlog.next_wake_at.map_or(0.0, |next| now.duration_since(next).as_secs_f64());
        self.late_seconds.set(late.max(0.0));
    }
}
