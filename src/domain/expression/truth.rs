//! True, false or unknown, and why it is unknown.
//!
//! Reasons are told late: most customers are passed over, and why is written only when it is asked for.

use std::fmt;
use std::sync::Arc;

use crate::domain::value::Value;

/// What a condition is for one customer. Only `True` selects.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold, nor does it when facts are added.
    False,
    /// It cannot be told.
    Unknown(Reason),
}

impl Truth {
    /// True or false, if it is known.
    pub fn known(&self) -> Option<bool> {
        match self {
            Truth::True => Some(true),
            Truth::False => Some(false),
            Truth::Unknown(_) => None,
        }
    }

    /// Whether it selects.
    pub fn is_true(&self) -> bool {
        matches!(self, Truth::True)
    }
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Truth::True } else { Truth::False }
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            unknown @ Truth::Unknown(_) => unknown,
        }
    }
}

/// A part of a source with the value it had.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The part as its author wrote it, `customer.age`.
    pub what: Arc<str>,
    /// What it was.
    pub value: Value,
}

/// What is said of a part that takes more steps than it may.
pub(crate) const TOO_MANY_STEPS: &str = "this takes more steps than one evaluation may";
/// What is said of a value that is larger than it may be.
pub(crate) const TOO_LARGE: &str = "the value is too large";

/// Why something is unknown or missing.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// It is not there.
    Missing(Arc<str>),
    /// Two values of kinds that do not compare.
    KindsDiffer(Box<(Seen, Seen)>),
    /// A value that cannot be used so; the text says as what.
    Unfit(Box<(Seen, &'static str)>),
    /// A filter or a function failed, with its error.
    Failed(Box<(Arc<str>, String)>),
}

impl Reason {
    pub(crate) fn missing(what: &Arc<str>) -> Self {
        Reason::Missing(Arc::clone(what))
    }

    pub(crate) fn failed(what: &Arc<str>, error: impl Into<String>) -> Self {
        Reason::Failed(Box::new((Arc::clone(what), error.into())))
    }

    /// Whether it costs more than an evaluation may.
    pub fn is_cost(&self) -> bool {
        matches!(self, Reason::Failed(failed) if failed.1.starts_with(TOO_MANY_STEPS) || failed.1.starts_with(TOO_LARGE))
    }

    pub(crate) fn unfit(what: &Arc<str>, value: &Value, use_as: &'static str) -> Self {
        let seen = Seen { what: Arc::clone(what), value: value.clone() };
        Reason::Unfit(Box::new((seen, use_as)))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Missing(what) => write!(formatter, "{what} is missing"),
            Reason::KindsDiffer(pair) => {
                write!(formatter, "{}, and {}", pair.0, pair.1)
            }
            Reason::Unfit(unfit) => write!(formatter, "{}, which {}", unfit.0, unfit.1),
            Reason::Failed(failed) => write!(formatter, "{} failed: {}", failed.0, failed.1),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is the {} `{}`", self.what, self.value.kind().word(), shown(&self.value))
    }
}

/// Characters of a value that a reason repeats; enough to recognise it.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// A value as a reason shows it, shortened.
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::Text(text) => text.to_string(),
        other => match other.to_json() {
            serde_json::Value::String(text) => text,
            json => json.to_string(),
        },
    };
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_name_the_path_and_the_value() {
        let age = Seen { what: "customer.age".into(), value: Value::text("5") };
        let eighteen = Seen { what: "18".into(), value: Value::integer(18) };
        let reason = Reason::KindsDiffer(Box::new((age, eighteen)));
        assert_eq!(reason.to_string(), "customer.age is the text `5`, and 18 is the number `18`");
        assert_eq!(Reason::missing(&"customer.age".into()).to_string(), "customer.age is missing");
    }
}
