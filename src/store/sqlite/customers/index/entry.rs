//! How a value stands in a side table: its kind, and the value in SQLite's own order of it.
//!
//! SQLite compares integers with doubles by exact value and texts by bytes, which is code-point order; the kind
//! before it keeps a text `5` from a number 5, and true from 1.

use std::cmp::Ordering;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::domain::value::{Kind, Number, Value};

/// The number a kind has in the side tables.
pub(crate) fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Boolean => 0,
        Kind::Number => 1,
        Kind::Text => 2,
        Kind::List => 3,
        Kind::Object => 4,
        Kind::Timestamp => 5,
    }
}

/// A value as a side table holds it. Lists and objects are held as 1, or 0 if empty: their presence and truth can
/// be looked up, their content is compared by reading the customer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// 0 or 1.
    Whole(i64),
    /// A double.
    Double(f64),
    /// A text.
    Text(std::sync::Arc<str>),
}

impl Entry {
    /// How the value is held.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Text(text) => Entry::Text(text.clone()),
            Value::Number(Number::Integer(integer)) => Entry::Whole(*integer),
            Value::Number(Number::Double(double)) => Entry::Double(*double),
            Value::Timestamp(timestamp) => Entry::Whole(timestamp.as_microsecond()),
            Value::Boolean(_) | Value::List(_) | Value::Object(_) => {
                Entry::Whole(i64::from(value.is_truthy()))
            }
        }
    }
}

impl Entry {
    /// An order in which neighbours are near each other in the index. Doubles may stand apart from whole numbers,
    /// which costs a step more and changes no result.
    pub(crate) fn nearness(&self, other: &Self) -> Ordering {
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

impl ToSql for Entry {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Entry::Whole(integer) => ValueRef::Integer(*integer),
            Entry::Double(double) => ValueRef::Real(*double),
            Entry::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}
