//! Adds to a new index what was there before it, part by part in the order of keys.
//!
//! A part is read on a reader's snapshot, sorted as the index is, and added in small batches: a batch then touches
//! few pages of the index, where rows in the order of keys would touch most of them again and again. Writes keep the
//! index meanwhile, so that what changed since the snapshot is there already and is passed over. How far it came is
//! written with a part's last batch, so that a restart goes on from there.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use super::super::damaged;
use super::super::events::type_number;
use super::keep::{add_attribute, add_event};
use crate::domain::selection::IndexNeed;
use crate::domain::state::SideIndexState;
use crate::domain::value::Value;
use crate::store::json_projection::JsonProjection;
use crate::store::side_index::{Entry, EventPlace, SideIndex, kind_number};
use crate::store::sqlite::database::{CHECKPOINT_PAGES, PAGES_A_SMALL_CHECKPOINT};
use crate::store::sqlite::foreground::Foreground;

/// How many rows a part reads: sorting them takes some tens of milliseconds at most, and the parts are few enough for
/// ten million customers.
const ROWS_A_PART: usize = 50_000;
/// How long one batch may hold the writer: what is dirty after it is flushed with it, and a flush of another file of the
/// same disk waits as long.
const BATCH_TIME_MAX: Duration = Duration::from_millis(2);
/// The same while others hardly use the files: the first call after a quiet time waits as long.
const BATCH_TIME_MAX_IDLE: Duration = Duration::from_millis(10);
/// While others use the files, filling rests so many times as long as it worked: reading, sorting and adding take a core
/// each.
pub(super) const RESTS: u32 = 3;
/// How long one reads before a rest.
const READING_TIME_MAX: Duration = Duration::from_millis(3);
/// How many rows are read between looks at the clock.
const ROWS_READ_A_LOOK: usize = 256;
/// How many rows are added between looks at the clock.
const ROWS_A_LOOK: usize = 32;

const CUSTOMERS_AFTER: &str = "SELECT key, attributes FROM customer WHERE key > ?1 ORDER BY key";
const EVENTS_AFTER: &str = "SELECT id, customer, time, type, properties FROM event WHERE id > ?1 ORDER BY id";
const ATTRIBUTES_NOW: &str = "SELECT attributes FROM customer WHERE key = ?1";

/// Rows to be added, in the order of the index.
#[derive(Debug)]
pub(super) struct Part {
    rows: Vec<Row>,
    /// How many of them are added.
    added: usize,
    /// The last key it reaches; none if it reaches the end.
    reaches: Option<i64>,
}

#[derive(Debug)]
struct Row {
    value: Value,
    /// For an attribute, only the customer counts.
    place: EventPlace,
}

/// Reads the next part of what an index does not hold yet. The connection is on a snapshot.
pub(super) fn read_part(
    connection: &Connection,
    index: &SideIndex,
    foreground: &mut Foreground,
) -> rusqlite::Result<Part> {
    let mut part = match &index.need {
        IndexNeed::Attribute { path } => read_customers(connection, index.filled_to, path, foreground)?,
        IndexNeed::EventProperty { event_type, property } => {
            let number = type_number(connection, event_type)?;
            read_events(connection, index.filled_to, (number, property), foreground)?
        }
    };
    part.rows.sort_by(|left, right| {
        let kinds = kind_number(left.value.kind()).cmp(&kind_number(right.value.kind()));
        let values = || Entry::of(&left.value).nearness(&Entry::of(&right.value));
        let places = |it: &Row| (it.place.time, it.place.customer);
        kinds.then_with(values).then_with(|| places(left).cmp(&places(right)))
    });
    Ok(part)
}

fn read_customers(
    connection: &Connection,
    after: i64,
    path: &[String],
    foreground: &mut Foreground,
) -> rusqlite::Result<Part> {
    let mut paths = JsonProjection::default();
    paths.add(path);
    let mut part = Part { rows: Vec::new(), added: 0, reaches: None };
    let mut statement = connection.prepare_cached(CUSTOMERS_AFTER)?;
    let (mut found, mut read, mut reading) = (statement.query([after])?, 0, Reading::begin(foreground));
    while let Some(row) = found.next()? {
        reading.rest_if_due(read);
        let customer = row.get(0)?;
        if let Some(value) = paths.read(row.get_ref(1)?.as_str()?).map_err(damaged)?.remove(0) {
            part.rows.push(Row { value, place: EventPlace { customer, time: 0, event: 0 } });
        }
        read += 1;
        if read == ROWS_A_PART {
            part.reaches = Some(customer);
            break;
        }
    }
    Ok(part)
}

fn read_events(
    connection: &Connection,
    after: i64,
    (event_type, property): (Option<i64>, &str),
    foreground: &mut Foreground,
) -> rusqlite::Result<Part> {
    let mut paths = JsonProjection::default();
    paths.add(&[property.to_owned()]);
    let mut part = Part { rows: Vec::new(), added: 0, reaches: None };
    let mut statement = connection.prepare_cached(EVENTS_AFTER)?;
    let (mut found, mut read, mut reading) = (statement.query([after])?, 0, Reading::begin(foreground));
    while let Some(row) = found.next()? {
        reading.rest_if_due(read);
        let event = row.get(0)?;
        if Some(row.get(3)?) == event_type
            && let Some(value) = paths.read(row.get_ref(4)?.as_str()?).map_err(damaged)?.remove(0)
        {
            let place = EventPlace { customer: row.get(1)?, time: row.get(2)?, event };
            part.rows.push(Row { value, place });
        }
        read += 1;
        if read == ROWS_A_PART {
            part.reaches = Some(event);
            break;
        }
    }
    Ok(part)
}

/// The time since a reader last rested, in a thread of its own.
struct Reading<'a> {
    since: Instant,
    foreground: &'a mut Foreground,
}

impl<'a> Reading<'a> {
    fn begin(foreground: &'a mut Foreground) -> Self {
        Reading { since: Instant::now(), foreground }
    }

    fn rest_if_due(&mut self, read: usize) {
        let worked = self.since.elapsed();
        if read.is_multiple_of(ROWS_READ_A_LOOK) && worked >= READING_TIME_MAX {
            if !self.foreground.is_idle() {
                std::thread::sleep(worked * RESTS);
            }
            self.since = Instant::now();
        }
    }
}

/// Adds one batch of a part; answers whether the part is done.
pub(super) fn add_batch(
    connection: &Connection,
    index: &SideIndex,
    part: &mut Part,
    is_idle: bool,
) -> rusqlite::Result<bool> {
    let deadline = Instant::now() + if is_idle { BATCH_TIME_MAX_IDLE } else { BATCH_TIME_MAX };
    connection.pragma_update(None, "wal_autocheckpoint", PAGES_A_SMALL_CHECKPOINT)?;
    while part.added < part.rows.len() {
        let row = &part.rows[part.added];
        match &index.need {
            IndexNeed::EventProperty { .. } => add_event(connection, index.id, row.place, &row.value)?,
            IndexNeed::Attribute { path } => {
                if attribute_now(connection, row.place.customer, path)?.as_ref() == Some(&row.value) {
                    add_attribute(connection, index.id, row.place.customer, &row.value)?;
                }
            }
        }
        part.added += 1;
        if part.added.is_multiple_of(ROWS_A_LOOK) && Instant::now() >= deadline {
            return Ok(false);
        }
    }
    let mut update =
        connection.prepare_cached("UPDATE side_index SET filled_to = ?2, state = ?3 WHERE id = ?1")?;
    match part.reaches {
        Some(key) => update.execute((index.id, key, SideIndexState::Filling.code()))?,
        None => {
            connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
            update.execute((index.id, i64::MAX, SideIndexState::Complete.code()))?
        }
    };
    Ok(true)
}

/// The attribute as it is now: what changed since the snapshot was added by the change itself.
fn attribute_now(connection: &Connection, customer: i64, path: &[String]) -> rusqlite::Result<Option<Value>> {
    let mut paths = JsonProjection::default();
    paths.add(path);
    let mut statement = connection.prepare_cached(ATTRIBUTES_NOW)?;
    let found = statement
        .query_row([customer], |row| Ok(paths.read(row.get_ref(0)?.as_str()?).map_err(damaged)?.remove(0)));
    Ok(found.optional()?.flatten())
}

#[cfg(test)]
mod tests {
    use super::super::super::upsert::upsert;
    use super::super::registry::kept;
    use super::super::require::require;
    use super::*;
    use crate::store::customers::CustomerWrite;
    use jiff::Timestamp;

    fn write(connection: &Connection, registered: &str, city: Option<&str>) {
        let line = CustomerWrite {
            registered: registered.into(),
            attributes: [("city".to_owned(), city.map(Value::text))].into_iter().collect(),
            ..CustomerWrite::default()
        };
        upsert(connection, &[line]).unwrap().remove(0).unwrap();
    }

    fn entries(connection: &Connection) -> Vec<(String, i64)> {
        let mut statement = connection.prepare("SELECT value, customer FROM attribute_entry").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn what_changes_between_reading_and_adding_is_not_added_twice_nor_as_it_was() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../migrations/customers_1.sql")).unwrap();
        for customer in ["stays", "moves", "forgets", "leaves and returns"] {
            write(&connection, customer, Some("Brno"));
        }
        let need = IndexNeed::Attribute { path: vec!["city".into()] };
        require(&connection, &[need].into(), Timestamp::UNIX_EPOCH).unwrap();
        let index = kept(&connection).unwrap().remove(0);
        let mut part = read_part(&connection, &index, &mut Foreground::begin()).unwrap();
        write(&connection, "moves", Some("Praha"));
        write(&connection, "forgets", None);
        write(&connection, "leaves and returns", Some("Praha"));
        write(&connection, "leaves and returns", Some("Brno"));
        write(&connection, "comes", Some("Zlín"));
        assert!(add_batch(&connection, &index, &mut part, true).unwrap());
        let expected = [("Brno", 1), ("Brno", 4), ("Praha", 2), ("Zlín", 5)];
        assert_eq!(entries(&connection), expected.map(|(city, key)| (city.to_owned(), key)));
        assert!(kept(&connection).unwrap()[0].complete);
    }
}
