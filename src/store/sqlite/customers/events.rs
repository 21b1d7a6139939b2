//! Adds events, each to its customer, who is created if not known yet.
//!
//! Event types are numbered once, so that the indexes stay small.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::index::keep::event_added;
use super::index::registry::kept;
use super::upsert::customer_of_event;
use crate::store::customers::{EventWrite, LineRefused, LineResult, microseconds};
use crate::store::documents::encode;
use crate::store::side_index::{EventPlace, SideIndex};

/// Adds all events; each line answers for itself.
pub(super) fn insert(connection: &Connection, lines: &[EventWrite]) -> rusqlite::Result<Vec<LineResult>> {
    let indexes = kept(connection)?;
    let mut types = HashMap::new();
    let mut results = Vec::with_capacity(lines.len());
    for line in lines {
        let number = numbered(connection, &mut types, &line.event_type)?;
        results.push(insert_line(connection, &indexes, number, line)?);
    }
    Ok(results)
}

fn insert_line(
    connection: &Connection,
    indexes: &[SideIndex],
    event_type: i64,
    line: &EventWrite,
) -> rusqlite::Result<LineResult> {
    let properties = encode(&line.properties);
    if let Err(refused) = LineRefused::check_size(&properties) {
        return Ok(Err(refused));
    }
    let result = customer_of_event(connection, &line.registered, &line.other_ids)?;
    if let Ok(customer) = &result {
        let time = microseconds(line.timestamp);
        let mut statement = connection
            .prepare_cached("INSERT INTO event (customer, type, time, properties) VALUES (?1, ?2, ?3, ?4)")?;
        let event = statement.insert((customer.0, event_type, time, properties))?;
        let place = EventPlace { customer: customer.0, time, event };
        event_added(connection, indexes, &line.event_type, place, &line.properties)?;
    }
    Ok(result)
}

/// The number of an event type, if it ever occurred.
pub(super) fn type_number(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM event_type WHERE name = ?1")?;
    statement.query_row([name], |row| row.get(0)).optional()
}

fn numbered<'a>(
    connection: &Connection,
    types: &mut HashMap<&'a str, i64>,
    name: &'a str,
) -> rusqlite::Result<i64> {
    if let Some(number) = types.get(name) {
        return Ok(*number);
    }
    let number = match type_number(connection, name)? {
        Some(number) => number,
        None => connection.prepare_cached("INSERT INTO event_type (name) VALUES (?1)")?.insert([name])?,
    };
    types.insert(name, number);
    Ok(number)
}
