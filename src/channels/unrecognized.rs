//! Refusals that no row of the tables knows: how many, and the last one, for those who maintain the tables.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What was seen since the channel was connected.
#[derive(Debug, Default)]
pub struct Unrecognized {
    count: AtomicU64,
    last: Mutex<String>,
}

impl Unrecognized {
    pub(super) fn note(&self, said: &str) {
        said.clone_into(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner));
        self.count.fetch_add(1, Ordering::Release);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// What the last of them said; `None` if there was none.
    pub fn last(&self) -> Option<String> {
        (self.count() > 0).then(|| self.last.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
