//! Numbers of what is removed because it is older than it is to be kept.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::store::retention::RowKind;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRows {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKept {
    what: &'static str,
}

/// What grows old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrowsOld {
    /// Calls, with all that belongs to them.
    Calls,
    /// Customers' events.
    Events,
}

impl GrowsOld {
    /// As metrics and the log name it.
    pub fn word(self) -> &'static str {
        match self {
            GrowsOld::Calls => "calls",
            GrowsOld::Events => "events",
        }
    }
}

/// The numbers.
#[derive(Debug)]
pub struct RetentionNumbers {
    removed: Family<OfRows, Counter<u64, AtomicU64>>,
    oldest: Family<OfKept, Gauge<f64, AtomicU64>>,
    failures: Family<OfKept, Counter<u64, AtomicU64>>,
}

impl RetentionNumbers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let numbers = RetentionNumbers {
            removed: Family::default(),
            oldest: Family::default(),
            failures: Family::default(),
        };
        // A counter that first shows with its first failure cannot be told from one that never failed.
        for kind in RowKind::ALL {
            drop(numbers.removed.get_or_create(&OfRows { kind: kind.word() }));
        }
        for what in [GrowsOld::Calls.word(), GrowsOld::Events.word()] {
            drop(numbers.oldest.get_or_create(&OfKept { what }));
            drop(numbers.failures.get_or_create(&OfKept { what }));
        }
        let help = "Rows removed because they were older than they are to be kept, by kind";
        registry.register("retention_removed_rows", help, numbers.removed.clone());
        let help = "When the oldest call that is kept was received, and the time of the oldest event, in Unix time; 0 if there \
            is none";
        registry.register("retention_oldest_timestamp_seconds", help, numbers.oldest.clone());
        let help = "Removals of what is old that failed; they are tried again";
        registry.register("retention_failures", help, numbers.failures.clone());
        numbers
    }

    /// Counts rows that went.
    pub fn removed(&self, kind: RowKind, rows: u64) {
        self.removed.get_or_create(&OfRows { kind: kind.word() }).inc_by(rows);
    }

    /// Shows how old the oldest is.
    pub fn set_oldest(&self, what: GrowsOld, oldest: Option<Timestamp>) {
        let seconds = oldest.map_or(0.0, |oldest| oldest.as_microsecond() as f64 / 1e6);
        self.oldest.get_or_create(&OfKept { what: what.word() }).set(seconds);
    }

    /// Counts a removal that failed.
    pub fn failed(&self, what: GrowsOld) {
        self.failures.get_or_create(&OfKept { what: what.word() }).inc();
    }
}
