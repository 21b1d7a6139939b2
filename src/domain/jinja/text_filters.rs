//! Filters of texts: each takes any value, spelled as everywhere.

use std::fmt::Write as _;

use minijinja::value::{Tuple, ValueKind};
use minijinja::{State, Value as Jinja};

use super::arguments::{bind, by_name, count, flag, invalid, text};
use super::call_built_in;
use super::html;
use super::spelling::{as_text, json, spelled};
use super::{Given, Result};

/// The first argument as a text, the rest as given, to one of minijinja's filters.
fn of_text(state: &mut State<'_, '_>, name: &str, given: Given<'_>) -> Result {
    let mut arguments = given.to_vec();
    if let Some(first) = arguments.first_mut() {
        *first = as_text(state, first)?;
    }
    call_built_in(state, name, &arguments)
}

pub(super) fn upper(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    of_text(state, "upper", given)
}

pub(super) fn lower(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    of_text(state, "lower", given)
}

pub(super) fn title(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let is_safe = given.first().is_some_and(Jinja::is_safe);
    let titled = of_text(state, "title", given)?;
    Ok(if is_safe { marked_safe(&titled) } else { titled })
}

pub(super) fn capitalize(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    of_text(state, "capitalize", given)
}

pub(super) fn lines(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    of_text(state, "lines", given)
}

pub(super) fn split(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    of_text(state, "split", given)
}

pub(super) fn string(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value] = bind("string", ["value"], given)?;
    as_text(state, &needed("string", value)?)
}

pub(super) fn trim(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, chars] = bind("trim", ["value", "chars"], given)?;
    let value = needed("trim", value)?;
    let mut arguments = vec![as_text(state, &value)?];
    arguments.extend(chars.filter(|chars| !chars.is_none()));
    call_built_in(state, "trim", &arguments)
}

pub(super) fn replace(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, old, new, count] = bind("replace", ["value", "old", "new", "count"], given)?;
    let mut arguments = Vec::new();
    for value in [value, old, new] {
        arguments.push(as_text(state, &needed("replace", value)?)?);
    }
    match count.filter(|count| !count.is_none()) {
        None => call_built_in(state, "replace", &arguments),
        Some(count) => replace_some(state, &arguments, super::arguments::count("count", Some(&count), 0)?),
    }
}

/// Replaces the first few; a text that is safe stays so, and what comes into it is escaped.
fn replace_some(state: &mut State<'_, '_>, arguments: Given<'_>, most: usize) -> Result {
    let is_safe = arguments.iter().any(Jinja::is_safe);
    let mut texts = Vec::new();
    for argument in arguments {
        let plain = argument.as_str().unwrap_or_default().to_owned();
        texts.push(match is_safe && !argument.is_safe() {
            true => state.format(argument.clone())?,
            false => plain,
        });
    }
    let [value, old, new] = texts.as_slice() else {
        return Err(invalid("`replace` takes what is replaced, and by what".to_owned()));
    };
    state.consume_fuel((value.matches(old.as_str()).take(most).count() * new.len() / 64) as u64)?;
    let replaced = value.replacen(old.as_str(), new, most);
    Ok(if is_safe { Jinja::from_safe_string(replaced) } else { Jinja::from(replaced) })
}

pub(super) fn urlencode(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value] = bind("urlencode", ["value"], given)?;
    let value = needed("urlencode", value)?;
    match value.kind() {
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => {
            let pairs = call_built_in(
                state,
                if value.kind() == ValueKind::Map { "items" } else { "list" },
                &[value],
            )?;
            let mut query = String::new();
            for pair in pairs.try_iter()? {
                let part = |index| -> Result { as_text(state, &pair.get_item(&Jinja::from(index))?) };
                let (name, value) = (query_part(&part(0)?), query_part(&part(1)?));
                let _ = write!(query, "{}{name}={value}", if query.is_empty() { "" } else { "&" });
            }
            Ok(Jinja::from(query))
        }
        _ => of_text(state, "urlencode", &[value]),
    }
}

/// As `urllib.parse.quote_plus` writes it.
fn query_part(text: &Jinja) -> String {
    let mut part = String::new();
    for byte in text.as_str().unwrap_or_default().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => part.push(byte as char),
            b' ' => part.push('+'),
            _ => {
                let _ = write!(part, "%{byte:02X}");
            }
        }
    }
    part
}

pub(super) fn indent(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, width, first, blank] = bind("indent", ["s", "width", "first", "blank"], given)?;
    let value = as_text(state, &needed("indent", value)?)?;
    let prefix = match width.as_ref().and_then(Jinja::as_str) {
        Some(prefix) => prefix.to_owned(),
        None => " ".repeat(count("width", width.as_ref(), 4)?.min(1000)),
    };
    let (first, blank) = (flag(first.as_ref(), false), flag(blank.as_ref(), false));
    let source = value.as_str().unwrap_or_default();
    state.consume_fuel((source.lines().count() * (prefix.len() + 1) / 64) as u64)?;
    let mut indented = String::with_capacity(source.len());
    // As Python's splitlines, a line break at the end begins no line of its own, but Jinja adds one first.
    for (index, line) in source.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if index > 0 {
            indented.push('\n');
        }
        if if index == 0 { first } else { blank || !line.is_empty() } {
            indented.push_str(&prefix);
        }
        indented.push_str(line);
    }
    Ok(as_safe_as(&value, indented))
}

pub(super) fn truncate(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, length, killwords, end, leeway] =
        bind("truncate", ["s", "length", "killwords", "end", "leeway"], given)?;
    let value = as_text(state, &needed("truncate", value)?)?;
    let names = ["length", "killwords", "end", "leeway"];
    let named = by_name(names, [length, killwords, end, leeway]);
    let named = minijinja::value::Kwargs::try_from(named)?;
    minijinja_contrib::filters::truncate(state, &value, named)
}

pub(super) fn center(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, width] = bind("center", ["value", "width"], given)?;
    let value = as_text(state, &needed("center", value)?)?;
    let source = value.as_str().unwrap_or_default();
    let width = count("width", width.as_ref(), 80)?;
    let padding = width.saturating_sub(source.chars().count());
    state.consume_fuel((padding / 64) as u64)?;
    // Python puts the odd space to the left where the width is odd.
    let left = padding / 2 + (padding & width & 1);
    let centred = format!("{}{source}{}", " ".repeat(left), " ".repeat(padding - left));
    Ok(as_safe_as(&value, centred))
}

pub(super) fn wordcount(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value] = bind("wordcount", ["s"], given)?;
    let value = needed("wordcount", value)?;
    let source = spelled(state, &value)?;
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    Ok(Jinja::from(source.split(|character| !is_word(character)).filter(|word| !word.is_empty()).count()))
}

pub(super) fn wordwrap(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let names = ["s", "width", "break_long_words", "wrapstring", "break_on_hyphens"];
    let [value, width, break_long, wrap, on_hyphens] = bind("wordwrap", names, given)?;
    let value = as_text(state, &needed("wordwrap", value)?)?;
    let width = count("width", width.as_ref(), 79)?.max(1);
    let wrap = text("wrapstring", wrap.as_ref(), "\n")?;
    let (break_long, on_hyphens) = (flag(break_long.as_ref(), true), flag(on_hyphens.as_ref(), true));
    let mut lines = Vec::new();
    for paragraph in value.as_str().unwrap_or_default().lines() {
        let before = lines.len();
        wrapped(paragraph, width, break_long, on_hyphens, &mut lines);
        if lines.len() == before {
            lines.push(String::new());
        }
    }
    state.consume_fuel((lines.len() * wrap.len() / 64) as u64)?;
    Ok(Jinja::from(lines.join(&wrap)))
}

/// As Python's `textwrap`: words with the space between them, the space at a line's end dropped.
fn wrapped(paragraph: &str, width: usize, break_long: bool, on_hyphens: bool, lines: &mut Vec<String>) {
    let (mut line, mut length) = (String::new(), 0);
    let first_line = lines.len();
    let mut chunks: std::collections::VecDeque<&str> = chunks(paragraph, on_hyphens).into();
    while let Some(chunk) = chunks.pop_front() {
        let is_space = chunk.trim().is_empty();
        if is_space && length == 0 && lines.len() > first_line {
            continue;
        }
        let size = chunk.chars().count();
        if length + size <= width {
            line.push_str(chunk);
            length += size;
            continue;
        }
        if is_space {
            end_line(&mut line, &mut length, lines);
            continue;
        }
        if size > width {
            let room = if break_long { width - length } else { 0 };
            if room > 0 {
                let at = chunk.char_indices().nth(room).map_or(chunk.len(), |(at, _)| at);
                line.push_str(&chunk[..at]);
                chunks.push_front(&chunk[at..]);
                end_line(&mut line, &mut length, lines);
                continue;
            }
            if length == 0 {
                line.push_str(chunk);
                end_line(&mut line, &mut length, lines);
                continue;
            }
        }
        end_line(&mut line, &mut length, lines);
        chunks.push_front(chunk);
    }
    end_line(&mut line, &mut length, lines);
}

fn end_line(line: &mut String, length: &mut usize, lines: &mut Vec<String>) {
    let kept = line.trim_end().len();
    line.truncate(kept);
    if !line.is_empty() {
        lines.push(std::mem::take(line));
    }
    line.clear();
    *length = 0;
}

/// Words and the white space between them; a word may end behind a hyphen between letters.
fn chunks(paragraph: &str, on_hyphens: bool) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut begin = 0;
    let mut before: [Option<char>; 2] = [None, None];
    for (at, character) in paragraph.char_indices() {
        let [last_but_one, last] = before;
        let hyphen = on_hyphens
            && last == Some('-')
            && last_but_one.is_some_and(char::is_alphabetic)
            && character.is_alphabetic();
        if last.is_some_and(|last| last.is_whitespace() != character.is_whitespace()) || hyphen {
            chunks.push(&paragraph[begin..at]);
            begin = at;
        }
        before = [last, Some(character)];
    }
    if begin < paragraph.len() {
        chunks.push(&paragraph[begin..]);
    }
    chunks
}

/// Python's `%` formats. Where all conversions are of texts, values are spelled first; for `%d` and `%f` numbers
/// stay numbers.
pub(super) fn format(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let Some((pattern, values)) = given.split_first() else {
        return Err(invalid("`format` is for a text".to_owned()));
    };
    let pattern = as_text(state, pattern)?;
    let only_texts = only_texts(pattern.as_str().unwrap_or_default());
    let mut arguments = vec![pattern];
    for value in values {
        arguments.push(if value.is_kwargs() {
            value.clone()
        } else {
            formatted_as(state, value, only_texts)?
        });
    }
    call_built_in(state, "format", &arguments)
}

/// A value for a format: numbers stay numbers unless all is text.
pub(super) fn formatted_as(state: &State<'_, '_>, value: &Jinja, only_texts: bool) -> Result {
    match value.kind() {
        ValueKind::Number if !only_texts => Ok(whole(value)),
        ValueKind::Bool if !only_texts => Ok(value.clone()),
        ValueKind::Map if !only_texts && value.downcast_object_ref::<Tuple>().is_none() => Ok(value.clone()),
        _ => as_text(state, value),
    }
}

/// A whole number without `.0`.
fn whole(value: &Jinja) -> Jinja {
    match f64::try_from(value.clone()) {
        Ok(double) if !value.is_integer() && double.trunc() == double && double.abs() < 1e15 => {
            Jinja::from(double as i64)
        }
        _ => value.clone(),
    }
}

fn only_texts(pattern: &str) -> bool {
    let conversions = pattern.replace("%%", "");
    conversions.split('%').skip(1).all(|conversion| {
        let behind = match conversion.split_once(')').filter(|_| conversion.starts_with('(')) {
            Some((_, behind)) => behind,
            None => conversion,
        };
        let behind = behind.trim_start_matches(|c: char| c.is_ascii_digit() || "-+ #.*".contains(c));
        behind.starts_with('s')
    })
}

pub(super) fn striptags(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value] = bind("striptags", ["value"], given)?;
    let value = needed("striptags", value)?;
    let stripped = minijinja_contrib::filters::striptags(spelled(state, &value)?.into_owned());
    Ok(Jinja::from(stripped.trim()))
}

pub(super) fn filesizeformat(_: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, binary] = bind("filesizeformat", ["value", "binary"], given)?;
    let value = needed("filesizeformat", value)?;
    let size = match value.as_str() {
        Some(text) => text.trim().parse().map_err(|_| invalid(format!("`{text}` is no number")))?,
        None => f64::try_from(value)?,
    };
    let whole = if size.abs() < 1000.0 { size.trunc() } else { size };
    Ok(Jinja::from(minijinja_contrib::filters::filesizeformat(whole, Some(flag(binary.as_ref(), false)))))
}

pub(super) fn pprint(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value] = bind("pprint", ["value"], given)?;
    Ok(Jinja::from(json(state, &needed("pprint", value)?, None)?))
}

/// `tojson`: safe to stand in HTML too, as Jinja2 writes it; texts stay UTF-8 and members keep their order.
pub(super) fn tojson(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, indent] = bind("tojson", ["value", "indent"], given)?;
    let indent = match indent.filter(|indent| !indent.is_none()) {
        Some(indent) => Some(count("indent", Some(&indent), 0)?),
        None => None,
    };
    let written = json(state, &needed("tojson", value)?, indent)?;
    let mut escaped = String::with_capacity(written.len());
    for character in written.chars() {
        match character {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\'' => escaped.push_str("\\u0027"),
            _ => escaped.push(character),
        }
    }
    Ok(Jinja::from_safe_string(escaped))
}

pub(super) fn escape(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value] = bind("escape", ["value"], given)?;
    let value = needed("escape", value)?;
    if value.is_safe() { Ok(value) } else { force_escape(state, &[value]) }
}

pub(super) fn force_escape(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value] = bind("forceescape", ["value"], given)?;
    Ok(Jinja::from_safe_string(html::escaped(&spelled(state, &needed("forceescape", value)?)?)))
}

pub(super) fn safe(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value] = bind("safe", ["value"], given)?;
    Ok(marked_safe(&as_text(state, &needed("safe", value)?)?))
}

/// The value that a filter is applied to.
pub(super) fn needed(filter: &str, value: Option<Jinja>) -> Result {
    value.ok_or_else(|| invalid(format!("`{filter}` lacks an argument")))
}

pub(super) fn marked_safe(text: &Jinja) -> Jinja {
    Jinja::from_safe_string(text.as_str().unwrap_or_default().to_owned())
}

fn as_safe_as(source: &Jinja, text: String) -> Jinja {
    if source.is_safe() { Jinja::from_safe_string(text) } else { Jinja::from(text) }
}
