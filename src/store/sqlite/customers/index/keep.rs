//! Keeps the side tables with every write, in the write's own transaction.
//!
//! An index that is still being filled is kept too: filling skips what is already there.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::super::pick::within;
use super::entry::{Entry, kind_number};
use super::registry::SideIndex;
use crate::domain::selection::IndexNeed;
use crate::domain::value::Value;

const ADD_ATTRIBUTE: &str =
    "INSERT OR IGNORE INTO attribute_entry (idx, kind, value, customer) VALUES (?1, ?2, ?3, ?4)";
const REMOVE_ATTRIBUTE: &str =
    "DELETE FROM attribute_entry WHERE idx = ?1 AND kind = ?2 AND value = ?3 AND customer = ?4";
const ADD_EVENT: &str = "INSERT OR IGNORE INTO event_entry (idx, kind, value, time, customer, event)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// The value at a path; a path through what is no object leads nowhere.
pub(crate) fn at_path<'a>(values: &'a BTreeMap<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    within(values.get(first)?, rest)
}

/// Keeps the attribute indexes over a change of one customer's attributes.
pub(crate) fn customer_changed(
    connection: &Connection,
    indexes: &[SideIndex],
    customer: i64,
    before: &BTreeMap<String, Value>,
    after: &BTreeMap<String, Value>,
) -> rusqlite::Result<()> {
    for index in indexes {
        let IndexNeed::Attribute { path } = &index.need else { continue };
        let (old, new) = (at_path(before, path), at_path(after, path));
        if old == new {
            continue;
        }
        if let Some(old) = old {
            let mut remove = connection.prepare_cached(REMOVE_ATTRIBUTE)?;
            remove.execute((index.id, kind_number(old.kind()), Entry::of(old), customer))?;
        }
        if let Some(new) = new {
            add_attribute(connection, index.id, customer, new)?;
        }
    }
    Ok(())
}

/// Adds one attribute's row, unless it is there.
pub(super) fn add_attribute(
    connection: &Connection,
    index: i64,
    customer: i64,
    value: &Value,
) -> rusqlite::Result<()> {
    let mut add = connection.prepare_cached(ADD_ATTRIBUTE)?;
    add.execute((index, kind_number(value.kind()), Entry::of(value), customer)).map(drop)
}

/// An event's place in its side tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventPlace {
    /// Whose.
    pub customer: i64,
    /// When, in UTC microseconds.
    pub time: i64,
    /// Which.
    pub event: i64,
}

/// Keeps the property indexes of the event's type over a new event.
pub(crate) fn event_added(
    connection: &Connection,
    indexes: &[SideIndex],
    added_type: &str,
    place: EventPlace,
    properties: &BTreeMap<String, Value>,
) -> rusqlite::Result<()> {
    for index in indexes {
        let IndexNeed::EventProperty { event_type, property } = &index.need else { continue };
        if event_type == added_type
            && let Some(value) = properties.get(property)
        {
            add_event(connection, index.id, place, value)?;
        }
    }
    Ok(())
}

/// Adds one event property's row, unless it is there.
pub(super) fn add_event(
    connection: &Connection,
    index: i64,
    place: EventPlace,
    value: &Value,
) -> rusqlite::Result<()> {
    let mut add = connection.prepare_cached(ADD_EVENT)?;
    let (kind, entry) = (kind_number(value.kind()), Entry::of(value));
    add.execute((index, kind, entry, place.time, place.customer, place.event)).map(drop)
}
