//! What a store refuses of late though the data is right: a disk that is full, a right that is missing. A look that only
//! reads does not find it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a failure counts after it was seen last, also if something else was kept meanwhile: large writes fail where
/// small ones still find room.
const COUNTS_FOR: Duration = Duration::from_secs(15);
/// After how long it counts no more although nothing of the kind was tried again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// Failures by what failed.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<HashMap<&'static str, Failure>>);

#[derive(Debug)]
struct Failure {
    words: String,
    seen: Instant,
    is_over: bool,
}

impl Trouble {
    /// Takes note of a failure.
    pub fn failed(&self, what: &'static str, words: String) {
        let failure = Failure { words, seen: Instant::now(), is_over: false };
        self.lock().insert(what, failure);
    }

    /// Takes note that the same succeeded.
    pub fn succeeded(&self, what: &'static str) {
        let mut failures = self.lock();
        if let Some(failure) = failures.get_mut(what) {
            failure.is_over = true;
        }
    }

    /// The newest failure that still counts.
    pub fn newest(&self) -> Option<String> {
        self.newest_at(Instant::now())
    }

    /// Whether something failed that has not succeeded since.
    pub fn is_open(&self) -> bool {
        self.lock().values().any(|failure| !failure.is_over)
    }

    fn newest_at(&self, now: Instant) -> Option<String> {
        let mut failures = self.lock();
        failures.retain(|_, failure| {
            let age = now.saturating_duration_since(failure.seen);
            age < if failure.is_over { COUNTS_FOR } else { FORGOTTEN_AFTER }
        });
        failures.values().max_by_key(|failure| failure.seen).map(|failure| failure.words.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Failure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_counts_until_the_same_has_succeeded_for_a_while() {
        let trouble = Trouble::default();
        let now = Instant::now();
        let after = |seconds| trouble.newest_at(now + Duration::from_secs(seconds));
        trouble.failed("a write", "the disk is full".into());
        assert!(trouble.is_open());
        trouble.succeeded("another");
        assert_eq!(after(30).as_deref(), Some("the disk is full"));
        trouble.succeeded("a write");
        assert!(!trouble.is_open());
        assert_eq!(after(5).as_deref(), Some("the disk is full"));
        assert_eq!(after(20), None);
        trouble.failed("a write", "the disk is full".into());
        assert_eq!(after(120), None);
    }
}
