//! Numbers of the indexes that audiences are found by.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfIndex {
    /// What it is on: attributes and events that manifests name.
    index: String,
}

/// The numbers.
#[derive(Debug)]
pub struct IndexNumbers {
    filled: Family<OfIndex, Gauge<f64, AtomicU64>>,
}

impl IndexNumbers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let numbers = IndexNumbers { filled: Family::default() };
        let help = "The share of what was there before it that an index which scenarios need holds, from 0 to 1; audiences are found by \
            it from 1 on";
        registry.register("index_filled_ratio", help, numbers.filled.clone());
        numbers
    }

    /// Sets those that scenarios need; others are no longer shown.
    pub fn set(&self, filled: impl IntoIterator<Item = (String, f64)>) {
        self.filled.clear();
        for (index, share) in filled {
            self.filled.get_or_create(&OfIndex { index }).set(share);
        }
    }
}
