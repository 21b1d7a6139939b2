//! Whether a provider takes messages: after several failures in a row, or several recipients that were refused with the
//! same words, one delivery probes it and the others wait.

use std::time::{Duration, Instant};

use super::suspicion::{Refusal, Suspicion};
use crate::domain::delivery::DeliveryId;

/// How many transient failures in a row mean that it is not the message's fault.
const FAILURES_UNTIL_DOWN: u32 = 3;
/// The wait before the first probe; it doubles with each that fails.
const FIRST_PROBE: Duration = Duration::from_millis(500);
/// The longest wait between two probes, unless the provider asked for more.
const PROBE_INTERVAL_MAX: Duration = Duration::from_secs(30);
/// The longest wait a provider can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// A provider that throttles takes messages as well if it took one so lately.
const TAKES_WITHIN: Duration = Duration::from_millis(500);
/// A provider that counts by the second asks to come back after one, as no shorter time can be named but none.
const A_MOMENT: Duration = Duration::from_secs(2);

/// What is known of a provider from the last answers.
#[derive(Debug, Default)]
pub(super) struct HealthTracker {
    failures_in_a_row: u32,
    next_probe: Option<Instant>,
    /// When it last took a message, or refused one with reason.
    answered_at: Option<Instant>,
    suspicion: Suspicion,
}

impl HealthTracker {
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

    /// The provider took a message, or refused one with reason, in an attempt that began then; true if it was down.
    pub(super) fn answered(&mut self, id: DeliveryId, began: Instant, now: Instant) -> bool {
        self.answered_at = Some(now);
        self.suspicion.answered(id, began, now) && self.is_up()
    }

    /// The provider refused a message with words that it may have for everyone. If it seems to, this refusal is the
    /// channel's trouble, and the message waits; while that is not known, it waits as well.
    pub(super) fn refused(&mut self, id: DeliveryId, said: &str, reason: &str, now: Instant) -> Refusal {
        let was_of_all = self.suspicion.is_of_all();
        let refusal = self.suspicion.refused(id, said, reason, now);
        if was_of_all {
            return refusal;
        }
        self.is_up();
        if refusal == Refusal::OfAll {
            self.failures_in_a_row = FAILURES_UNTIL_DOWN - 1;
            self.failed(None, now);
        }
        refusal
    }

    /// It answers.
    fn is_up(&mut self) -> bool {
        self.failures_in_a_row = 0;
        self.next_probe.take().is_some()
    }

    /// What is known of single messages that were refused.
    pub(super) fn suspicion(&mut self) -> &mut Suspicion {
        &mut self.suspicion
    }

    /// The provider asked for fewer. Where the channel finds out by itself how many it takes, single such answers among
    /// messages that are taken say how fast it may be used, not that it cannot be; unless it asks for more than a moment.
    pub(super) fn throttled(&mut self, retry_after: Option<Duration>, is_adaptive: bool, now: Instant) {
        let takes = self.answered_at.is_some_and(|at| now.saturating_duration_since(at) < TAKES_WITHIN);
        let is_for_a_moment = retry_after.is_none_or(|asked| asked <= A_MOMENT);
        if !(is_adaptive && takes && is_for_a_moment) {
            self.failed(retry_after, now);
        }
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
    use crate::domain::customer::CustomerKey;
    use crate::domain::name::{NodeIndex, RunId};

    fn id(customer: i64) -> DeliveryId {
        DeliveryId::to_only_target(RunId(1), CustomerKey(customer), NodeIndex(0))
    }

    #[test]
    fn three_failures_in_a_row_leave_one_probe_at_a_time() {
        let start = Instant::now();
        let mut health = HealthTracker::default();
        health.failed(None, start);
        health.failed(None, start);
        assert!(!health.answered(id(1), start, start));
        (0..3).for_each(|_| health.failed(None, start));
        assert_eq!(health.allows(256, start), 0);
        assert_eq!(health.allows(256, start + FIRST_PROBE), 1);
        health.failed(None, start + FIRST_PROBE);
        assert_eq!(health.allows(256, start + FIRST_PROBE * 2), 0);
        assert_eq!(health.allows(256, start + FIRST_PROBE * 3), 1);
        assert!(health.answered(id(1), start, start));
        assert_eq!(health.allows(256, start), 256);
    }

    #[test]
    fn several_recipients_refused_alike_leave_one_probe_at_a_time() {
        let start = Instant::now();
        let mut health = HealthTracker::default();
        let refusals: Vec<Refusal> =
            (0..3).map(|n| health.refused(id(n), "550 no", "550 no", start)).collect();
        assert!(refusals[..2].iter().all(|it| matches!(it, Refusal::Undecided(_))), "{refusals:?}");
        assert_eq!(refusals[2], Refusal::OfAll);
        assert_eq!(health.allows(256, start), 0);
        assert_eq!(health.allows(256, start + FIRST_PROBE), 1);
        assert!(!health.answered(id(4), start - FIRST_PROBE, start), "it began before they were refused");
        assert!(health.is_down());
        assert!(health.answered(id(4), start + FIRST_PROBE, start + FIRST_PROBE));
        assert_eq!(health.allows(256, start), 256);
    }

    #[test]
    fn the_provider_says_when_to_come_back() {
        let start = Instant::now();
        let mut health = HealthTracker::default();
        (0..3).for_each(|_| health.failed(Some(Duration::from_secs(20)), start));
        assert_eq!(health.allows(9, start + Duration::from_secs(19)), 0);
        assert_eq!(health.allows(9, start + Duration::from_secs(20)), 1);
    }

    #[test]
    fn a_provider_that_throttles_and_takes_is_not_down() {
        let start = Instant::now();
        let a_second = Some(Duration::from_secs(1));
        let throttled = |retry_after, is_adaptive, after: Duration| {
            let mut health = HealthTracker::default();
            health.answered(id(1), start, start);
            (0..3).for_each(|_| health.throttled(retry_after, is_adaptive, start + after));
            health.is_down()
        };
        assert!(!throttled(None, true, FIRST_PROBE / 2));
        assert!(!throttled(a_second, true, FIRST_PROBE / 2));
        assert!(throttled(a_second, true, FIRST_PROBE), "nothing was taken for some time");
        assert!(throttled(Some(Duration::from_secs(20)), true, Duration::ZERO), "it said when to come back");
        assert!(throttled(a_second, false, Duration::ZERO), "a fixed concurrency does not step back");
    }

    #[test]
    fn attempts_that_fail_together_are_one_failure() {
        let start = Instant::now();
        let mut health = HealthTracker::default();
        (0..200).for_each(|_| health.failed(None, start));
        assert_eq!(health.allows(256, start + FIRST_PROBE), 1);
    }
}
