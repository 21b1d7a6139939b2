//! Keeps the side tables with every write, in the write's own transaction.
//!
//! An index that is still being filled is kept too: filling skips what is already there.

use rusqlite::Connection;

use crate::domain::value::{Members, Value};
use crate::store::side_index::{Entry, EventPlace, SideIndex, attribute_changes, event_values, kind_number};

const ADD_ATTRIBUTE: &str =
    "INSERT OR IGNORE INTO attribute_entry (idx, kind, value, customer) VALUES (?1, ?2, ?3, ?4)";
const REMOVE_ATTRIBUTE: &str =
    "DELETE FROM attribute_entry WHERE idx = ?1 AND kind = ?2 AND value = ?3 AND customer = ?4";
const ADD_EVENT: &str = "INSERT OR IGNORE INTO event_entry (idx, kind, value, time, customer, event)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const REMOVE_EVENT: &str = "DELETE FROM event_entry
     WHERE idx = ?1 AND kind = ?2 AND value = ?3 AND time = ?4 AND customer = ?5 AND event = ?6";

/// Keeps the attribute indexes over a change of one customer's attributes.
pub(crate) fn customer_changed(
    connection: &Connection,
    indexes: &[SideIndex],
    customer: i64,
    before: &Members,
    after: &Members,
) -> rusqlite::Result<()> {
    for (index, old, new) in attribute_changes(indexes, before, after) {
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

/// Keeps the property indexes of the event's type over a new event.
pub(crate) fn event_added(
    connection: &Connection,
    indexes: &[SideIndex],
    added_type: &str,
    place: EventPlace,
    properties: &Members,
) -> rusqlite::Result<()> {
    event_values(indexes, added_type, properties)
        .try_for_each(|(index, value)| add_event(connection, index.id, place, value))
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

/// Keeps the property indexes of the event's type over an event that goes.
pub(crate) fn event_removed(
    connection: &Connection,
    indexes: &[SideIndex],
    removed_type: &str,
    place: EventPlace,
    properties: &Members,
) -> rusqlite::Result<()> {
    let mut remove = connection.prepare_cached(REMOVE_EVENT)?;
    for (index, value) in event_values(indexes, removed_type, properties) {
        let (kind, entry) = (kind_number(value.kind()), Entry::of(value));
        remove.execute((index.id, kind, entry, place.time, place.customer, place.event))?;
    }
    Ok(())
}
