//! The values conditions compare: six kinds that never mix, so that a text `5` is never more than a number 18.
//!
//! JSON becomes these once, at the door; null is absence, as setting an attribute to null removes it. Only among the
//! elements of a list it keeps its place, since those behind it have theirs.

mod number;

pub use number::{Number, NumberOutOfRange, number_from_text};

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;

/// A value of one of the six kinds. What is null is missing; only a list may hold one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Unicode text; ordered by code point.
    Text(Arc<str>),
    /// A whole number or a finite double; compared by exact value.
    Number(Number),
    /// True or false; never equal to a number.
    Boolean(bool),
    /// A moment in UTC, to the microsecond.
    Timestamp(Timestamp),
    /// Values in order, of any kinds.
    List(Arc<[Value]>),
    /// Values by name.
    Object(Arc<Members>),
    /// An element of a list that is null: equal to another one only, and missing where it is asked for.
    Null,
}

/// Values by name, in the order in which they were written. Two are equal if each has the other's members; the order does
/// not count.
pub type Members = IndexMap<String, Value, ahash::RandomState>;

/// New values by what they replace, in the order in which they were written; `None` removes.
pub type Changes<K> = IndexMap<K, Option<Value>, ahash::RandomState>;

/// The kind of a value, by the word a person reads in a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Unicode text.
    Text,
    /// A whole number or a finite double.
    Number,
    /// True or false.
    Boolean,
    /// A moment in UTC.
    Timestamp,
    /// Values in order.
    List,
    /// Values by name.
    Object,
    /// Null, of an element of a list.
    Null,
}

impl Kind {
    /// The word for it in messages and in the store.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::Timestamp => "timestamp",
            Kind::List => "list",
            Kind::Object => "object",
            Kind::Null => "null",
        }
    }
}

/// Why a JSON document cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unkeepable {
    /// PostgreSQL cannot keep U+0000 in a text, so neither database does.
    #[error("{path} holds the character U+0000, which cannot be kept; remove it")]
    NulCharacter {
        /// Where it stands, as `a.b[0]`; empty for the document itself.
        path: String,
    },
    /// A number that is neither an i64 nor a finite double.
    #[error("{path} holds a number out of range; numbers are whole up to 64 bits or finite doubles")]
    NumberOutOfRange {
        /// Where it stands, as `a.b[0]`.
        path: String,
    },
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Value::Text(text.into())
    }

    /// A whole number.
    pub fn integer(number: i64) -> Self {
        Value::Number(Number::Integer(number))
    }

    /// The kind of this value.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Text(_) => Kind::Text,
            Value::Number(_) => Kind::Number,
            Value::Boolean(_) => Kind::Boolean,
            Value::Timestamp(_) => Kind::Timestamp,
            Value::List(_) => Kind::List,
            Value::Object(_) => Kind::Object,
            Value::Null => Kind::Null,
        }
    }

    /// Reads JSON; `None` is null. Nulls inside objects are left out, as missing.
    ///
    /// # Errors
    /// Names the place of a U+0000 or of a number out of range.
    pub fn from_json(json: &serde_json::Value) -> Result<Option<Self>, Unkeepable> {
        from_json(json, &mut String::new())
    }

    /// Writes JSON; a timestamp becomes its RFC 3339 text.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Text(text) => serde_json::Value::from(text.as_ref()),
            Value::Number(number) => number.to_json(),
            Value::Boolean(boolean) => serde_json::Value::from(*boolean),
            Value::Timestamp(timestamp) => serde_json::Value::from(timestamp.to_string()),
            Value::List(list) => list.iter().map(Value::to_json).collect(),
            Value::Object(object) => object_to_json(object),
            Value::Null => serde_json::Value::Null,
        }
    }

    /// Jinja's truth: empty text, zero, false, null, an empty list or object are false.
    pub fn is_truthy(&self) -> bool {
        match self {
            Value::Text(text) => !text.is_empty(),
            Value::Number(number) => !number.is_zero(),
            Value::Boolean(boolean) => *boolean,
            Value::Timestamp(_) => true,
            Value::List(list) => !list.is_empty(),
            Value::Object(object) => !object.is_empty(),
            Value::Null => false,
        }
    }
}

/// Writes values by name as a JSON object.
pub fn object_to_json(object: &Members) -> serde_json::Value {
    object.iter().map(|(name, value)| (name.clone(), value.to_json())).collect()
}

/// Reads a JSON object's members; nulls are left out.
///
/// # Errors
/// Names the place of a U+0000 or of a number out of range.
pub fn object_from_json(json: &serde_json::Map<String, serde_json::Value>) -> Result<Members, Unkeepable> {
    members(json, &mut String::new())
}

fn from_json(json: &serde_json::Value, path: &mut String) -> Result<Option<Value>, Unkeepable> {
    Ok(Some(match json {
        serde_json::Value::Null => return Ok(None),
        serde_json::Value::Bool(boolean) => Value::Boolean(*boolean),
        serde_json::Value::Number(number) => Value::Number(
            Number::from_json(number).map_err(|_| Unkeepable::NumberOutOfRange { path: path.clone() })?,
        ),
        serde_json::Value::String(text) => Value::Text(keepable(text, path)?.into()),
        serde_json::Value::Array(items) => Value::List(elements(items, path)?.into()),
        serde_json::Value::Object(json) => Value::Object(Arc::new(members(json, path)?)),
    }))
}

fn keepable<'a>(text: &'a str, path: &str) -> Result<&'a str, Unkeepable> {
    if text.contains('\0') {
        return Err(Unkeepable::NulCharacter { path: path.to_owned() });
    }
    Ok(text)
}

fn elements(items: &[serde_json::Value], path: &mut String) -> Result<Vec<Value>, Unkeepable> {
    let length = path.len();
    let mut values = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        path.push_str(&format!("[{index}]"));
        values.push(from_json(item, path)?.unwrap_or(Value::Null));
        path.truncate(length);
    }
    Ok(values)
}

fn members(
    json: &serde_json::Map<String, serde_json::Value>,
    path: &mut String,
) -> Result<Members, Unkeepable> {
    let length = path.len();
    let mut values = Members::default();
    for (name, item) in json {
        keepable(name, path)?;
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        if let Some(value) = from_json(item, path)? {
            values.insert(name.clone(), value);
        }
        path.truncate(length);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_is_missing_but_among_the_elements_of_a_list() {
        assert_eq!(Value::from_json(&json!(null)), Ok(None));
        let json = json!({"a": null, "b": [1, null, [null], {"c": null}]});
        let value = Value::from_json(&json).unwrap().unwrap();
        assert_eq!(value.to_json(), json!({"b": [1, null, [null], {}]}));
    }

    #[test]
    fn names_the_place_of_what_cannot_be_kept() {
        let refused = Value::from_json(&json!({"a": {"b": ["ok", "no\u{0}"]}})).unwrap_err();
        assert_eq!(refused, Unkeepable::NulCharacter { path: "a.b[1]".into() });
    }
}
