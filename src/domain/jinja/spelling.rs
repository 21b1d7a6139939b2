//! How a value is written, everywhere in the same way: in a message, by `~`, `join`, `format`, `text(…)` and in
//! conditions.
//!
//! `true` and `false` as JSON writes them, numbers without an exponent and whole ones without `.0`, nothing for
//! `none`, times as RFC 3339, lists and objects as JSON. Python's `True`, `10.0` and `['a']` would be read by
//! customers and by APIs, neither of which know Python.

use std::borrow::Cow;

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value as Jinja};

use super::arguments::{invalid, missing};

/// One unit of fuel pays for so many bytes that are written.
const BYTES_PER_FUEL: usize = 64;

/// How far a member may be indented.
const INDENT_MAX: usize = 16;

/// How deep lists and objects may nest when they are written.
const DEPTH_MAX: usize = 64;

/// A value as a person reads it.
///
/// # Errors
/// A value that is missing, also inside of a list or an object; one that costs more than there is fuel.
pub(crate) fn spelled<'v>(state: &State<'_, '_>, value: &'v Jinja) -> Result<Cow<'v, str>, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Cow::Borrowed(text));
    }
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(missing()),
        ValueKind::None => Cow::Borrowed(""),
        ValueKind::Bool => Cow::Borrowed(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => Cow::Owned(number(value)?),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => Cow::Owned(json(state, value, None)?),
        ValueKind::Invalid => return Err(invalid(value.to_string())),
        _ => Cow::Owned(value.to_string()),
    })
}

/// A value as a text of Jinja's; one that is a text already is the same, with its mark of being safe.
///
/// # Errors
/// As [`spelled`].
pub(super) fn as_text(state: &State<'_, '_>, value: &Jinja) -> Result<Jinja, Error> {
    match value.as_str() {
        Some(_) => Ok(value.clone()),
        None => Ok(Jinja::from(spelled(state, value)?.into_owned())),
    }
}

fn number(value: &Jinja) -> Result<String, Error> {
    if value.is_integer() {
        return Ok(value.to_string());
    }
    let double = f64::try_from(value.clone())?;
    Ok(if double == 0.0 { "0".to_owned() } else { double.to_string() })
}

/// A value as JSON, with a space behind `,` and `:` as Jinja's `tojson` writes it.
///
/// # Errors
/// A value that is missing, that JSON cannot write, or that nests too deep; one that costs more than there is fuel.
pub(crate) fn json(state: &State<'_, '_>, value: &Jinja, indent: Option<usize>) -> Result<String, Error> {
    let indent = indent.map(|width| width.min(INDENT_MAX));
    let mut writer = JsonWriter { text: String::new(), paid: 0, indent, state };
    writer.value(value, 0)?;
    Ok(writer.text)
}

struct JsonWriter<'a, 'template, 'env> {
    text: String,
    /// How many bytes fuel was paid for.
    paid: usize,
    /// How many spaces a member is indented by; on one line without.
    indent: Option<usize>,
    state: &'a State<'template, 'env>,
}

impl JsonWriter<'_, '_, '_> {
    /// Pays before it grows further, so that a value that repeats itself ends early.
    fn pay(&mut self) -> Result<(), Error> {
        let due = (self.text.len() - self.paid) / BYTES_PER_FUEL;
        self.paid += due * BYTES_PER_FUEL;
        self.state.consume_fuel(due as u64)
    }

    fn value(&mut self, value: &Jinja, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return Err(invalid("the value nests too deep".to_owned()));
        }
        self.pay()?;
        if let Some(text) = value.as_str() {
            self.quoted(text);
            return Ok(());
        }
        match value.kind() {
            ValueKind::Undefined => return Err(missing()),
            ValueKind::None => self.text.push_str("null"),
            ValueKind::Bool => self.text.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => {
                let written = number(value)?;
                if written.ends_with(|last: char| !last.is_ascii_digit()) {
                    return Err(invalid(format!("JSON has no number `{written}`")));
                }
                self.text.push_str(&written);
            }
            ValueKind::Seq | ValueKind::Iterable => self.list(value, depth)?,
            ValueKind::Map => self.object(value, depth)?,
            ValueKind::Invalid => return Err(invalid(value.to_string())),
            _ => self.quoted(&value.to_string()),
        }
        Ok(())
    }

    fn list(&mut self, value: &Jinja, depth: usize) -> Result<(), Error> {
        self.text.push('[');
        let mut is_empty = true;
        for item in value.try_iter()? {
            self.separate(is_empty, depth + 1)?;
            is_empty = false;
            self.value(&item, depth + 1)?;
        }
        self.close(is_empty, depth, ']');
        Ok(())
    }

    fn separate(&mut self, is_first: bool, depth: usize) -> Result<(), Error> {
        self.state.consume_fuel(1)?;
        match (self.indent, is_first) {
            (None, true) => {}
            (None, false) => self.text.push_str(", "),
            (Some(_), true) => self.break_line(depth),
            (Some(_), false) => {
                self.text.push(',');
                self.break_line(depth);
            }
        }
        Ok(())
    }

    fn close(&mut self, is_empty: bool, depth: usize, bracket: char) {
        if !is_empty && self.indent.is_some() {
            self.break_line(depth);
        }
        self.text.push(bracket);
    }

    fn break_line(&mut self, depth: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', self.indent.unwrap_or(0) * depth));
    }

    fn object(&mut self, value: &Jinja, depth: usize) -> Result<(), Error> {
        self.text.push('{');
        let mut is_empty = true;
        for key in value.try_iter()? {
            self.separate(is_empty, depth + 1)?;
            is_empty = false;
            let name = spelled(self.state, &key)?;
            self.quoted(&name);
            self.text.push_str(": ");
            self.value(&value.get_item(&key)?, depth + 1)?;
        }
        self.close(is_empty, depth, '}');
        Ok(())
    }

    fn quoted(&mut self, text: &str) {
        self.text.push_str(&quoted(text));
    }
}

/// A text as JSON writes it, with its quotes.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
