//! Says what a YAML error probably comes from: expressions and templates written without the quotes they need.

use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::source::{Source, SourcePlace, Style};
use super::tree::SyntaxError;

/// A diagnostic at the place of the error, with the remedy where the line shows one.
pub(super) fn explain(source: &Arc<Source>, begin: usize, error: &SyntaxError) -> Diagnostic {
    let (line, _) = source.position(error.offset);
    let (first, _) = source.position(begin);
    // The parser may notice only on a later line what went wrong before.
    let suspects = (first..=line).rev().filter(|at| !source.line(*at).trim().is_empty()).take(3);
    let hint = suspects.into_iter().find_map(|at| Some((at, hint(source.line(at))?)));
    let end = error.offset + source.text()[error.offset..].chars().next().map_or(0, char::len_utf8);
    let place = SourcePlace { source: source.clone(), start: error.offset, end, style: Style::Plain };
    let message = match hint {
        Some((at, hint)) if at == line => format!("{} ({hint})", error.message),
        Some((at, hint)) => format!("{} (in line {at}: {hint})", error.message),
        None => error.message.clone(),
    };
    Diagnostic::error(&place, message)
}

/// What is suspicious about the value of a line, and what to do about it.
fn hint(line: &str) -> Option<&'static str> {
    let value = value_of(line);
    if value.starts_with("{{") || value.starts_with("{%") {
        return Some("a value that begins with a brace must be quoted, or put into a block behind `>-`");
    }
    let flow = value.starts_with(['{', '[']);
    if flow && line.contains("{{") {
        return Some("a template within {…} or […] must be quoted");
    }
    if value.starts_with(['"', '\'']) && !ends_its_quote(value) {
        return Some(
            "a value that begins with a quote ends with that quote; put the whole of it into other quotes, or into a \
             block behind `>-`",
        );
    }
    if value.starts_with(['@', '`', '%', '*', '&', '!', '|', '>']) && value.len() > 2 {
        return Some("a value that begins with this character must be quoted");
    }
    if flow && value.contains(['(', '"', '\'']) {
        return Some(
            "within {…} and […], a value with a comma, a quote, a colon or a bracket must be quoted",
        );
    }
    if value.contains(": ") && !flow {
        return Some("a value that contains a colon and a space must be quoted");
    }
    None
}

/// What stands behind the first `key: ` of a line, or behind `- `.
fn value_of(line: &str) -> &str {
    let line = line.trim().trim_start_matches("- ");
    line.split_once(": ").map_or(line, |(_, value)| value.trim_start())
}

fn ends_its_quote(value: &str) -> bool {
    let quote = value.chars().next().unwrap_or_default();
    let rest = &value[quote.len_utf8()..];
    let close = rest.find(quote);
    close.is_none_or(|at| rest[at + quote.len_utf8()..].trim_start().is_empty())
}
