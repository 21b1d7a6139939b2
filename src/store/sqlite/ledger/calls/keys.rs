//! The table `call_key`: what occupies a key, until when, and what it was answered.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params, params};

use crate::domain::admission::{Answer, KeyKind};
use crate::store::acceptance::Known;
use crate::store::calls::NewKey;

pub(super) fn known(
    connection: &Connection,
    kind: KeyKind,
    key: &NewKey,
    now: Timestamp,
) -> rusqlite::Result<Option<Known>> {
    let mut select = connection.prepare_cached(
        "SELECT body_digest, answer FROM call_key WHERE scope = ?1 AND key = ?2 AND kind = ?3 AND expires_at > ?4",
    )?;
    let found = select.query_row(params![key.scope, key.key, kind as i64, now.as_microsecond()], |row| {
        let answer: String = row.get(1)?;
        Ok(Known { body_digest: row.get(0)?, answer: read_answer(&answer)? })
    });
    found.optional()
}

fn read_answer(text: &str) -> rusqlite::Result<Answer> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// Occupies a key that is free, or whose occupation has expired and was not purged yet.
pub(super) fn occupy(
    connection: &Connection,
    kind: KeyKind,
    key: &NewKey,
    body_digest: &[u8; 32],
    answer: &Answer,
) -> rusqlite::Result<()> {
    let answer = serde_json::to_string(answer).expect("an answer holds only texts");
    let mut insert = connection.prepare_cached(
        "INSERT INTO call_key (kind, scope, key, body_digest, answer, expires_at)
         VALUES (:kind, :scope, :key, :digest, :answer, :expires_at)
         ON CONFLICT (scope, key, kind) DO UPDATE
         SET body_digest = excluded.body_digest, answer = excluded.answer, expires_at = excluded.expires_at",
    )?;
    insert.execute(named_params! {
        ":kind": kind as i64,
        ":scope": key.scope,
        ":key": key.key,
        ":digest": body_digest,
        ":answer": answer,
        ":expires_at": key.expires_at.as_microsecond(),
    })?;
    Ok(())
}

pub(super) fn forget(connection: &Connection, now: Timestamp, limit: u32) -> rusqlite::Result<usize> {
    // The table has no rowid, so the batch is named by its keys.
    let mut delete = connection.prepare_cached(
        "DELETE FROM call_key WHERE (scope, key, kind) IN
         (SELECT scope, key, kind FROM call_key WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
    )?;
    delete.execute(params![now.as_microsecond(), limit])
}
