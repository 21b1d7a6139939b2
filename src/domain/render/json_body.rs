//! The body of a webhook is JSON whatever a customer's attributes hold.
//!
//! While the template is rendered each value that is printed is put between marks; only the whole text says where a
//! value stands. Then the marks are taken out: inside of a JSON string a value is escaped, outside of one it is
//! written as JSON. So a text stays inside its string, also through macros, `{% set %}` blocks and included texts.
//! What is not JSON in the end is not sent.

use std::collections::BTreeSet;
use std::fmt;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Output, State, Value as Jinja};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::domain::jinja::{json, quoted, spelled};

// Unicode keeps these code points for use inside of a process; they stand for no character, so no text lacks anything
// without them (The Unicode Standard, 23.7 Noncharacters).
/// A text begins.
const TEXT: char = '\u{fdd0}';
/// JSON that was written from a value begins.
const VALUE: char = '\u{fdd1}';
/// What a macro or a `{% set %}` block gave, or what is marked safe, begins.
const CAPTURED: char = '\u{fdd2}';
/// The innermost of them ends.
const END: char = '\u{fdd3}';
const MARKS: [char; 4] = [TEXT, VALUE, CAPTURED, END];

/// The name of this way of escaping to Jinja.
pub(super) const NAME: &str = "json";

/// Whether a source holds what only this module writes.
pub(super) fn holds_marks(source: &str) -> bool {
    source.contains(MARKS)
}

/// A text without marks: those of a captured text, or what somebody put into an attribute.
pub(super) fn without_marks(text: &str) -> String {
    text.replace(MARKS, "")
}

/// Prints a value between marks.
pub(super) fn print(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Jinja) -> Result<(), Error> {
    if value.is_undefined() {
        return Ok(());
    }
    let (mark, text) = match value.kind() {
        ValueKind::String if value.is_safe() => (CAPTURED, value.as_str().unwrap_or_default().to_owned()),
        ValueKind::None
        | ValueKind::Bool
        | ValueKind::Number
        | ValueKind::Seq
        | ValueKind::Map
        | ValueKind::Iterable => (VALUE, without_marks(&json(state, value, None)?)),
        _ => (TEXT, without_marks(&spelled(state, value)?)),
    };
    output.write_fmt(format_args!("{mark}{text}{END}"))?;
    Ok(())
}

/// `tojson` and `safe` give JSON: a part of the body as it is.
pub(super) fn verbatim(text: &str) -> Jinja {
    Jinja::from_safe_string(without_marks(text))
}

/// `safe` in a JSON body: the text is JSON already, and whole, so that it cannot end what it stands in.
pub(super) fn safe(text: &str) -> Result<Jinja, Error> {
    match check(&without_marks(text)) {
        Ok(()) => Ok(verbatim(text)),
        Err(reason) => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("`safe` takes a text that is JSON, and this is not: {reason}"),
        )),
    }
}

/// The body, with every value written as its place needs it.
///
/// # Errors
/// Says where it is not JSON.
pub(super) fn finish(marked: &str) -> Result<String, String> {
    let mut body = Body::with_capacity(marked.len());
    body.add(marked);
    check(&body.text).map_err(|reason| format!("the body is not JSON: {reason}"))?;
    Ok(body.text)
}

/// The body while it is put together.
struct Body {
    text: String,
    in_string: bool,
    /// Behind a backslash inside of a string.
    escaping: bool,
    /// The last character outside of strings that is no white space.
    last: Option<char>,
}

impl Body {
    fn with_capacity(capacity: usize) -> Self {
        Body { text: String::with_capacity(capacity), in_string: false, escaping: false, last: None }
    }

    fn add(&mut self, marked: &str) {
        let mut rest = marked;
        while let Some(at) = rest.find(MARKS) {
            self.literal(&rest[..at]);
            let mark = rest[at..].chars().next().unwrap_or(END);
            let behind = &rest[at + mark.len_utf8()..];
            // The end of a captured text, whose beginning was passed.
            if mark == END {
                rest = behind;
                continue;
            }
            // A captured text outside of a string is the author's JSON, with values inside.
            if mark == CAPTURED && !self.in_string {
                rest = behind;
                continue;
            }
            let (inner, behind) = within(behind);
            match mark {
                VALUE => self.value(&without_marks(inner)),
                _ => self.inserted(&without_marks(inner), behind),
            }
            rest = behind;
        }
        self.literal(rest);
    }

    /// What the author wrote.
    fn literal(&mut self, text: &str) {
        for character in text.chars() {
            match (self.in_string, self.escaping, character) {
                (true, true, _) => self.escaping = false,
                (true, false, '\\') => self.escaping = true,
                (true, false, '"') => (self.in_string, self.last) = (false, Some('"')),
                (true, false, _) => {}
                (false, _, '"') => self.in_string = true,
                (false, _, _) if character.is_whitespace() => {}
                (false, _, _) => self.last = Some(character),
            }
        }
        self.text.push_str(text);
    }

    fn value(&mut self, json: &str) {
        match (self.in_string, json) {
            // As everywhere in a text, `none` is nothing.
            (true, "null") => {}
            (true, json) => self.escape(json),
            (false, json) => {
                self.text.push_str(json);
                self.last = json.chars().last();
            }
        }
    }

    fn inserted(&mut self, text: &str, behind: &str) {
        if self.in_string {
            return self.escape(text);
        }
        if self.separates(text, behind) {
            return self.literal(text);
        }
        self.text.push_str(&quoted(text));
        self.last = Some('"');
    }

    /// Whether a text stands between values, as the comma of `{{ ", " if not loop.last }}` does: behind a value, where
    /// JSON has no other, or empty in front of one.
    fn separates(&self, text: &str, behind: &str) -> bool {
        let follows_value = !matches!(self.last, None | Some('{' | '[' | ',' | ':'));
        match text.trim() {
            "," | ":" => follows_value,
            "" if follows_value => true,
            "" => {
                let behind = behind.trim_start_matches(END).trim_start();
                let is_value = |next: char| {
                    matches!(next, '"' | '{' | '[' | '-' | 't' | 'f' | 'n' | VALUE | CAPTURED)
                        || next.is_ascii_digit()
                };
                match behind.strip_prefix(TEXT) {
                    Some(next) => !matches!(within(next).0.trim(), "," | ":"),
                    None => behind.starts_with(is_value),
                }
            }
            _ => false,
        }
    }

    fn escape(&mut self, text: &str) {
        let quoted = quoted(text);
        self.text.push_str(&quoted[1..quoted.len() - 1]);
        self.escaping = false;
    }
}

/// What is inside of a mark whose beginning was read, and what comes behind its end.
fn within(text: &str) -> (&str, &str) {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices().filter(|(_, character)| MARKS.contains(character)) {
        if character != END {
            depth += 1;
        } else if depth == 0 {
            return (&text[..at], &text[at + END.len_utf8()..]);
        } else {
            depth -= 1;
        }
    }
    (text, "")
}

/// Whether a text is one JSON value in which no object has a member twice.
fn check(text: &str) -> Result<(), String> {
    match serde_json::from_str::<Checked>(text) {
        Ok(Checked) => Ok(()),
        Err(error) => {
            const EXCERPT_CHARACTERS: usize = 40;
            let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
            // The column counts bytes; what comes before the place says more than what comes behind it.
            let before: String = line
                .char_indices()
                .take_while(|(at, _)| *at < error.column())
                .map(|(_, character)| character)
                .collect();
            let skipped = before.chars().count().saturating_sub(EXCERPT_CHARACTERS);
            let excerpt: String = before.chars().skip(skipped).collect();
            Err(match excerpt.trim() {
                "" => error.to_string(),
                excerpt => format!("{error}, behind `{excerpt}`"),
            })
        }
    }
}

/// JSON that was read and let go of.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Checked)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Checked;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_str<E>(self, _: &str) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_unit<E>(self) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Checked, A::Error> {
        while items.next_element::<Checked>()?.is_some() {}
        Ok(Checked)
    }

    /// Which of two members of one name counts is for the reader to choose (RFC 8259, 4), so there is none.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Checked, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if names.contains(&name) {
                return Err(serde::de::Error::custom(format!("the member `{name}` is there twice")));
            }
            names.insert(name);
            members.next_value::<Checked>()?;
        }
        Ok(Checked)
    }
}
