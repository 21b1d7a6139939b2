//! Exponential backoff: how long to wait before something that failed is tried again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// The wait doubles with every failure in a row, up to the longest, and begins anew after a success. It knows no clock
/// and draws nothing at random: its caller adds the wait to the time and gives the jitter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExponentialBackoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl ExponentialBackoff {
    /// Nothing has failed yet.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        ExponentialBackoff { first, longest, failures: 0 }
    }

    /// Counts a failure. Returns the wait before the next attempt: the full one for a jitter of 0, half of it for a jitter
    /// of 1. With a jitter of their own, those who failed together do not come back together.
    pub fn failed(&mut self, jitter: f64) -> Duration {
        let doublings = self.failures.min(31);
        self.failures = self.failures.saturating_add(1);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        full - (full / 2).mul_f64(jitter.clamp(0.0, 1.0))
    }

    /// Sets the longest wait, where it depends on what failed.
    pub const fn up_to(&mut self, longest: Duration) -> &mut Self {
        self.longest = longest;
        self
    }

    /// Counts a success: the next wait is the first again.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How many failures there were in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// A jitter that is different at each call, for callers that need not be repeatable.
pub fn drawn_jitter() -> f64 {
    let drawn = RandomState::new().hash_one(0) >> 32;
    f64::from(u32::try_from(drawn).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(4);

    #[test]
    fn a_wait_doubles_up_to_the_longest_and_begins_anew_after_a_success() {
        let mut backoff = ExponentialBackoff::new(FIRST, LONGEST);
        let waits: Vec<u128> = (0..100).map(|_| backoff.failed(0.0).as_millis()).collect();
        assert_eq!(waits[..6], [250, 500, 1_000, 2_000, 4_000, 4_000]);
        assert_eq!((waits[99], backoff.failures()), (4_000, 100));
        backoff.succeeded();
        assert_eq!((backoff.failures(), backoff.failed(0.0)), (0, FIRST));
        assert_eq!(backoff.up_to(FIRST).failed(0.0), FIRST, "the longest may be another for another failure");
        assert_eq!(backoff.up_to(LONGEST).failed(0.0), FIRST * 4);
    }

    #[test]
    fn jitter_takes_up_to_half_of_a_wait() {
        let wait = |jitter| ExponentialBackoff::new(FIRST, LONGEST).failed(jitter);
        assert_eq!((wait(0.0), wait(0.5), wait(1.0)), (FIRST, FIRST.mul_f64(0.75), FIRST / 2));
        assert_eq!((wait(-1.0), wait(7.0)), (FIRST, FIRST / 2));
    }

    #[test]
    fn no_length_of_time_overflows() {
        let mut backoff = ExponentialBackoff::new(Duration::MAX, Duration::MAX);
        (0..100).for_each(|_| assert!(backoff.failed(1.0) >= FIRST));
        let mut backoff = ExponentialBackoff::new(Duration::ZERO, LONGEST);
        assert_eq!((0..100).map(|_| backoff.failed(1.0)).max(), Some(Duration::ZERO));
    }
}
