//! The table `version`: everything in force at one time, by its digest.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::name::VersionId;

pub(super) fn put(
    connection: &Connection,
    id: &VersionId,
    content: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    // The same digest is the same content; it is as old as when it was in force last.
    let mut insert = connection.prepare_cached(
        "INSERT INTO version (id, content, created_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET created_at = max(created_at, excluded.created_at)",
    )?;
    insert.execute(params![id.as_str(), content, now.as_microsecond()])?;
    Ok(())
}

pub(super) fn note_in_force(
    connection: &Connection,
    id: &VersionId,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let mut update =
        connection.prepare_cached("UPDATE version SET created_at = max(created_at, ?2) WHERE id = ?1")?;
    Ok(update.execute(params![id.as_str(), now.as_microsecond()])? > 0)
}

pub(super) fn get(connection: &Connection, id: &VersionId) -> rusqlite::Result<Option<String>> {
    let mut select = connection.prepare_cached("SELECT content FROM version WHERE id = ?1")?;
    select.query_row([id.as_str()], |row| row.get(0)).optional()
}
