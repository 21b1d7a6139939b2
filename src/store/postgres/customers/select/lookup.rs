//! Looks keys up in an attribute's index, and by ids; a long list of values goes in arrays of some hundred.

use std::sync::Arc;

use super::super::index::entry::{Columns, kind_column};
use super::super::snapshot::Reading;
use super::statements::{BY_ID, attribute_keys};
use crate::store::StoreError;
use crate::store::postgres::session::Params;
use crate::store::select::ranges::Range;
use crate::store::select::{Budget, Found};
use crate::store::side_index::Entry;

/// How many values one statement takes: with more of them the server would rather read the whole of a middling
/// index than step into it for each.
const VALUES_A_STATEMENT: usize = 500;

/// Reads the keys in parts of an index, unsorted; nothing if that exceeds the budget.
pub(super) fn keys(
    reading: &Reading<'_>,
    index: i64,
    ranges: &[Range],
    budget: Budget,
) -> Found<Vec<i64>, StoreError> {
    // Each range is a step into the index, even if nothing is there.
    if ranges.len() > budget.0 {
        return Ok(None);
    }
    let mut keys = Vec::new();
    for same in ranges.chunk_by(are_asked_together) {
        for some in same.chunks(VALUES_A_STATEMENT) {
            if !read(reading, index, some, budget, &mut keys)? {
                return Ok(None);
            }
        }
    }
    Ok(Some(keys))
}

/// The customers who have, or had, one of these ids of a kind, unsorted.
pub(super) fn by_ids(reading: &Reading<'_>, kind: &str, ids: &[Arc<str>]) -> Result<Vec<i64>, StoreError> {
    let mut keys = Vec::new();
    for some in ids.chunks(VALUES_A_STATEMENT) {
        let some: Vec<&str> = some.iter().map(|id| &**id).collect();
        keys.extend(reading.rows(BY_ID, &[&some, &kind])?.iter().map(|row| row.get::<_, i64>(0)));
    }
    Ok(keys)
}

fn are_asked_together(left: &Range, right: &Range) -> bool {
    match (left, right) {
        (Range::Equal(kind, value), Range::Equal(other_kind, other)) => {
            kind == other_kind && is_text(value) == is_text(other)
        }
        _ => false,
    }
}

fn is_text(entry: &Entry) -> bool {
    matches!(entry, Entry::Text(_))
}

/// Reads the keys of ranges that are asked together.
fn read(
    reading: &Reading<'_>,
    index: i64,
    ranges: &[Range],
    budget: Budget,
    keys: &mut Vec<i64>,
) -> Result<bool, StoreError> {
    let Some(first) = ranges.first() else { return Ok(true) };
    let (sql, most) = (attribute_keys(first), budget.0 - keys.len());
    let mut ask = |params: Params<'_>| {
        reading.up_to(most, sql, params, |row| {
            keys.push(row.get(0));
            Ok(())
        })
    };
    match first {
        Range::Whole => ask(&[&index]),
        Range::Kind(kind) => ask(&[&index, &kind_column(*kind)]),
        Range::Equal(kind, _) => ask(&[&index, &kind_column(*kind), &values(ranges)]),
        Range::Below(kind, value)
        | Range::UpTo(kind, value)
        | Range::Above(kind, value)
        | Range::From(kind, value) => ask(&[&index, &kind_column(*kind), &bound(value)]),
        Range::Between(kind, from, before) => {
            ask(&[&index, &kind_column(*kind), &bound(from), &bound(before)])
        }
    }
}

fn values(ranges: &[Range]) -> Vec<String> {
    let value = |range: &Range| match range {
        Range::Equal(_, entry) => Some(bound(entry)),
        _ => None,
    };
    ranges.iter().filter_map(value).collect()
}

/// The one column that tells values of a kind apart.
fn bound(entry: &Entry) -> String {
    let columns = Columns::of_entry(0, entry);
    if is_text(entry) { columns.text } else { columns.number }
}
