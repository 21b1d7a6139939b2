//! `application/problem+json` (RFC 9457) for people: the sentence, then one line for everything that is wrong.

use std::fmt;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// What the server refused, and why.
#[derive(Debug)]
pub(in crate::cli) struct Problem {
    status: StatusCode,
    body: Body,
}

/// Members the server may send; `errors` holds one object for each wrong parameter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    title: Option<String>,
    detail: Option<String>,
    errors: Vec<Value>,
}

impl Problem {
    /// Reads the answer's body; a body that is no problem document leaves the status alone to speak.
    pub(in crate::cli) fn read(status: StatusCode, body: &[u8]) -> Self {
        Problem { status, body: serde_json::from_slice(body).unwrap_or_default() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = self.body.detail.as_ref().or(self.body.title.as_ref());
        match sentence {
            Some(sentence) => write!(f, "{sentence} ({})", self.status.as_u16())?,
            None => write!(f, "the server answered {}", self.status)?,
        }
        self.body.errors.iter().try_for_each(|error| write!(f, "\n  {}", line(error)))
    }
}

/// One entry on one line: `index: 2, parameter: counties, expected: a list` or, with a sentence of its own, that.
fn line(entry: &Value) -> String {
    let Value::Object(members) = entry else {
        return plain(entry);
    };
    if let Some(message) = members.get("message").or_else(|| members.get("detail")) {
        return plain(message);
    }
    let shown: Vec<String> =
        members.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect();
    shown.join(", ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_parameter_has_its_line() {
        let body = br#"{"title": "Unprocessable", "detail": "2 parameters are wrong",
            "errors": [{"parameter": "counties", "expected": "a list"}, {"message": "severity is missing"}]}"#;
        let shown = Problem::read(StatusCode::UNPROCESSABLE_ENTITY, body).to_string();
        assert!(shown.starts_with("2 parameters are wrong (422)\n"), "{shown}");
        assert!(
            shown.contains("parameter: counties") && shown.ends_with("\n  severity is missing"),
            "{shown}"
        );
    }

    #[test]
    fn a_body_that_is_no_problem_leaves_the_status() {
        let shown = Problem::read(StatusCode::BAD_GATEWAY, b"<html>").to_string();
        assert_eq!(shown, "the server answered 502 Bad Gateway");
    }
}
