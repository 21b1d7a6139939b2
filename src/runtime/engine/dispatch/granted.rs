//! A channel's rate that replicas share: starts that the store gave out to this process, each with its time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::store::channel_rates::Starts;

/// How much time is asked for at once: short enough that what a replica does not use is little, long enough that
/// asking costs little.
const ASKED_AT_ONCE: Duration = Duration::from_millis(100);
/// Starts are asked for as soon as those at hand last no longer than this.
const ASKED_AHEAD: Duration = Duration::from_millis(50);
/// Starts that were not used in time are lost: they would come as a burst.
const KEPT: Duration = Duration::from_millis(200);
/// How long to wait after the store gave none.
const AFTER_A_FAILURE: Duration = Duration::from_millis(250);

/// Starts at hand.
#[derive(Debug, Default)]
pub(super) struct Granted {
    starts: VecDeque<Starts>,
    not_before: Option<Instant>,
}

impl Granted {
    pub(super) fn add(&mut self, starts: Starts) {
        self.starts.push_back(starts);
    }

    /// The store gave none.
    pub(super) fn was_refused(&mut self, now: Instant) {
        self.not_before = Some(now + AFTER_A_FAILURE);
    }

    /// Takes a start whose time has come.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.forget_old(now);
        let Some(next) = self.starts.front_mut().filter(|next| next.first <= now) else { return false };
        next.count -= 1;
        next.first += next.every;
        if next.count == 0 {
            self.starts.pop_front();
        }
        true
    }

    /// When the next start is.
    pub(super) fn next(&self) -> Option<Instant> {
        self.starts.front().map(|next| next.first)
    }

    /// How many starts are to be asked for, where so many messages are ready.
    pub(super) fn wants(&mut self, every: Duration, ready: usize, now: Instant) -> Option<u32> {
        self.forget_old(now);
        if ready == 0 || self.not_before.is_some_and(|at| at > now) {
            return None;
        }
        let at_hand: u32 = self.starts.iter().map(|starts| starts.count).sum();
        let last = self.starts.back().map_or(now, |last| last.first + last.every * last.count);
        if at_hand as usize >= ready || last > now + ASKED_AHEAD && at_hand > 0 {
            return None;
        }
        let at_once = (ASKED_AT_ONCE.as_nanos() / every.as_nanos().max(1)).max(1);
        let missing = u32::try_from(ready - at_hand as usize).unwrap_or(u32::MAX);
        Some(u32::try_from(at_once).unwrap_or(u32::MAX).min(missing))
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some(oldest) = self.starts.front_mut() {
            if oldest.first + KEPT >= now {
                return;
            }
            oldest.count -= 1;
            oldest.first += oldest.every;
            if oldest.count == 0 {
                self.starts.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(10);

    #[test]
    fn a_start_is_taken_at_its_time_and_lost_when_it_is_old() {
        let now = Instant::now();
        let mut granted = Granted::default();
        assert_eq!(granted.wants(EVERY, 0, now), None);
        assert_eq!(granted.wants(EVERY, 3, now), Some(3));
        assert_eq!(granted.wants(EVERY, 500, now), Some(10));
        granted.add(Starts { first: now + EVERY, every: EVERY, count: 10 });
        assert!(!granted.take(now));
        assert!(granted.take(now + EVERY) && !granted.take(now + EVERY));
        assert_eq!(granted.next(), Some(now + 2 * EVERY));
        assert_eq!(granted.wants(EVERY, 500, now + EVERY), None);
        let late = now + Duration::from_secs(1);
        assert!(!granted.take(late));
        assert_eq!(granted.wants(EVERY, 500, late), Some(10));
    }

    #[test]
    fn a_slow_channel_asks_for_one_at_a_time() {
        let mut granted = Granted::default();
        assert_eq!(granted.wants(Duration::from_secs(1), 500, Instant::now()), Some(1));
    }
}
