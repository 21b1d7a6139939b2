//! Moments as callers write them; there is one reader of them, that of parameters.

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::domain::params::timestamp_from_json;

/// Reads a moment of a JSON document.
pub(super) fn from_json(json: &Json) -> Option<Timestamp> {
    timestamp_from_json(json).ok()
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
            assert_eq!(from_json(&json!(text)), None, "{text}");
        }
    }
}
