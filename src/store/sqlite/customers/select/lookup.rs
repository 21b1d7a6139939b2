//! Looks keys up in an attribute's index, and by ids.

use std::sync::Arc;

use rusqlite::{Connection, Statement, ToSql};

use super::super::load::KEYS_A_STATEMENT;
use super::statements::{BY_OTHER_ID, BY_REGISTERED, attribute_keys};
use crate::store::select::ranges::Range;
use crate::store::select::{Budget, Found, REGISTERED};

/// Reads the keys in parts of an index, unsorted; nothing if that exceeds the budget.
pub(super) fn keys(
    connection: &Connection,
    index: i64,
    ranges: &[Range],
    budget: Budget,
) -> Found<Vec<i64>, rusqlite::Error> {
    // Each range is a step into the index, even if nothing is there.
    if ranges.len() > budget.0 {
        return Ok(None);
    }
    let mut keys = Vec::new();
    for same in ranges.chunk_by(|left, right| attribute_keys(left) == attribute_keys(right)) {
        let mut statement = connection.prepare_cached(attribute_keys(&same[0]))?;
        for range in same {
            if !read(&mut statement, index, range, budget, &mut keys)? {
                return Ok(None);
            }
        }
    }
    Ok(Some(keys))
}

/// The customers who have, or had, one of these ids of a kind, unsorted.
pub(super) fn by_ids(connection: &Connection, kind: &str, ids: &[Arc<str>]) -> rusqlite::Result<Vec<i64>> {
    let is_registered = kind == REGISTERED;
    let mut statement = connection.prepare_cached(if is_registered { BY_REGISTERED } else { BY_OTHER_ID })?;
    let mut keys = Vec::new();
    for some in ids.chunks(KEYS_A_STATEMENT) {
        let list = serde_json::Value::from_iter(some.iter().map(|id| &**id)).to_string();
        let mut rows =
            if is_registered { statement.query([list])? } else { statement.query((list, kind))? };
        while let Some(row) = rows.next()? {
            keys.push(row.get(0)?);
        }
    }
    Ok(keys)
}

fn read(
    statement: &mut Statement<'_>,
    index: i64,
    range: &Range,
    budget: Budget,
    keys: &mut Vec<i64>,
) -> rusqlite::Result<bool> {
    let mut rows = match range {
        Range::Whole => statement.query([index])?,
        Range::Kind(kind) => statement.query([index, *kind])?,
        Range::Equal(kind, value)
        | Range::Below(kind, value)
        | Range::UpTo(kind, value)
        | Range::Above(kind, value)
        | Range::From(kind, value) => statement.query([&index as &dyn ToSql, kind, value].as_slice())?,
        Range::Between(kind, from, before) => {
            statement.query([&index as &dyn ToSql, kind, from, before].as_slice())?
        }
    };
    while let Some(row) = rows.next()? {
        if keys.len() >= budget.0 {
            return Ok(false);
        }
        keys.push(row.get(0)?);
    }
    Ok(true)
}
