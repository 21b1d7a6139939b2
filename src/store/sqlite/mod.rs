//! The embedded store: two files, *ledger* and *customers*, each with one writer thread and a few readers.
//!
//! No transaction spans both files; each asserts `synchronous=FULL` when it is opened.

mod archive;
mod customers;
mod database;
mod ledger;
mod readers;
mod writer;

pub use archive::{ArchiveError, read_archive, write_archive};
pub use customers::SqliteCustomers;
pub use database::{Database, OpenError};
pub use ledger::Ledger;

use super::StoreError;

/// Sorts a failure of SQLite into what trying again can heal and what it cannot.
pub(crate) fn store_error(error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode as Code;
    match error.sqlite_error_code() {
        Some(
            Code::DatabaseBusy
            | Code::DatabaseLocked
            | Code::DiskFull
            | Code::SystemIoFailure
            | Code::CannotOpen
            | Code::OutOfMemory
            | Code::OperationInterrupted
            | Code::ReadOnly,
        ) => StoreError::Unavailable(error.to_string()),
        _ => StoreError::Refused(error.to_string()),
    }
}
