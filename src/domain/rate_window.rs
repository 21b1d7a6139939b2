//! A trigger's rate window: at most so many calls in any stretch of time of a length.
//!
//! Exact, not an estimate: it remembers the times of the calls that count, at most as many as may come.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

/// The limit a trigger declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many calls are accepted.
    pub calls: u32,
    /// In how long a time.
    pub per: Duration,
}

/// The calls of one trigger that count against its limit. Eight bytes a call, and never more calls than the limit.
#[derive(Debug, Default)]
pub struct AcceptedWindow {
    accepted_at_us: VecDeque<i64>,
}

impl AcceptedWindow {
    /// A window that has already seen these calls, oldest first.
    pub fn from_accepted(times: impl IntoIterator<Item = Timestamp>) -> Self {
        AcceptedWindow { accepted_at_us: times.into_iter().map(Timestamp::as_microsecond).collect() }
    }

    /// Takes `count` places, or none.
    ///
    /// # Errors
    /// How long until so many places are free. More than the limit never are: the whole window's length is said.
    pub fn take(&mut self, limit: RateLimit, count: u32, now: Timestamp) -> Result<(), Duration> {
        let now_us = now.as_microsecond();
        let per_us = i64::try_from(limit.per.as_micros()).unwrap_or(i64::MAX);
        self.not_after(now_us);
        while self.accepted_at_us.front().is_some_and(|at| at.saturating_add(per_us) <= now_us) {
            self.accepted_at_us.pop_front();
        }
        if count > limit.calls {
            return Err(limit.per);
        }
        let free_after = limit.calls - count;
        let used = self.accepted_at_us.len();
        if used > free_after as usize {
            let must_leave = used - free_after as usize;
            let leaves_at = self.accepted_at_us[must_leave - 1].saturating_add(per_us);
            return Err(Duration::from_micros(u64::try_from(leaves_at - now_us).unwrap_or(0)));
        }
        self.accepted_at_us.extend(std::iter::repeat_n(now_us, count as usize));
        Ok(())
    }

    /// A clock that was set back leaves calls in the future: they count from now on, not until that future is over.
    fn not_after(&mut self, now_us: i64) {
        for at in self.accepted_at_us.iter_mut().rev().take_while(|at| **at > now_us) {
            *at = now_us;
        }
    }

    /// Gives back places that were taken for calls which then were not accepted.
    pub fn give_back(&mut self, count: u32) {
        let kept = self.accepted_at_us.len().saturating_sub(count as usize);
        self.accepted_at_us.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit { calls: 2, per: Duration::from_secs(10) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn no_stretch_of_time_holds_more_than_the_limit() {
        let mut window = AcceptedWindow::default();
        assert_eq!(window.take(LIMIT, 1, at(0)), Ok(()));
        assert_eq!(window.take(LIMIT, 1, at(9)), Ok(()));
        assert_eq!(window.take(LIMIT, 1, at(9)), Err(Duration::from_secs(1)));
        assert_eq!(window.take(LIMIT, 1, at(10)), Ok(()));
        assert_eq!(window.take(LIMIT, 1, at(18)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn a_clock_that_steps_back_holds_nobody_up_for_longer_than_the_window() {
        let mut window = AcceptedWindow::from_accepted([at(5), at(7_200)]);
        assert_eq!(window.take(LIMIT, 1, at(6)), Err(Duration::from_secs(9)));
        assert_eq!(window.take(LIMIT, 1, at(15)), Ok(()));
        assert_eq!(window.take(LIMIT, 2, at(25)), Ok(()));
        let mut ahead = AcceptedWindow::from_accepted([at(7_200), at(7_201)]);
        assert_eq!(ahead.take(LIMIT, 1, at(0)), Err(LIMIT.per));
        assert_eq!(ahead.take(LIMIT, 2, at(10)), Ok(()));
    }

    #[test]
    fn a_batch_takes_all_its_places_or_none() {
        let mut window = AcceptedWindow::from_accepted([at(5)]);
        assert_eq!(window.take(LIMIT, 2, at(6)), Err(Duration::from_secs(9)));
        assert_eq!(window.take(LIMIT, 3, at(100)), Err(LIMIT.per));
        assert_eq!(window.take(LIMIT, 2, at(100)), Ok(()));
        window.give_back(1);
        assert_eq!(window.take(LIMIT, 1, at(100)), Ok(()));
        assert_eq!(window.take(LIMIT, 0, at(100)), Ok(()));
    }
}
