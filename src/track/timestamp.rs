//! Moments as callers write them: RFC 3339, or seconds since 1970 with or without a fraction. As text, seconds have nine
//! digits or more.

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::domain::value::Number;

/// Seconds as text have so many digits at least; 100,000,000 was in March of 1973.
const SECONDS_DIGITS_MIN: usize = 9;

/// Reads a moment of a JSON document.
pub(super) fn from_json(json: &Json) -> Option<Timestamp> {
    match json {
        Json::String(text) => from_text(text),
        Json::Number(number) => match Number::from_json(number).ok()? {
            Number::Integer(seconds) => Timestamp::from_second(seconds).ok(),
            Number::Double(seconds) => from_seconds(seconds),
        },
        _ => None,
    }
}

/// Reads a moment of a text: RFC 3339 with an offset, or digits that are seconds.
pub(super) fn from_text(text: &str) -> Option<Timestamp> {
    match are_seconds(text) {
        true => from_seconds(text.parse().ok()?),
        false => text.parse().ok(),
    }
}

/// Whether a text is a count of seconds. Shorter ones are dates that somebody wrote without hyphens (`20260101`, `2026`)
/// rather than moments of 1970 to 1973.
fn are_seconds(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    whole.len() >= SECONDS_DIGITS_MIN && digits(whole) && fraction.is_none_or(digits)
}

/// Rounds to the nearest microsecond, which is as near as a double of today's seconds comes.
fn from_seconds(seconds: f64) -> Option<Timestamp> {
    let microseconds = (seconds * 1e6).round();
    // Outside of this nothing is a timestamp anyway, and the cast is exact inside.
    (microseconds.abs() < 1e18).then(|| Timestamp::from_microsecond(microseconds as i64).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_callers_write() {
        let expected: Timestamp = "2023-11-14T22:13:20.25Z".parse().unwrap();
        for written in [
            json!("2023-11-14T22:13:20.25Z"),
            json!("2023-11-15T00:13:20.25+02:00"),
            json!(1_700_000_000.25),
            json!("1700000000.25"),
        ] {
            assert_eq!(from_json(&written), Some(expected), "{written}");
        }
        assert_eq!(from_json(&json!(-1)), Timestamp::from_second(-1).ok());
        let exact = from_json(&json!(1_700_000_000.123_457)).unwrap();
        assert_eq!(exact.as_microsecond(), 1_700_000_000_123_457);
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for written in
            [json!("yesterday"), json!("2023-11-14T22:13:20"), json!(1e300), json!(true), json!("NaN")]
        {
            assert_eq!(from_json(&written), None, "{written}");
        }
        for text in
            ["2026", "20260101", "202601.25", "-20260101", "1e9", "inf", "1700000000.", "1700000000.1.2"]
        {
            assert_eq!(from_text(text), None, "{text}");
        }
    }
}
