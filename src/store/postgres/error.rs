//! Sorts what PostgreSQL and the way to it answer into what trying again can heal and what it cannot.

use tokio_postgres::error::{DbError, SqlState};

use crate::store::StoreError;

/// SQLSTATE of a write that found its ground changed: nothing was kept, and it is to be decided anew. Raised by the
/// functions of the schema.
pub(super) const DECIDE_ANEW: &str = "FF001";

/// Classes of SQLSTATE that tell of the server's state, not of the statement: connection, rollback for concurrency,
/// resources, operator, system, internal.
const PASSING_CLASSES: [&str; 6] = ["08", "40", "53", "57", "58", "XX"];

/// What a failure means for whoever asked.
pub(super) fn store_error(error: &tokio_postgres::Error) -> StoreError {
    match error.as_db_error() {
        Some(db) if !is_passing(db) => StoreError::Refused(words(db)),
        Some(db) => StoreError::Unavailable(words(db)),
        None if is_ours(error) => StoreError::Refused(with_source(error)),
        None => StoreError::Unavailable(with_source(error)),
    }
}

/// Whether the functions of the schema ask for another decision.
pub(super) fn is_decide_anew(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code() == DECIDE_ANEW)
}

fn is_passing(error: &DbError) -> bool {
    let code = error.code();
    PASSING_CLASSES.contains(&code.code().get(..2).unwrap_or_default())
        || [
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            // A server that was set up anew knows none of the session's statements.
            SqlState::INVALID_SQL_STATEMENT_NAME,
            // A migration changed a table under a prepared statement; the next preparation sees it.
            SqlState::FEATURE_NOT_SUPPORTED,
        ]
        .contains(code)
        || matches!(code.code().get(..2), Some("28" | "3D"))
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
