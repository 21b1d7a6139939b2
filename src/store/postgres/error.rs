//! Sorts what PostgreSQL and the way to it answer into what trying again can heal and what it cannot.

use tokio_postgres::error::{DbError, SqlState};

use crate::store::StoreError;

/// SQLSTATE of a write that found its ground changed: nothing was kept, and it is to be decided anew. Raised by the
/// functions of the schema.
pub(super) const DECIDE_ANEW: &str = "FF001";

/// Classes of SQLSTATE by which the data itself makes a statement impossible: 22 is a value that cannot be, 23 a
/// constraint that it breaks (PostgreSQL's manual, appendix A). All else may be put right, also what is not listed
/// here: a right that was taken away, a table that is not there, a server's limits.
const DATA_CLASSES: [&str; 2] = ["22", "23"];
/// How PostgreSQL ends the names of keys that were given none.
const OWN_ENDINGS: [&str; 3] = ["_pkey", "_key", "_fkey"];
/// Keys of the schema that have names of their own.
const OWN_KEYS: [&str; 1] = ["side_index_kept"];
/// Classes of SQLSTATE after which a connection is of no use, or not known to be: connection, transaction's state,
/// statement's name, operator, system, internal.
const SPOILING_CLASSES: [&str; 7] = ["08", "25", "26", "0A", "57", "58", "XX"];

/// What a failure means for the caller.
pub(super) fn store_error(error: &tokio_postgres::Error) -> StoreError {
    match error.as_db_error() {
        Some(db) if is_barred(db) => StoreError::Barred(words(db)),
        Some(db) if is_of_the_data(db) => StoreError::Refused(words(db)),
        Some(db) => StoreError::Unavailable(words(db)),
        None if is_ours(error) => StoreError::Refused(with_source(error)),
        None => StoreError::Unavailable(with_source(error)),
    }
}

/// Whether the functions of the schema ask for another decision.
pub(super) fn is_decide_anew(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code() == DECIDE_ANEW)
}

fn is_of_the_data(error: &DbError) -> bool {
    // A row for which no partition is there breaks no constraint: that names none.
    let is_unplaced = *error.code() == SqlState::CHECK_VIOLATION && error.constraint().is_none();
    DATA_CLASSES.contains(&class(error)) && !is_unplaced && !is_barred(error)
}

/// Whether a constraint refuses that is not of this schema: an administrator added it, and may take it away again. The schema has
/// keys, each named as PostgreSQL names it, and breaks no other kind of constraint.
fn is_barred(error: &DbError) -> bool {
    let code = error.code();
    let name = error.constraint().unwrap_or_default();
    let is_own_key = OWN_KEYS.contains(&name)
        || error.table().is_some_and(|table| {
            let rest = name.strip_prefix(table).unwrap_or_default();
            OWN_ENDINGS.iter().any(|ending| rest.ends_with(ending))
        });
    match class(error) {
        "23" if *code == SqlState::CHECK_VIOLATION => !name.is_empty(),
        "23" => !(is_own_key && [SqlState::UNIQUE_VIOLATION, SqlState::FOREIGN_KEY_VIOLATION].contains(code)),
        _ => false,
    }
}

/// Whether the connection that gave this answer is not to be used again.
pub(super) fn spoils_connection(error: &tokio_postgres::Error) -> bool {
    let Some(db) = error.as_db_error() else { return !is_ours(error) };
    error.is_closed()
        || SPOILING_CLASSES.contains(&class(db))
        || *db.code() == SqlState::DUPLICATE_PSTATEMENT
        || *db.code() == SqlState::LOCK_NOT_AVAILABLE
}

/// What says that the store itself refuses: a right, a table, the disk. A lock that is held for a moment, or a
/// statement that takes too long, tells nothing about it.
pub(super) fn trouble(error: &tokio_postgres::Error) -> Option<String> {
    let db = error.as_db_error()?;
    let passes_by_itself = ["08", "40", "55", "57", "FF"].contains(&class(db));
    (!passes_by_itself && !is_of_the_data(db)).then(|| words(db))
}

fn class(error: &DbError) -> &str {
    error.code().code().get(..2).unwrap_or_default()
}

/// A value that could not be bound or read: the same happens again.
fn is_ours(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    text.starts_with("error serializing parameter") || text.starts_with("error deserializing column")
}

fn words(error: &DbError) -> String {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{} (SQLSTATE {}){detail}", error.message(), error.code().code())
}

fn with_source(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
