//! The embedded store: two files, *ledger* and *customers*, each with one writer thread and a few readers.
//!
//! No transaction spans both files; each asserts `synchronous=FULL` when it is opened.

mod archive;
mod customers;
mod database;
mod foreground;
mod ledger;
mod readers;
mod removal_time;
mod writer;

pub use archive::{ArchiveError, read_archive, write_archive};
pub use customers::SqliteCustomers;
pub use database::{SqliteDatabase, SqliteOpenError};
pub use ledger::Ledger;

use super::StoreError;

/// Sorts a failure of SQLite into what trying again can heal and what it cannot: only what the data itself makes
/// impossible. A disk that is full, a file that is read-only, damaged, locked or gone, and whatever else is not
/// listed here, may be put right, and decides about no call.
pub(crate) fn store_error(error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode as Code;
    match error.sqlite_error_code() {
        None
        | Some(Code::ConstraintViolation | Code::TooBig | Code::TypeMismatch | Code::ParameterOutOfRange) => {
            StoreError::Refused(error.to_string())
        }
        Some(_) => StoreError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn only_what_the_data_makes_impossible_is_final() {
        let of = |code| store_error(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for code in [ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_TOOBIG, ffi::SQLITE_MISMATCH] {
            assert!(!of(code).is_transient(), "{code}");
        }
        let passing = [
            ffi::SQLITE_ERROR,
            ffi::SQLITE_INTERNAL,
            ffi::SQLITE_PERM,
            ffi::SQLITE_ABORT,
            ffi::SQLITE_BUSY,
            ffi::SQLITE_LOCKED,
            ffi::SQLITE_NOMEM,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_READONLY_DBMOVED,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_FULL,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_PROTOCOL,
            ffi::SQLITE_SCHEMA,
            ffi::SQLITE_AUTH,
            ffi::SQLITE_NOTADB,
        ];
        for code in passing {
            assert!(of(code).is_transient(), "{code}");
        }
    }
}
