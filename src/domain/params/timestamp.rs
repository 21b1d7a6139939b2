//! Times as callers write them: RFC 3339 with an offset, or Unix seconds as a number.
//!
//! Both become a moment in UTC, cut to the microsecond, as the store keeps it.

use jiff::Timestamp;

use crate::domain::value::Number;

/// What stands there is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a time by RFC 3339 with an offset, such as 2026-01-31T18:00:00Z, or Unix seconds")]
pub struct NotATimestamp;

/// Reads a JSON text or number.
///
/// # Errors
/// It is of another kind, has no offset, or lies outside the years -9999 to 9999.
pub fn timestamp_from_json(json: &serde_json::Value) -> Result<Timestamp, NotATimestamp> {
    match json {
        serde_json::Value::String(text) => timestamp_from_text(text),
        serde_json::Value::Number(number) => {
            timestamp_from_number(Number::from_json(number).map_err(|_| NotATimestamp)?)
        }
        _ => Err(NotATimestamp),
    }
}

/// Reads RFC 3339 with an offset.
///
/// # Errors
/// The text is not a time, or has no offset.
pub fn timestamp_from_text(text: &str) -> Result<Timestamp, NotATimestamp> {
    let timestamp: Timestamp = text.parse().map_err(|_| NotATimestamp)?;
    to_microseconds(timestamp.as_nanosecond())
}

/// Reads Unix seconds, with decimals or without.
pub(super) fn timestamp_from_number(seconds: Number) -> Result<Timestamp, NotATimestamp> {
    match seconds {
        Number::Integer(seconds) => Timestamp::from_second(seconds).map_err(|_| NotATimestamp),
        Number::Double(seconds) => {
            // Beyond this no timestamp exists, and below it the product fits an i64 exactly enough: a double of
            // today's seconds resolves a quarter of a microsecond.
            if seconds.abs() > 1e12 {
                return Err(NotATimestamp);
            }
            Timestamp::from_microsecond((seconds * 1e6).round() as i64).map_err(|_| NotATimestamp)
        }
    }
}

/// Cuts to the microsecond, towards the past, so that windows never begin later than what they hold.
fn to_microseconds(nanoseconds: i128) -> Result<Timestamp, NotATimestamp> {
    let microseconds = i64::try_from(nanoseconds.div_euclid(1_000)).map_err(|_| NotATimestamp)?;
    Timestamp::from_microsecond(microseconds).map_err(|_| NotATimestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_with_offsets_and_unix_seconds_are_the_same_moment() {
        let expected: Timestamp = "2026-01-31T18:00:00Z".parse().unwrap();
        for written in [json!("2026-01-31T19:00:00+01:00"), json!(1_769_882_400), json!(1_769_882_400.0)] {
            assert_eq!(timestamp_from_json(&written), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_has_no_offset_or_is_out_of_range_is_not_a_time() {
        for written in [
            json!("2026-01-31T18:00:00"),
            json!("tomorrow"),
            json!(1_769_882_400_000_i64),
            json!(true),
            json!(1e300),
        ] {
            assert_eq!(timestamp_from_json(&written), Err(NotATimestamp), "{written}");
        }
    }

    #[test]
    fn nanoseconds_are_cut() {
        let cut = timestamp_from_text("2026-01-31T18:00:00.123456789Z").unwrap();
        assert_eq!(cut.as_microsecond() % 1_000_000, 123_456);
        assert_eq!(cut.as_nanosecond() % 1_000, 0);
    }
}
