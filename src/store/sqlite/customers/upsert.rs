//! Writes customers, one line after the other in one transaction; all checks of a line come before its writes.
//!
//! So a refused line leaves nothing behind, and needs no savepoint of its own.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::damaged;
use super::index::keep::customer_changed;
use super::index::registry::kept;
use crate::domain::customer::CustomerKey;
use crate::store::customers::{CustomerWrite, LineRefused, LineResult};
use crate::store::merge::{self, Documents};
use crate::store::side_index::SideIndex;

/// Writes all lines; each answers for itself.
pub(super) fn upsert(connection: &Connection, lines: &[CustomerWrite]) -> rusqlite::Result<Vec<LineResult>> {
    let indexes = kept(connection)?;
    lines.iter().map(|line| upsert_line(connection, &indexes, line)).collect()
}

fn upsert_line(
    connection: &Connection,
    indexes: &[SideIndex],
    line: &CustomerWrite,
) -> rusqlite::Result<LineResult> {
    let before = find(connection, &line.registered)?;
    if let Some(refused) = taken(connection, before.as_ref().map(|(key, _)| *key), &line.other_ids)? {
        return Ok(Err(refused));
    }
    match before {
        Some((key, before)) => change(connection, indexes, key, &before, line),
        None => create(connection, indexes, line),
    }
}

/// The key of an event's customer, created with nothing but its ids if it is not known yet.
pub(super) fn customer_of_event(
    connection: &Connection,
    registered: &str,
    other_ids: &BTreeMap<String, String>,
) -> rusqlite::Result<LineResult> {
    if other_ids.is_empty()
        && let Some(key) = key_of(connection, registered)?
    {
        return Ok(Ok(CustomerKey(key)));
    }
    let line = CustomerWrite {
        registered: registered.to_owned(),
        other_ids: other_ids.clone(),
        ..CustomerWrite::default()
    };
    // Without attributes there is nothing that an index would have to be told.
    upsert_line(connection, &[], &line)
}

/// The key of the customer with this id.
pub(super) fn key_of(connection: &Connection, registered: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT key FROM customer WHERE registered = ?1")?;
    statement.query_row([registered], |row| row.get(0)).optional()
}

fn find(connection: &Connection, registered: &str) -> rusqlite::Result<Option<(i64, Documents)>> {
    let mut statement = connection
        .prepare_cached("SELECT key, other_ids, attributes, consents FROM customer WHERE registered = ?1")?;
    let before = |row: &rusqlite::Row<'_>| {
        let documents = Documents { other_ids: row.get(1)?, attributes: row.get(2)?, consents: row.get(3)? };
        Ok((row.get(0)?, documents))
    };
    statement.query_row([registered], before).optional()
}

/// The first of these ids that another customer has.
fn taken(
    connection: &Connection,
    customer: Option<i64>,
    other_ids: &BTreeMap<String, String>,
) -> rusqlite::Result<Option<LineRefused>> {
    let mut statement = connection.prepare_cached(
        "SELECT customer.key, customer.registered FROM other_id JOIN customer ON customer.key = other_id.customer
         WHERE other_id.kind = ?1 AND other_id.id = ?2",
    )?;
    for (kind, id) in other_ids {
        let owner = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
        match statement.query_row([kind, id], owner).optional()? {
            Some((key, owner)) if Some(key) != customer => {
                return Ok(Some(LineRefused::IdTaken { kind: kind.clone(), id: id.clone(), owner }));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn create(
    connection: &Connection,
    indexes: &[SideIndex],
    line: &CustomerWrite,
) -> rusqlite::Result<LineResult> {
    let created = match merge::created(line) {
        Ok(created) => created,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut insert = connection.prepare_cached(
        "INSERT INTO customer (registered, other_ids, attributes, consents) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let Documents { other_ids, attributes, consents } = &created.documents;
    let key = insert.insert((&line.registered, other_ids, attributes, consents))?;
    keep_ids(connection, key, &line.other_ids)?;
    customer_changed(connection, indexes, key, &created.before, &created.after)?;
    Ok(Ok(CustomerKey(key)))
}

fn change(
    connection: &Connection,
    indexes: &[SideIndex],
    key: i64,
    before: &Documents,
    line: &CustomerWrite,
) -> rusqlite::Result<LineResult> {
    let changed = match merge::changed(before, line).map_err(damaged)? {
        Ok(Some(changed)) => changed,
        Ok(None) => return Ok(Ok(CustomerKey(key))),
        Err(refused) => return Ok(Err(refused)),
    };
    let mut update = connection.prepare_cached(
        "UPDATE customer SET other_ids = ?2, attributes = ?3, consents = ?4 WHERE key = ?1",
    )?;
    let Documents { other_ids, attributes, consents } = &changed.documents;
    update.execute((key, other_ids, attributes, consents))?;
    keep_ids(connection, key, &line.other_ids)?;
    customer_changed(connection, indexes, key, &changed.before, &changed.after)?;
    Ok(Ok(CustomerKey(key)))
}

/// A customer may have had another id of the same kind; both keep leading to it.
fn keep_ids(
    connection: &Connection,
    customer: i64,
    other_ids: &BTreeMap<String, String>,
) -> rusqlite::Result<()> {
    let mut insert = connection
        .prepare_cached("INSERT OR IGNORE INTO other_id (kind, id, customer) VALUES (?1, ?2, ?3)")?;
    other_ids.iter().try_for_each(|(kind, id)| insert.execute((kind, id, customer)).map(drop))
}
