//! Numbers of the indexes that audiences are found by.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The numbers.
#[derive(Debug)]
pub struct IndexNumbers {
    filled: Gauge<f64, AtomicU64>,
}

impl IndexNumbers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let numbers = IndexNumbers { filled: Gauge::default() };
        numbers.filled.set(1.0);
        let help =
            "How far the least filled of the indexes is that scenarios need, from 0 to 1; 1 if there is none";
        registry.register("index_filled_ratio", help, numbers.filled.clone());
        numbers
    }

    /// Sets it from the shares of all indexes that scenarios need.
    pub fn set(&self, shares: impl IntoIterator<Item = f64>) {
        self.filled.set(shares.into_iter().fold(1.0, f64::min));
    }
}
