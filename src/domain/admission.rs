//! What becomes of a request at a trigger's endpoint: an answer that names its calls, or a refusal that says why.
//!
//! The status codes are part of the promise: 202, and those of [`Refusal`], and no other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::body::CodingError;
use super::guessing::Slowed;
use super::name::CallId;
use super::params::WrongParameter;

/// What an accepted request is answered, and what the same key is answered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The call's id; with `forEach` the request's.
    pub id: CallId,
    /// With `forEach`, what became of each element, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Vec<Placed>>,
}

/// What became of one element of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Placed {
    /// It is a call of its own.
    Id(CallId),
    /// It reports what this call already reported.
    DuplicateOf(CallId),
}

/// A wrong parameter, and which element of a `forEach` it stands in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrongElement {
    /// The element's index, from 0; absent without `forEach`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// What is wrong with it.
    #[serde(flatten)]
    pub wrong: WrongParameter,
}

/// Which key a request came with that was already taken by another body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The `Idempotency-Key` header.
    Idempotency = 0,
    /// What `deduplicate.by` gave.
    Deduplication = 1,
}

/// Why a request is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 404
    #[error("there is no such trigger here")]
    NoSuchTrigger,
    /// 405
    #[error("a trigger is called by POST")]
    Method,
    /// 413
    #[error("the body is larger than the {max} bytes that this trigger takes")]
    TooLarge {
        /// The trigger's limit.
        max: usize,
    },
    /// 401
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// 403
    #[error("the credentials are right, but may not call this trigger, or not from a page of this origin")]
    Forbidden,
    /// 415: what was sent, in words.
    #[error("{0}; send JSON as application/json, or a form as application/x-www-form-urlencoded, in UTF-8")]
    MediaType(String),
    /// 415
    #[error(transparent)]
    Coding(#[from] CodingError),
    /// 400
    #[error("{0}")]
    Malformed(String),
    /// 422: every wrong parameter at once.
    #[error("{}", in_words(.0))]
    WrongParameters(Vec<WrongElement>),
    /// 422
    #[error("{0}")]
    WrongBody(String),
    /// 409
    #[error("{}", match .0 {
        KeyKind::Idempotency => "this Idempotency-Key came before with another body",
        KeyKind::Deduplication => "this happening was reported before with another body",
    })]
    Conflict(KeyKind),
    /// 422
    #[error("the call is already expired, so nothing would come of it")]
    Expired {
        /// The element's index, with `forEach`.
        index: Option<usize>,
    },
    /// 429
    #[error("more calls than this trigger's rate window takes")]
    RateWindow {
        /// When places are free again.
        retry_after: Duration,
    },
    /// 429: too many failed who came from here, or under this name.
    #[error(
        "the credentials are missing or wrong, and too many such requests came lately from here or under this name; right \
         ones are taken at any time"
    )]
    Guessing(Slowed),
    /// 503
    #[error(
        "it is not known whether the call was kept: send it again, with an Idempotency-Key, so that it counts once"
    )]
    Unavailable,
}

impl Refusal {
    /// The same with everything cut off that a caller made long: a refusal is answered and logged.
    #[must_use]
    pub fn cut(self) -> Self {
        const DETAIL_CHARACTERS_MAX: usize = 2_000;
        const WRONG_BYTES_MAX: usize = 256 * 1024;
        let short = |text: String| match text.char_indices().nth(DETAIL_CHARACTERS_MAX) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        };
        match self {
            Refusal::Malformed(text) => Refusal::Malformed(short(text)),
            Refusal::WrongBody(text) => Refusal::WrongBody(short(text)),
            Refusal::WrongParameters(wrong) => {
                let mut bytes = 0;
                let cut =
                    wrong.into_iter().map(|element| WrongElement { wrong: element.wrong.cut(), ..element });
                let told = cut.take_while(|WrongElement { wrong, .. }| {
                    bytes += wrong.parameter.len() + wrong.expected.len() + wrong.found.len();
                    bytes <= WRONG_BYTES_MAX
                });
                Refusal::WrongParameters(told.collect())
            }
            other => other,
        }
    }

    /// The status code it is answered with.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::Malformed(_) => 400,
            Refusal::Unauthenticated(_) => 401,
            Refusal::Forbidden => 403,
            Refusal::NoSuchTrigger => 404,
            Refusal::Method => 405,
            Refusal::Conflict(_) => 409,
            Refusal::TooLarge { .. } => 413,
            Refusal::MediaType(_) | Refusal::Coding(_) => 415,
            Refusal::WrongParameters(_) | Refusal::WrongBody(_) | Refusal::Expired { .. } => 422,
            Refusal::RateWindow { .. } | Refusal::Guessing(_) => 429,
            Refusal::Unavailable => 503,
        }
    }

    /// One word for it, from a closed set: a label of metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) => "malformed",
            Refusal::Unauthenticated(_) => "unauthenticated",
            Refusal::Forbidden => "forbidden",
            Refusal::NoSuchTrigger => "no_such_trigger",
            Refusal::Method => "method",
            Refusal::Conflict(_) => "conflict",
            Refusal::TooLarge { .. } => "too_large",
            Refusal::MediaType(_) => "media_type",
            Refusal::Coding(_) => "coding",
            Refusal::WrongParameters(_) => "wrong_parameters",
            Refusal::WrongBody(_) => "wrong_body",
            Refusal::Expired { .. } => "expired",
            Refusal::RateWindow { .. } => "rate_window",
            Refusal::Guessing(_) => "guessing",
            Refusal::Unavailable => "unavailable",
        }
    }

    /// What a person reads first; the same for every refusal of its kind.
    pub fn title(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) => "The request cannot be read",
            Refusal::Unauthenticated(_) => "Credentials are needed",
            Refusal::Forbidden => "Not allowed",
            Refusal::NoSuchTrigger => "No such trigger",
            Refusal::Method => "Method not allowed",
            Refusal::Conflict(_) => "The key is taken by another body",
            Refusal::TooLarge { .. } => "The body is too large",
            Refusal::MediaType(_) => "The media type is not taken",
            Refusal::Coding(_) => "The content coding is not taken",
            Refusal::WrongParameters(_) => "Parameters are wrong",
            Refusal::WrongBody(_) => "The body is wrong",
            Refusal::Expired { .. } => "The call is expired",
            Refusal::RateWindow { .. } => "Too many calls",
            Refusal::Guessing(_) => "Too many wrong credentials",
            Refusal::Unavailable => "Try again",
        }
    }

    /// How many seconds to wait before trying again, where that helps.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Refusal::RateWindow { retry_after } | Refusal::Guessing(Slowed { retry_after, .. }) => {
                Some(retry_after.as_secs_f64().ceil().max(1.0) as u64)
            }
            Refusal::Unavailable => Some(1),
            _ => None,
        }
    }
}

/// How many wrong parameters are told in words; the answer's `errors` has them all.
const TOLD_MAX: usize = 5;

fn in_words(wrong: &[WrongElement]) -> String {
    let told = wrong.iter().take(TOLD_MAX).map(|element| match element.index {
        Some(index) => format!("element {index}: {}", element.wrong),
        None => element.wrong.to_string(),
    });
    let mut text = told.collect::<Vec<_>>().join("; ");
    if wrong.len() > TOLD_MAX {
        text.push_str(&format!("; and {} more", wrong.len() - TOLD_MAX));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_shape_that_is_documented() {
        let single = Answer { id: CallId::new("a"), calls: None };
        assert_eq!(serde_json::to_string(&single).unwrap(), r#"{"id":"a"}"#);
        let placed = vec![Placed::Id(CallId::new("b")), Placed::DuplicateOf(CallId::new("c"))];
        let batch = Answer { id: CallId::new("a"), calls: Some(placed) };
        let text = serde_json::to_string(&batch).unwrap();
        assert_eq!(text, r#"{"id":"a","calls":[{"id":"b"},{"duplicateOf":"c"}]}"#);
        assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), batch);
    }

    #[test]
    fn waiting_is_told_in_whole_seconds_and_never_zero() {
        let refusal = |millis| Refusal::RateWindow { retry_after: Duration::from_millis(millis) };
        assert_eq!(refusal(0).retry_after_seconds(), Some(1));
        assert_eq!(refusal(1_001).retry_after_seconds(), Some(2));
    }
}
