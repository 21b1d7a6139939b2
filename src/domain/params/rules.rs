//! What is allowed beyond the type: enum, pattern, minimum and maximum.

use std::fmt::Write as _;

use crate::domain::value::{Number, Value};

use super::{Allowed, DeclaredParameter, at_least, at_most, wrong};

/// How deep a value may nest. What is kept must be read back, and a mapping may put a body, which is bounded by its
/// parser alone, deeper than it was.
const DEPTH_MAX: usize = 64;
/// How many allowed values a message lists.
const LISTED_MAX: usize = 20;

/// What was expected instead, when the value breaks a rule of the parameter.
pub(super) fn broken(parameter: &DeclaredParameter, value: &Value) -> Option<String> {
    if let Some(allowed) = &parameter.allowed
        && !is_allowed(allowed, value)
    {
        return Some(one_of(allowed, value));
    }
    if nests_deeper(value, DEPTH_MAX) {
        return Some(format!("a value that nests at most {DEPTH_MAX} levels deep"));
    }
    match value {
        Value::Text(text) => broken_pattern(parameter, text),
        Value::Number(number) => broken_range(parameter, *number),
        _ => None,
    }
}

fn nests_deeper(value: &Value, levels: usize) -> bool {
    let of_members = |member: &Value| levels == 0 || nests_deeper(member, levels - 1);
    match value {
        Value::List(elements) => elements.iter().any(of_members),
        Value::Object(members) => members.values().any(of_members),
        _ => false,
    }
}

fn is_allowed(allowed: &Allowed, value: &Value) -> bool {
    match value {
        // What a list may hold is said of its elements.
        Value::List(elements) => elements.iter().all(|element| allowed.holds(element)),
        value => allowed.holds(value),
    }
}

fn one_of(allowed: &Allowed, value: &Value) -> String {
    let mut text = String::from(match value {
        Value::List(_) => "only elements of ",
        _ => "one of ",
    });
    for (index, value) in allowed.values().iter().take(LISTED_MAX).enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(text, "{separator}{}", wrong::shortened(&value.to_json().to_string()))
            .expect("writing to a String cannot fail");
    }
    if allowed.values().len() > LISTED_MAX {
        write!(text, " and {} more", allowed.values().len() - LISTED_MAX)
            .expect("writing to a String cannot fail");
    }
    text
}

fn broken_pattern(parameter: &DeclaredParameter, text: &str) -> Option<String> {
    let pattern = &parameter.pattern.as_ref()?.0;
    (!pattern.is_match(text)).then(|| format!("a text that matches `{}`", pattern.as_str()))
}

fn broken_range(parameter: &DeclaredParameter, number: Number) -> Option<String> {
    if at_least(number, parameter.minimum) && at_most(number, parameter.maximum) {
        return None;
    }
    Some(match (parameter.minimum, parameter.maximum) {
        (Some(minimum), Some(maximum)) => format!("a number from {minimum} to {maximum}"),
        (Some(minimum), None) => format!("a number of at least {minimum}"),
        (None, Some(maximum)) => format!("a number of at most {maximum}"),
        (None, None) => "another number".to_owned(),
    })
}
