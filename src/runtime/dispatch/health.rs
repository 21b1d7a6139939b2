//! Whether a provider takes messages: after several failures in a row, or several recipients that were refused with the
//! same words, one delivery probes it and the others wait.

use std::time::{Duration, Instant};

/// How many transient failures in a row mean that it is not the message's fault.
const FAILURES_UNTIL_DOWN: u32 = 3;
/// The wait before the first probe; it doubles with each that fails.
const FIRST_PROBE: Duration = Duration::from_millis(500);
/// The longest wait between two probes, unless the provider asked for more.
const PROBE_INTERVAL_MAX: Duration = Duration::from_secs(30);
/// The longest wait a provider can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// How many recipients in a row, refused with the same words, mean that everyone is.
const ALIKE_UNTIL_DOWN: u32 = 3;
/// Where it turned out that not everyone was, more are needed the next time; at most so many.
const ALIKE_UNTIL_DOWN_MAX: u32 = 24;

/// What is known of a provider from the last answers.
#[derive(Debug, Default)]
pub(super) struct Health {
    failures_in_a_row: u32,
    next_probe: Option<Instant>,
    alike: Alike,
}

/// Refusals of several recipients that say the same.
#[derive(Debug)]
struct Alike {
    said: String,
    in_a_row: u32,
    until_down: u32,
    /// Whether the channel is down because of them.
    holds: bool,
}

impl Default for Alike {
    fn default() -> Self {
        Alike { said: String::new(), in_a_row: 0, until_down: ALIKE_UNTIL_DOWN, holds: false }
    }
}

impl Health {
    /// Whether the provider counts as down.
    pub(super) fn is_down(&self) -> bool {
        self.next_probe.is_some()
    }

    /// How many deliveries may be open, of `window`: all, one that probes, or none.
    pub(super) fn allows(&self, window: usize, now: Instant) -> usize {
        match self.next_probe {
            None => window,
            Some(at) if at <= now => window.min(1),
            Some(_) => 0,
        }
    }

    /// When the next probe is due.
    pub(super) fn next_probe(&self) -> Option<Instant> {
        self.next_probe
    }

    /// The provider took a message, or refused one with reason; true if it was down.
    pub(super) fn answered(&mut self) -> bool {
        if std::mem::take(&mut self.alike.holds) {
            self.alike.until_down = self.alike.until_down.saturating_mul(2).min(ALIKE_UNTIL_DOWN_MAX);
        }
        self.alike.in_a_row = 0;
        self.failures_in_a_row = 0;
        self.next_probe.take().is_some()
    }

    /// The provider refused a message with words that it may have for everyone. True if it seems to: then this refusal
    /// is the channel's trouble, and the message waits.
    pub(super) fn refused_alike(&mut self, said: &str, now: Instant) -> bool {
        if self.alike.holds {
            return true;
        }
        let in_a_row = if self.alike.said == said { self.alike.in_a_row } else { 0 };
        self.answered();
        said.clone_into(&mut self.alike.said);
        self.alike.in_a_row = in_a_row + 1;
        if self.alike.in_a_row >= self.alike.until_down {
            self.alike.holds = true;
            self.failures_in_a_row = FAILURES_UNTIL_DOWN - 1;
            self.failed(None, now);
        }
        false
    }

    /// The provider failed in a way that may pass.
    pub(super) fn failed(&mut self, retry_after: Option<Duration>, now: Instant) {
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        if self.failures_in_a_row >= FAILURES_UNTIL_DOWN {
            // Failures of attempts that were under way together count as one.
            if self.next_probe.is_none_or(|at| at <= now) {
                let doublings = (self.failures_in_a_row - FAILURES_UNTIL_DOWN).min(8);
                let wait = FIRST_PROBE.saturating_mul(1 << doublings).min(PROBE_INTERVAL_MAX);
                self.next_probe = Some(now + wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX)));
            } else {
                self.failures_in_a_row -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_leave_one_probe_at_a_time() {
        let start = Instant::now();
        let mut health = Health::default();
        health.failed(None, start);
        health.failed(None, start);
        assert!(!health.answered());
        (0..3).for_each(|_| health.failed(None, start));
        assert_eq!(health.allows(256, start), 0);
        assert_eq!(health.allows(256, start + FIRST_PROBE), 1);
        health.failed(None, start + FIRST_PROBE);
        assert_eq!(health.allows(256, start + FIRST_PROBE * 2), 0);
        assert_eq!(health.allows(256, start + FIRST_PROBE * 3), 1);
        assert!(health.answered());
        assert_eq!(health.allows(256, start), 256);
    }

    #[test]
    fn several_recipients_refused_alike_leave_one_probe_at_a_time() {
        let start = Instant::now();
        let mut health = Health::default();
        let words = "550 no";
        assert!((0..2).all(|_| !health.refused_alike(words, start)));
        assert!(!health.refused_alike("550 other words", start), "these begin anew");
        assert!((0..3).all(|_| !health.refused_alike(words, start)));
        assert_eq!(health.allows(256, start), 0);
        assert!(health.refused_alike(words, start) && health.refused_alike("554 any", start));
        assert_eq!(health.allows(256, start + FIRST_PROBE), 1);
        assert!(health.answered());
        assert!((0..3).all(|_| !health.refused_alike(words, start)), "it was not everyone");
        assert_eq!(health.allows(256, start), 256);
        assert!((0..3).all(|_| !health.refused_alike(words, start)));
        assert_eq!(health.allows(256, start), 0);
    }

    #[test]
    fn a_message_that_was_taken_begins_the_count_anew() {
        let start = Instant::now();
        let mut health = Health::default();
        for _ in 0..9 {
            assert!((0..2).all(|_| !health.refused_alike("550 no", start)));
            assert!(!health.answered());
        }
    }

    #[test]
    fn the_provider_says_when_to_come_back() {
        let start = Instant::now();
        let mut health = Health::default();
        (0..3).for_each(|_| health.failed(Some(Duration::from_secs(20)), start));
        assert_eq!(health.allows(9, start + Duration::from_secs(19)), 0);
        assert_eq!(health.allows(9, start + Duration::from_secs(20)), 1);
    }

    #[test]
    fn attempts_that_fail_together_are_one_failure() {
        let start = Instant::now();
        let mut health = Health::default();
        (0..200).for_each(|_| health.failed(None, start));
        assert_eq!(health.allows(256, start + FIRST_PROBE), 1);
    }
}
