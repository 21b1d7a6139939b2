//! How a value stands in a side table: its kind, and the value in the database's own order of it.
//!
//! Numbers compare by exact value there and texts by bytes, which is code-point order; the kind before it keeps a
//! text `5` from a number 5, and true from 1.

use std::cmp::Ordering;

use crate::domain::value::{Kind, Number, Value};

/// The number a kind has in the side tables.
pub(in crate::store) fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Boolean => 0,
        Kind::Number => 1,
        Kind::Text => 2,
        Kind::List => 3,
        Kind::Object => 4,
        Kind::Timestamp => 5,
        // No attribute and no property of an event is null.
        Kind::Null => 6,
    }
}

/// A value as a side table holds it. Lists and objects are held as 1, or 0 if empty: their presence and truth can
/// be looked up, their content is compared by reading the customer.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Entry {
    /// 0 or 1.
    Whole(i64),
    /// A double.
    Double(f64),
    /// A text.
    Text(std::sync::Arc<str>),
}

impl Entry {
    /// How the value is held.
    pub(in crate::store) fn of(value: &Value) -> Self {
        match value {
            Value::Text(text) => Entry::Text(text.clone()),
            Value::Number(Number::Integer(integer)) => Entry::Whole(*integer),
            Value::Number(Number::Double(double)) => Entry::Double(*double),
            Value::Timestamp(timestamp) => Entry::Whole(timestamp.as_microsecond()),
            Value::Boolean(_) | Value::List(_) | Value::Object(_) | Value::Null => {
                Entry::Whole(i64::from(value.is_truthy()))
            }
        }
    }

    /// The first characters of a text, if it has as many or more.
    pub(in crate::store) fn beginning(&self, chars_max: usize) -> Option<Self> {
        let Entry::Text(text) = self else { return None };
        // One without so many bytes has not so many characters.
        if text.len() < chars_max {
            return None;
        }
        let (last, character) = text.char_indices().nth(chars_max.checked_sub(1)?)?;
        Some(Entry::Text(text[..last + character.len_utf8()].into()))
    }

    /// An order in which neighbours are near each other in the index. Doubles may stand apart from whole numbers,
    /// which costs a step more and changes no result.
    pub(in crate::store) fn nearness(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Entry::Text(left), Entry::Text(right)) => left.cmp(right),
            (Entry::Whole(left), Entry::Whole(right)) => left.cmp(right),
            (Entry::Double(left), Entry::Double(right)) => left.total_cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Entry::Whole(_) => 0,
            Entry::Double(_) => 1,
            Entry::Text(_) => 2,
        }
    }
}
