//! How long a journey waits at a node.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

use crate::domain::customer::Customer;
use crate::domain::expression::{Expression, Facts, convert};
use crate::domain::local_defaults::zone_of;
use crate::domain::value::{Kind, Value};

/// What a journey waits for.
#[derive(Debug, Clone)]
pub enum Wait {
    /// So long.
    For(Duration),
    /// A point in time.
    Until {
        /// The expression that gives it.
        time: Expression,
        /// So long before it.
        before: Duration,
    },
    /// The next time that a clock shows this.
    UntilTime {
        /// The time of day.
        at: Time,
        /// Where the clock is.
        zone: WaitZone,
    },
}

/// Whose clock it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitZone {
    /// The customer's; of one who names none, this one.
    Customer(TimeZone),
    /// This one.
    Fixed(TimeZone),
}

/// The attribute that names a customer's time zone.
const ZONE_ATTRIBUTE: &str = "time_zone";

/// A date skips at most one day: the day that a zone loses when it crosses the date line.
const DAYS_MAX: i64 = 3;

impl Wait {
    /// When a journey that comes here `at` this time goes on; `None` if it goes on at once: the time is past, or cannot be
    /// told.
    pub fn over_at(&self, facts: Facts<'_>, at: Timestamp) -> Option<Timestamp> {
        let over = match self {
            Wait::For(length) => later(at, *length),
            Wait::Until { time, before } => {
                let found = time.evaluate(facts).ok()??;
                let Value::Timestamp(time) = convert(Kind::Timestamp, &found)? else { return None };
                earlier(time, *before)
            }
            Wait::UntilTime { at: time, zone } => next_at(*time, &zone.of(facts.customer), at)?,
        };
        (over > at).then_some(over)
    }
}

impl WaitZone {
    fn of(&self, customer: Option<&Customer>) -> TimeZone {
        let (WaitZone::Customer(otherwise) | WaitZone::Fixed(otherwise)) = self;
        let named = match (self, customer.and_then(|customer| customer.attributes.get(ZONE_ATTRIBUTE))) {
            (WaitZone::Customer(_), Some(Value::Text(name))) => zone_of(name).ok(),
            _ => None,
        };
        named.unwrap_or_else(|| otherwise.clone())
    }
}

fn later(at: Timestamp, length: Duration) -> Timestamp {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    at.saturating_add(length).unwrap_or(Timestamp::MAX)
}

fn earlier(at: Timestamp, length: Duration) -> Timestamp {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    at.saturating_sub(length).unwrap_or(Timestamp::MIN)
}

/// The first moment behind `at` at which a clock of the zone shows the time, or leaves it out.
fn next_at(time: Time, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let today = Zoned::new(at, zone.clone()).date();
    (0..DAYS_MAX).find_map(|days| {
        let date = today.checked_add(days.days()).ok()?;
        let shown = zone.to_ambiguous_timestamp(date.to_datetime(time));
        let gap = matches!(shown.offset(), AmbiguousOffset::Gap { .. });
        let moment = shown.compatible().ok()?;
        let moment = match gap {
            // Behind the gap; it ends where the zone changed last.
            true => zone.preceding(later(moment, Duration::from_nanos(1))).next()?.timestamp(),
            false => moment,
        };
        // A day that is left out as a whole has no such time.
        let is_a_day = date.to_zoned(zone.clone()).is_ok_and(|start| start.date() == date);
        (moment > at && is_a_day).then_some(moment)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(time: &str, zone: &str, at: &str) -> String {
        let next = next_at(time.parse().unwrap(), &zone_of(zone).unwrap(), at.parse().unwrap());
        next.unwrap().to_string()
    }

    #[test]
    fn a_time_of_day_is_the_next_one_in_its_zone() {
        assert_eq!(next("09:00", "UTC", "2026-11-30T08:59:59Z"), "2026-11-30T09:00:00Z");
        assert_eq!(next("09:00", "UTC", "2026-11-30T09:00:00Z"), "2026-12-01T09:00:00Z");
        assert_eq!(next("09:00", "America/Chicago", "2026-11-30T14:00:00Z"), "2026-11-30T15:00:00Z");
        assert_eq!(next("09:00", "Asia/Tokyo", "2026-11-30T14:00:00Z"), "2026-12-01T00:00:00Z");
        assert_eq!(next("00:30", "Asia/Tokyo", "2026-11-30T15:10:00Z"), "2026-11-30T15:30:00Z");
    }

    #[test]
    fn a_time_that_daylight_saving_leaves_out_is_the_first_moment_after_it() {
        // At 02:00 clocks in Vienna go to 03:00.
        assert_eq!(next("02:30", "Europe/Vienna", "2026-03-28T23:00:00Z"), "2026-03-29T01:00:00Z");
        assert_eq!(next("02:30", "Europe/Vienna", "2026-03-29T01:00:00Z"), "2026-03-30T00:30:00Z");
        // At midnight clocks in Cairo go to 01:00.
        assert_eq!(next("00:00", "Africa/Cairo", "2026-04-23T12:00:00Z"), "2026-04-23T22:00:00Z");
    }

    #[test]
    fn a_gap_at_the_end_of_a_day_ends_with_the_next() {
        // At 23:00 clocks in Nuuk go to 00:00.
        assert_eq!(next("23:30", "America/Nuuk", "2026-03-28T12:00:00Z"), "2026-03-29T01:00:00Z");
    }

    #[test]
    fn of_a_time_that_comes_twice_the_first_counts() {
        // At 03:00 clocks in Vienna go to 02:00.
        assert_eq!(next("02:30", "Europe/Vienna", "2026-10-24T22:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(next("02:30", "Europe/Vienna", "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
    }

    #[test]
    fn a_day_that_a_zone_skips_is_skipped() {
        // Samoa had no 30 December 2011.
        assert_eq!(next("09:00", "Pacific/Apia", "2011-12-29T20:00:00Z"), "2011-12-30T19:00:00Z");
    }

    #[test]
    fn what_is_longer_than_time_lasts_ends_with_it() {
        assert_eq!(later(Timestamp::MAX, Duration::MAX), Timestamp::MAX);
        assert_eq!(earlier(Timestamp::MIN, Duration::MAX), Timestamp::MIN);
    }
}
