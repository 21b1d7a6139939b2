//! How a value of a side table is bound: in SQLite's own type of it.
//!
//! SQLite compares integers with doubles by exact value and texts by bytes, which is code-point order.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::store::side_index::Entry;

impl ToSql for Entry {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Entry::Whole(integer) => ValueRef::Integer(*integer),
            Entry::Double(double) => ValueRef::Real(*double),
            Entry::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}
