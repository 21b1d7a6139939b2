//! Moments as callers write them: RFC 3339, or seconds since 1970 with or without a fraction.

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::domain::value::Number;

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
    match text.parse::<f64>() {
        Ok(seconds) => from_seconds(seconds),
        Err(_) => text.parse().ok(),
    }
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
    }
}
