//! The one reader of times: RFC 3339 with an offset, a date, or a count of seconds or milliseconds since 1970.
//!
//! Parameters, forms, expressions, events and files share it. What is read becomes a moment in UTC, cut to the
//! microsecond, as the store keeps it.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::Offset;

use crate::domain::value::Number;

/// What stands there is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotATimestamp {
    /// It is something else.
    #[error(
        "is no time: write it by RFC 3339 with an offset, such as 2026-01-31T18:00:00Z, or as Unix seconds"
    )]
    NoTime,
    /// It says no zone, and there is none for it.
    #[error("has no offset: add `Z` or one such as `+01:00`")]
    NoOffset,
    /// It lies outside the years that RFC 3339 can write.
    #[error("lies outside the years 0000 to 9999")]
    OutOfRange,
}

/// The last second that RFC 3339 can write, 9999-12-31T23:59:59Z. A greater count is one of milliseconds.
const SECONDS_MAX: f64 = 253_402_300_799.0;
/// The first second of the year 0000.
const SECONDS_MIN: f64 = -62_167_219_200.0;
/// As a text, seconds have so many digits at least: a shorter one is a date without hyphens (`20260101`, `2026`) rather
/// than a moment of 1970 to 1973.
const DIGITS_MIN: usize = 9;

/// Reads a JSON text or number.
///
/// # Errors
/// It is of another kind, has no offset, or lies outside the years 0000 to 9999.
pub fn timestamp_from_json(json: &serde_json::Value) -> Result<Timestamp, NotATimestamp> {
    match json {
        serde_json::Value::String(text) => timestamp_from_text(text),
        serde_json::Value::Number(number) => {
            timestamp_from_number(Number::from_json(number).map_err(|_| NotATimestamp::OutOfRange)?)
        }
        _ => Err(NotATimestamp::NoTime),
    }
}

/// Reads RFC 3339 with an offset, a date as its midnight in UTC, or digits that count seconds or milliseconds. White
/// space around it is passed over.
///
/// The last day of the year 9999 ends after what is kept, so its moments become the last one that is: `never` stays
/// later than everything.
///
/// # Errors
/// The text is not a time, has no offset, or lies outside the years 0000 to 9999.
pub fn timestamp_from_text(text: &str) -> Result<Timestamp, NotATimestamp> {
    let text = text.trim();
    if is_a_count(text) {
        let count: f64 = text.parse().map_err(|_| NotATimestamp::NoTime)?;
        return match text.parse() {
            Ok(whole) => timestamp_from_number(Number::Integer(whole)),
            Err(_) => timestamp_from_number(Number::from_f64(count).map_err(|_| NotATimestamp::OutOfRange)?),
        };
    }
    let bytes = text.as_bytes();
    let is_a_date = bytes.len() >= 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && bytes[..4].iter().all(u8::is_ascii_digit);
    if !is_a_date {
        return Err(NotATimestamp::NoTime);
    }
    let pieces = Pieces::parse(text).map_err(|_| NotATimestamp::NoTime)?;
    match (pieces.time(), pieces.offset()) {
        (Some(time), Some(PiecesOffset::Zulu)) => moment(pieces.date(), time, Offset::UTC),
        (Some(time), Some(PiecesOffset::Numeric(numeric))) => moment(pieces.date(), time, numeric.offset()),
        (Some(_), _) => Err(NotATimestamp::NoOffset),
        (None, None) if bytes.len() == 10 => moment(pieces.date(), Time::midnight(), Offset::UTC),
        (None, _) => Err(NotATimestamp::NoTime),
    }
}

/// Reads Unix seconds, with decimals or without; what is beyond the year 9999 in seconds counts milliseconds.
pub(super) fn timestamp_from_number(count: Number) -> Result<Timestamp, NotATimestamp> {
    let double = count.to_f64();
    let (per_second, seconds) =
        if double > SECONDS_MAX { (1_000.0, double / 1_000.0) } else { (1.0, double) };
    if !(SECONDS_MIN..=SECONDS_MAX).contains(&seconds) {
        return Err(NotATimestamp::OutOfRange);
    }
    let microseconds = match count {
        Number::Integer(whole) => i128::from(whole) * if per_second > 1.0 { 1_000 } else { 1_000_000 },
        // A double of today's seconds resolves a quarter of a microsecond.
        Number::Double(double) => (double * (1e6 / per_second)).round() as i128,
    };
    Ok(nearest(microseconds))
}

/// Whether a text is a count: an optional sign, digits, and perhaps a fraction.
fn is_a_count(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    whole.len() >= DIGITS_MIN && digits(whole) && fraction.is_none_or(digits)
}

/// Counted by hand, as the moments of the last day of the year 9999 are beyond what is kept.
fn moment(date: Date, time: Time, offset: Offset) -> Result<Timestamp, NotATimestamp> {
    if date.year() < 0 {
        return Err(NotATimestamp::OutOfRange);
    }
    let days = i128::from(days_since_1970(date));
    let of_day = i128::from(time.hour()) * 3_600 + i128::from(time.minute()) * 60 + i128::from(time.second());
    let seconds = days * 86_400 + of_day - i128::from(offset.seconds());
    // Cut to the microsecond, towards the past, so that windows never begin later than what they hold.
    let microseconds = seconds * 1_000_000 + i128::from(time.subsec_nanosecond() / 1_000);
    Ok(nearest(microseconds))
}

/// The days between a date and the first of 1970 (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms).
fn days_since_1970(date: Date) -> i64 {
    let (month, day) = (i64::from(date.month()), i64::from(date.day()));
    let year = i64::from(date.year()) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The moment of a count of microseconds, or the last or first one that is kept.
fn nearest(microseconds: i128) -> Timestamp {
    let kept = i64::try_from(microseconds).ok().and_then(|kept| Timestamp::from_microsecond(kept).ok());
    kept.unwrap_or_else(|| {
        let end = if microseconds > 0 { Timestamp::MAX } else { Timestamp::MIN };
        Timestamp::from_microsecond(end.as_microsecond()).unwrap_or(end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_means_the_same_moment_is_read_as_the_same() {
        let expected: Timestamp = "2026-01-31T18:00:00Z".parse().unwrap();
        for written in [
            json!("2026-01-31T19:00:00+01:00"),
            json!(" 2026-01-31t18:00:00z\n"),
            json!("2026-01-31 18:00:00Z"),
            json!("2026-01-31T18:00:00.000Z"),
            json!(1_769_882_400),
            json!(1_769_882_400.0),
            json!("1769882400"),
            json!("1769882400.0"),
            json!(1_769_882_400_000_i64),
            json!("1769882400000"),
        ] {
            assert_eq!(timestamp_from_json(&written), Ok(expected), "{written}");
        }
        assert_eq!(timestamp_from_text("2026-01-31"), Ok("2026-01-31T00:00:00Z".parse().unwrap()));
        assert_eq!(timestamp_from_json(&json!("1284457468")), timestamp_from_json(&json!(1_284_457_468)));
        assert_eq!(timestamp_from_json(&json!(-1)), Ok(Timestamp::from_second(-1).unwrap()));
    }

    #[test]
    fn every_moment_that_rfc_3339_writes_is_taken() {
        let last = timestamp_from_text("9999-12-31T23:59:59Z").unwrap();
        assert_eq!(last.as_microsecond(), Timestamp::MAX.as_microsecond());
        for never in [json!("9999-12-31T23:59:59.999999Z"), json!("9999-12-31"), json!(253_402_300_799_i64)] {
            assert_eq!(timestamp_from_json(&never), Ok(last), "{never}");
        }
        assert_eq!(timestamp_from_text("9999-12-31T23:59:59-23:59"), Ok(last));
        assert!(
            timestamp_from_text("0000-01-01T00:00:00Z").unwrap() < timestamp_from_text("0001-01-01").unwrap()
        );
        // What is kept can be written and read again.
        assert_eq!(timestamp_from_text(&last.to_string()), Ok(last));
        for text in [
            "2024-02-29T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "0004-02-29T12:00:00+05:30",
            "2000-03-01T00:00:00Z",
        ] {
            assert_eq!(timestamp_from_text(text).unwrap(), text.parse().unwrap(), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_says_why() {
        for (written, why) in [
            (json!("2026-01-31T18:00:00"), NotATimestamp::NoOffset),
            (json!("tomorrow"), NotATimestamp::NoTime),
            (json!("20260101"), NotATimestamp::NoTime),
            (json!("2026"), NotATimestamp::NoTime),
            (json!("2026-13-01T00:00:00Z"), NotATimestamp::NoTime),
            (json!("31.01.2026"), NotATimestamp::NoTime),
            (json!(""), NotATimestamp::NoTime),
            (json!("inf"), NotATimestamp::NoTime),
            (json!("1700000000."), NotATimestamp::NoTime),
            (json!("1700000000.1.2"), NotATimestamp::NoTime),
            (json!(true), NotATimestamp::NoTime),
            (json!(1e300), NotATimestamp::OutOfRange),
            (json!(i64::MAX), NotATimestamp::OutOfRange),
            (json!(-1e12), NotATimestamp::OutOfRange),
        ] {
            assert_eq!(timestamp_from_json(&written), Err(why), "{written}");
        }
    }

    #[test]
    fn nanoseconds_are_cut() {
        let cut = timestamp_from_text("2026-01-31T18:00:00.123456789Z").unwrap();
        assert_eq!(cut.as_microsecond() % 1_000_000, 123_456);
        assert_eq!(cut.as_nanosecond() % 1_000, 0);
    }
}
