//! What is said of a wrong parameter: which one, what was expected and what was there.

use crate::domain::value::{Unkeepable, Value};

use super::NotATimestamp;

/// One parameter that a call brought wrong, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[error("{parameter}: expected {expected}, found {found}")]
pub struct WrongParameter {
    /// The parameter's name, or the name of a field that is not declared.
    pub parameter: String,
    /// What it should have been.
    pub expected: String,
    /// What it was.
    pub found: String,
}

/// How long each part of what is said may be.
const PART_CHARACTERS_MAX: usize = 400;

impl WrongParameter {
    /// The same with what a caller made long cut off: what is said must not be larger than what came in.
    #[must_use]
    pub fn cut(self) -> Self {
        let cut = |text: String| match text.char_indices().nth(PART_CHARACTERS_MAX) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        };
        WrongParameter {
            parameter: cut(self.parameter),
            expected: cut(self.expected),
            found: cut(self.found),
        }
    }
}

/// What is said of a text that neither database could keep.
pub(super) const NUL: &str = "a text with the character U+0000, which cannot be kept";

/// How much of a value is shown: enough to recognise it, not enough to fill a log with it.
const SHOWN_CHARACTERS_MAX: usize = 64;

pub(super) fn describe(value: &Value) -> String {
    match value {
        // What is in them is not shown, and need not be written first.
        Value::List(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Text(text) => format!("the text `{}`", shortened(text)),
        other => describe_json(&other.to_json()),
    }
}

pub(super) fn describe_json(json: &serde_json::Value) -> String {
    match json {
        serde_json::Value::Null => "nothing".to_owned(),
        serde_json::Value::Bool(boolean) => boolean.to_string(),
        serde_json::Value::Number(number) => format!("the number {number}"),
        serde_json::Value::String(text) => format!("the text `{}`", shortened(text)),
        serde_json::Value::Array(_) => "a list".to_owned(),
        serde_json::Value::Object(_) => "an object".to_owned(),
    }
}

/// What was found in place of a time, and why it is none where that is not plain.
pub(super) fn no_time(found: &str, why: NotATimestamp) -> String {
    match why {
        NotATimestamp::NoTime => found.to_owned(),
        NotATimestamp::NoOffset | NotATimestamp::OutOfRange => format!("{found}, which {why}"),
    }
}

pub(super) fn unkeepable(error: &Unkeepable) -> String {
    match error {
        Unkeepable::NulCharacter { .. } => {
            "a text with the character U+0000, which cannot be kept".to_owned()
        }
        Unkeepable::NumberOutOfRange { .. } => "a number out of range".to_owned(),
    }
}

pub(super) fn shortened(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARACTERS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(SHOWN_CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}
