//! Filters that read a text: JSON and regular expressions.

use minijinja::{State, Value as Jinja};
use regex::{Regex, RegexBuilder};

use super::arguments::{bind, count, flag, invalid, text};
use super::spelling::spelled;
use super::text_filters::needed;
use super::{Given, Result};
use crate::domain::expression::to_jinja;
use crate::domain::value::Value;

/// How much memory a compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 64 * 1024;

/// How long a regular expression may be.
const PATTERN_BYTES_MAX: usize = 512;

/// Compiling one costs about as much as so many instructions.
const REGEX_FUEL: u64 = 2_000;

/// `fromjson`: the value that a text of JSON holds; members that are null are left out, as in attributes.
pub(super) fn fromjson(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value] = bind("fromjson", ["value"], given)?;
    let value = needed("fromjson", value)?;
    let source = spelled(state, &value)?;
    // A value in memory is larger than its text.
    state.consume_fuel((source.len() / 8) as u64)?;
    let json: serde_json::Value =
        serde_json::from_str(&source).map_err(|error| invalid(format!("the text is not JSON: {error}")))?;
    match Value::from_json(&json) {
        Ok(Some(value)) => Ok(to_jinja(&value)),
        Ok(None) => Ok(Jinja::from(())),
        Err(error) => Err(invalid(error.to_string())),
    }
}

/// `regex_search`: the first match, or its group where the expression has one; `none` if there is none. A list of
/// groups where it has several.
pub(super) fn regex_search(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, pattern, ignorecase] = bind("regex_search", ["value", "pattern", "ignorecase"], given)?;
    let value = needed("regex_search", value)?;
    let source = spelled(state, &value)?;
    let regex = compiled(state, "regex_search", pattern.as_ref(), ignorecase.as_ref(), source.len())?;
    let Some(found) = regex.captures(&source) else { return Ok(Jinja::from(())) };
    let groups: Vec<&str> =
        found.iter().skip(1).map(|group| group.map_or("", |group| group.as_str())).collect();
    Ok(match groups.as_slice() {
        [] => Jinja::from(found.get(0).map_or("", |whole| whole.as_str())),
        [one] => Jinja::from(*one),
        several => several.iter().copied().map(Jinja::from).collect(),
    })
}

/// `regex_replace`: what matches, replaced; `$1` or `\1` is the first group.
pub(super) fn regex_replace(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let names = ["value", "pattern", "replacement", "ignorecase", "count"];
    let [value, pattern, replacement, ignorecase, most] = bind("regex_replace", names, given)?;
    let value = needed("regex_replace", value)?;
    let source = spelled(state, &value)?;
    let regex = compiled(state, "regex_replace", pattern.as_ref(), ignorecase.as_ref(), source.len())?;
    let replacement = python_groups(&text("replacement", replacement.as_ref(), "")?);
    let most = count("count", most.as_ref(), 0)?;
    let mut replaced = String::new();
    let mut copied = 0;
    for (index, found) in regex.captures_iter(&source).enumerate() {
        if most > 0 && index == most {
            break;
        }
        let Some(whole) = found.get(0) else { continue };
        replaced.push_str(&source[copied..whole.start()]);
        let before = replaced.len();
        found.expand(&replacement, &mut replaced);
        copied = whole.end();
        state.consume_fuel(1 + ((replaced.len() - before) / 64) as u64)?;
    }
    replaced.push_str(&source[copied..]);
    Ok(Jinja::from(replaced))
}

/// `\1` of Python as `${1}`.
fn python_groups(replacement: &str) -> String {
    let mut written = String::with_capacity(replacement.len());
    let mut characters = replacement.chars().peekable();
    while let Some(character) = characters.next() {
        match characters.peek() {
            Some(digit) if character == '\\' && digit.is_ascii_digit() => {
                written.push_str("${");
                written.push(*digit);
                written.push('}');
                characters.next();
            }
            _ => written.push(character),
        }
    }
    written
}

/// These expressions take time in proportion to the text, whatever they are (docs.rs/regex, "Untrusted input").
fn compiled(
    state: &State<'_, '_>,
    filter: &str,
    pattern: Option<&Jinja>,
    ignorecase: Option<&Jinja>,
    length: usize,
) -> Result<Regex> {
    let pattern = text("pattern", pattern, "")?;
    if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
        return Err(invalid(format!(
            "`{filter}` takes a regular expression of at most {PATTERN_BYTES_MAX} bytes"
        )));
    }
    state.consume_fuel(REGEX_FUEL + (length / 8) as u64)?;
    RegexBuilder::new(&pattern)
        .case_insensitive(flag(ignorecase, false))
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| invalid(format!("`{pattern}` is no regular expression: {error}")))
}
