//! The trait [`RetentionStore`] on the customers' file: events that are old, with their rows in side tables.
//!
//! While an index is filled nothing is removed: the task that fills it has read events that it adds later.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::index::keep::event_removed;
use super::index::registry::kept;
use super::{SqliteCustomers, damaged};
use crate::store::StoreError;
use crate::store::documents::decode;
use crate::store::retention::{Removal, RemovalBounds, RemovedBatch, RetentionStore, RowKind};
use crate::store::side_index::EventPlace;
use crate::store::sqlite::SqliteDatabase;
use crate::store::sqlite::database::{CHECKPOINT_PAGES, PAGES_A_SMALL_CHECKPOINT};
use crate::store::sqlite::removal_time::batch_time;

/// How many events are read at a time.
const EVENTS_A_LOOK: i64 = 1_000;
/// How many are removed between looks at the clock.
const EVENTS_A_STEP: usize = 16;

/// One look into the index a type.
const OLD_TYPE: &str = "SELECT t.id, t.name FROM event_type t
    WHERE EXISTS (SELECT 1 FROM event e WHERE e.type = t.id AND e.time < ?1) LIMIT 1";
const OLD_EVENTS: &str = "SELECT id, customer, time, properties FROM event
    WHERE type = ?1 AND time < ?2 ORDER BY time, customer LIMIT ?3";
const REMOVE: &str = "DELETE FROM event WHERE id = ?1 AND time < ?2";
const OLDEST: &str =
    "SELECT min((SELECT e.time FROM event e WHERE e.type = t.id ORDER BY e.time LIMIT 1)) FROM event_type t";

#[async_trait]
impl RetentionStore for SqliteCustomers {
    async fn begin_removal(&self, bounds: RemovalBounds) -> Result<Option<Box<dyn Removal>>, StoreError> {
        Ok(Some(Box::new(EventRemoval { database: Arc::clone(&self.database), before: bounds.before })))
    }

    async fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        let oldest = |connection: &Connection| {
            connection.prepare_cached(OLDEST)?.query_row([], |row| row.get::<_, Option<i64>>(0))
        };
        Ok(self.database.read(oldest).await?.and_then(|time| Timestamp::from_microsecond(time).ok()))
    }
}

struct EventRemoval {
    database: Arc<SqliteDatabase>,
    before: Option<Timestamp>,
}

/// An event as it is kept.
struct OldEvent {
    place: EventPlace,
    properties: String,
}

#[async_trait]
impl Removal for EventRemoval {
    async fn next_batch(&mut self, others_write: bool) -> Result<RemovedBatch, StoreError> {
        let Some(before) = self.before.map(Timestamp::as_microsecond) else {
            return Ok(RemovedBatch::default());
        };
        let Some((event_type, old)) = self.database.read(move |it| old_events(it, before)).await? else {
            return Ok(RemovedBatch::default());
        };
        let time = batch_time(others_write);
        let remove = move |connection: &Connection| remove(connection, &event_type, &old, before, time);
        let removed = self.database.write(remove).await?;
        Ok(removed.map_or_else(RemovedBatch::default, |gone| RemovedBatch::of(RowKind::Events, gone)))
    }

    async fn end(self: Box<Self>) {
        let usual = |connection: &Connection| {
            // A task that fills an index meanwhile has it copied in small steps, too.
            let is_filled = kept(connection)?.iter().all(|index| index.complete || !index.needed);
            if is_filled {
                connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
            }
            Ok(())
        };
        if let Err(error) = self.database.write(usual).await {
            tracing::debug!(%error, "the log of the customers' file goes on being copied in small steps");
        }
    }
}

/// Old events of one type, with its name.
fn old_events(connection: &Connection, before: i64) -> rusqlite::Result<Option<(String, Vec<OldEvent>)>> {
    let found = connection
        .prepare_cached(OLD_TYPE)?
        .query_row([before], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    let Some((number, name)) = found else { return Ok(None) };
    let mut select = connection.prepare_cached(OLD_EVENTS)?;
    let events = select.query_map(params![number, before, EVENTS_A_LOOK], |row| {
        let place = EventPlace { event: row.get(0)?, customer: row.get(1)?, time: row.get(2)? };
        Ok(OldEvent { place, properties: row.get(3)? })
    })?;
    Ok(Some((name, events.collect::<rusqlite::Result<_>>()?)))
}

/// Removes events until the time is over; gives how many, or nothing while an index is filled.
fn remove(
    connection: &Connection,
    event_type: &str,
    events: &[OldEvent],
    before: i64,
    time: Duration,
) -> rusqlite::Result<Option<u64>> {
    let deadline = Instant::now() + time;
    let indexes = kept(connection)?;
    // One that is not needed any more may be again before it goes.
    if indexes.iter().any(|index| !index.complete) {
        return Ok(None);
    }
    connection.pragma_update(None, "wal_autocheckpoint", PAGES_A_SMALL_CHECKPOINT)?;
    let mut delete = connection.prepare_cached(REMOVE)?;
    let mut removed = 0;
    for some in events.chunks(EVENTS_A_STEP) {
        for event in some {
            if delete.execute([event.place.event, before])? > 0 {
                removed += 1;
                if !indexes.is_empty() {
                    let properties = decode(&event.properties).map_err(damaged)?;
                    event_removed(connection, &indexes, event_type, event.place, &properties)?;
                }
            }
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    Ok(Some(removed))
}
