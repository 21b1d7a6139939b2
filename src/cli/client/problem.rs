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

    /// Whether the server, or something before it, failed: then it is not known what was done.
    pub(in crate::cli) fn is_of_server(&self) -> bool {
        self.status.is_server_error()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // With a line for each error, the detail would say them twice.
        let sentence = match self.body.errors.is_empty() {
            true => self.body.detail.as_ref().or(self.body.title.as_ref()),
            false => self.body.title.as_ref().or(self.body.detail.as_ref()),
        };
        match sentence {
            Some(sentence) => write!(f, "{sentence} ({})", self.status.as_u16())?,
            None => write!(f, "the server answered {}", self.status)?,
        }
        self.body.errors.iter().try_for_each(|error| write!(f, "\n  {}", line(error)))
    }
}

/// One wrong parameter: `severity: expected a text, found nothing`, in a list of elements with `element 2: ` before it.
fn line(entry: &Value) -> String {
    let member = |name: &str| entry.get(name).map(plain);
    match (member("parameter"), member("expected"), member("found")) {
        (Some(parameter), Some(expected), Some(found)) => {
            let element = member("index").map_or(String::new(), |index| format!("element {index}: "));
            format!("{element}{parameter}: expected {expected}, found {found}")
        }
        _ => plain(entry),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_parameter_has_its_line() {
        let body = br#"{"title": "The parameters are wrong", "detail": "a and b", "errors": [
            {"parameter": "counties", "expected": "a list", "found": "nothing"},
            {"index": 2, "parameter": "a", "expected": "a text", "found": "the number 5"}]}"#;
        let shown = Problem::read(StatusCode::UNPROCESSABLE_ENTITY, body).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "The parameters are wrong (422)");
        assert_eq!(lines[1], "  counties: expected a list, found nothing");
        assert_eq!(lines[2], "  element 2: a: expected a text, found the number 5");
    }

    #[test]
    fn a_body_that_is_no_problem_leaves_the_status() {
        let shown = Problem::read(StatusCode::BAD_GATEWAY, b"<html>").to_string();
        assert_eq!(shown, "the server answered 502 Bad Gateway");
    }
}
