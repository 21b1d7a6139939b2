//! Adds events, each to its customer, who is created if not known yet.
//!
//! Event types are numbered once, so that the indexes stay small.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::document::encode;
use super::index::keep::{EventPlace, event_added};
use super::index::registry::kept;
use super::upsert::customer_of_event;
use crate::store::customers::{EventWrite, LineResult};

/// Adds all events; each line answers for itself.
pub(super) fn insert(connection: &Connection, lines: &[EventWrite]) -> rusqlite::Result<Vec<LineResult>> {
    let indexes = kept(connection)?;
    let mut types = HashMap::new();
    let mut results = Vec::with_capacity(lines.len());
    for line in lines {
        let result = customer_of_event(connection, &line.registered, &line.other_ids)?;
        if let Ok(customer) = &result {
            let event_type = numbered(connection, &mut types, &line.event_type)?;
            let time = microseconds(line.timestamp);
            let mut statement = connection.prepare_cached(
                "INSERT INTO event (customer, type, time, properties) VALUES (?1, ?2, ?3, ?4)",
            )?;
            let event = statement.insert((customer.0, event_type, time, encode(&line.properties)))?;
            let place = EventPlace { customer: customer.0, time, event };
            event_added(connection, &indexes, &line.event_type, place, &line.properties)?;
        }
        results.push(result);
    }
    Ok(results)
}

/// UTC microseconds, rounded down.
pub(super) fn microseconds(timestamp: jiff::Timestamp) -> i64 {
    let rounded = timestamp.as_nanosecond().div_euclid(1_000);
    i64::try_from(rounded).expect("the years of a timestamp fit 64 bits of microseconds")
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
