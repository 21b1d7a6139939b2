//! Writes customers, one line after the other in one transaction; all checks of a line come before its writes.
//!
//! So a refused line leaves nothing behind, and needs no savepoint of its own.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::document::{decode, encode};
use super::index::keep::customer_changed;
use super::index::registry::{SideIndex, kept};
use crate::domain::customer::CustomerKey;
use crate::store::customers::{CustomerWrite, LineRefused, LineResult};

/// A customer as it stands before a line.
struct Before {
    key: i64,
    other_ids: String,
    attributes: String,
    consents: String,
}

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
    if let Some(refused) = taken(connection, before.as_ref().map(|it| it.key), &line.other_ids)? {
        return Ok(Err(refused));
    }
    match before {
        Some(before) => change(connection, indexes, &before, line),
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

fn find(connection: &Connection, registered: &str) -> rusqlite::Result<Option<Before>> {
    let mut statement = connection
        .prepare_cached("SELECT key, other_ids, attributes, consents FROM customer WHERE registered = ?1")?;
    let before = |row: &rusqlite::Row<'_>| {
        Ok(Before {
            key: row.get(0)?,
            other_ids: row.get(1)?,
            attributes: row.get(2)?,
            consents: row.get(3)?,
        })
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
    let mut attributes = BTreeMap::new();
    merge(&mut attributes, &line.attributes);
    let mut consents = BTreeMap::new();
    merge(&mut consents, &line.consents);
    let document = encode(&attributes);
    if let Err(refused) = LineRefused::check_size(&document) {
        return Ok(Err(refused));
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO customer (registered, other_ids, attributes, consents) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let key =
        insert.insert((&line.registered, json(&line.other_ids), encode(&attributes), json(&consents)))?;
    keep_ids(connection, key, &line.other_ids)?;
    customer_changed(connection, indexes, key, &BTreeMap::new(), &attributes)?;
    Ok(Ok(CustomerKey(key)))
}

fn change(
    connection: &Connection,
    indexes: &[SideIndex],
    before: &Before,
    line: &CustomerWrite,
) -> rusqlite::Result<LineResult> {
    let old = decode(&before.attributes)?;
    let mut attributes = old.clone();
    merge(&mut attributes, &line.attributes);
    let mut consents: BTreeMap<String, bool> = read_json(&before.consents)?;
    merge(&mut consents, &line.consents);
    let mut other_ids: BTreeMap<String, String> = read_json(&before.other_ids)?;
    other_ids.extend(line.other_ids.clone());
    let after = (json(&other_ids), encode(&attributes), json(&consents));
    if (&after.0, &after.1, &after.2) == (&before.other_ids, &before.attributes, &before.consents) {
        return Ok(Ok(CustomerKey(before.key)));
    }
    if let Err(refused) = LineRefused::check_size(&after.1) {
        return Ok(Err(refused));
    }
    let mut update = connection.prepare_cached(
        "UPDATE customer SET other_ids = ?2, attributes = ?3, consents = ?4 WHERE key = ?1",
    )?;
    update.execute((before.key, after.0, after.1, after.2))?;
    keep_ids(connection, before.key, &line.other_ids)?;
    customer_changed(connection, indexes, before.key, &old, &attributes)?;
    Ok(Ok(CustomerKey(before.key)))
}

/// Lays changes over what is there; `None` removes.
fn merge<T: Clone>(values: &mut BTreeMap<String, T>, changes: &BTreeMap<String, Option<T>>) {
    for (name, change) in changes {
        match change {
            Some(value) => values.insert(name.clone(), value.clone()),
            None => values.remove(name),
        };
    }
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

fn json<T: serde::Serialize>(map: &BTreeMap<String, T>) -> String {
    serde_json::to_string(map).expect("maps of texts and booleans can be written as JSON")
}

/// Reads ids or consents as they were written.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<BTreeMap<String, T>> {
    // Most customers have no other ids, and many no consents.
    if text == "{}" {
        return Ok(BTreeMap::new());
    }
    serde_json::from_str(text).map_err(super::document::damaged)
}
