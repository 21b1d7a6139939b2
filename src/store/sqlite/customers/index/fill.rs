//! Adds to a new index what was there before it, in the order of keys, one small batch a time.
//!
//! How far it came is written with the batch, so that a restart goes on from there. Writes keep the index meanwhile;
//! what they already added is skipped.

use std::time::{Duration, Instant};

use rusqlite::{Connection, Statement};

use super::super::pick::Paths;
use super::keep::{EventPlace, add_attribute, add_event};
use super::registry::SideIndex;
use crate::domain::selection::IndexNeed;

/// How long one batch may hold the writer.
const BATCH_TIME_MAX: Duration = Duration::from_millis(15);
/// How many rows are read between looks at the clock.
const ROWS_A_LOOK: usize = 64;

const CUSTOMERS_AFTER: &str = "SELECT key, attributes FROM customer WHERE key > ?1 ORDER BY key";
const EVENTS_AFTER: &str = "SELECT id, customer, time, type, properties FROM event WHERE id > ?1 ORDER BY id";

/// Adds one batch; marks the index complete at the end.
pub(super) fn fill(connection: &Connection, index: &SideIndex) -> rusqlite::Result<()> {
    let deadline = Instant::now() + BATCH_TIME_MAX;
    let ended = match &index.need {
        IndexNeed::Attribute { path } => {
            let mut customers = connection.prepare_cached(CUSTOMERS_AFTER)?;
            fill_attribute(connection, index, path, &mut customers, deadline)?
        }
        IndexNeed::EventProperty { event_type, property } => {
            let number = super::super::events::type_number(connection, event_type)?;
            let mut events = connection.prepare_cached(EVENTS_AFTER)?;
            fill_events(connection, index, number, property, &mut events, deadline)?
        }
    };
    let mut update =
        connection.prepare_cached("UPDATE side_index SET filled_to = ?2, state = ?3 WHERE id = ?1")?;
    match ended {
        End::At(key) => update.execute((index.id, key, super::registry::state::FILLING))?,
        End::Complete => update.execute((index.id, i64::MAX, super::registry::state::COMPLETE))?,
    };
    Ok(())
}

/// Where a batch ended.
enum End {
    At(i64),
    Complete,
}

fn fill_attribute(
    connection: &Connection,
    index: &SideIndex,
    path: &[String],
    customers: &mut Statement<'_>,
    deadline: Instant,
) -> rusqlite::Result<End> {
    let mut paths = Paths::default();
    paths.add(path);
    let mut rows = customers.query([index.filled_to])?;
    let mut read = 0;
    while let Some(row) = rows.next()? {
        let key = row.get(0)?;
        if let Some(value) = &paths.read(row.get_ref(1)?.as_str()?)?[0] {
            add_attribute(connection, index.id, key, value)?;
        }
        read += 1;
        if read % ROWS_A_LOOK == 0 && Instant::now() >= deadline {
            return Ok(End::At(key));
        }
    }
    Ok(End::Complete)
}

fn fill_events(
    connection: &Connection,
    index: &SideIndex,
    event_type: Option<i64>,
    property: &str,
    events: &mut Statement<'_>,
    deadline: Instant,
) -> rusqlite::Result<End> {
    let mut paths = Paths::default();
    paths.add(&[property.to_owned()]);
    let mut rows = events.query([index.filled_to])?;
    let mut read = 0;
    while let Some(row) = rows.next()? {
        let event = row.get(0)?;
        if Some(row.get(3)?) == event_type
            && let Some(value) = &paths.read(row.get_ref(4)?.as_str()?)?[0]
        {
            let place = EventPlace { customer: row.get(1)?, time: row.get(2)?, event };
            add_event(connection, index.id, place, value)?;
        }
        read += 1;
        if read % ROWS_A_LOOK == 0 && Instant::now() >= deadline {
            return Ok(End::At(event));
        }
    }
    Ok(End::Complete)
}
