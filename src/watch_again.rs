//! How soon a watch of the API server is begun again after it failed: soon enough that an edit is seen within seconds of
//! the server's return, and never by all at once.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use kube::runtime::utils::{Backoff, ResetTimerBackoff};

const FIRST: Duration = Duration::from_millis(250);
/// The longest rest. Longer ones are for servers with many more clients than there are operators and runtimes.
const LONGEST: Duration = Duration::from_secs(4);
/// What failed again within this time goes on where it was: a list that comes and a watch that does not must not be
/// repeated without a rest.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// The rests of one watch.
pub fn watch_again() -> ResetTimerBackoff<Rests> {
    ResetTimerBackoff::new(Rests { longest: FIRST }, FORGOTTEN_AFTER)
}

/// Rests that double up to a few seconds; each is drawn from the upper half of what it may be.
#[derive(Debug)]
pub struct Rests {
    longest: Duration,
}

impl Iterator for Rests {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let longest = self.longest;
        self.longest = (longest * 2).min(LONGEST);
        let drawn = RandomState::new().hash_one(0) >> 32;
        let share = f64::from(u32::try_from(drawn).unwrap_or_default()) / f64::from(u32::MAX);
        Some(longest.mul_f64(0.5 + share / 2.0))
    }
}

impl Backoff for Rests {
    fn reset(&mut self) {
        self.longest = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_it_failed_it_is_tried_again_within_seconds() {
        let mut rests = Rests { longest: FIRST };
        let drawn: Vec<Duration> = rests.by_ref().take(50).collect();
        assert!(drawn[0] <= FIRST && drawn[0] >= FIRST / 2);
        assert!(drawn.iter().all(|rest| *rest <= LONGEST));
        assert!(drawn[10..].iter().all(|rest| *rest >= LONGEST / 2));
        let different: std::collections::HashSet<&Duration> = drawn[10..].iter().collect();
        assert!(different.len() > 20, "not by all at once: {drawn:?}");
        rests.reset();
        assert!(rests.next().is_some_and(|rest| rest <= FIRST));
    }
}
