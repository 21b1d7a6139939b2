//! The ledger's file: calls, runs, chunks, deliveries, keys and versions.
//!
//! One file a concern; each implements that concern's trait of `store` on the same [`SqliteDatabase`].

mod backlog;
mod calls;
mod chunks;
mod held;
mod in_force;
mod ledger_deliveries;
mod ledger_runs;
mod left_out;
mod pauses;
mod removal;
mod rows;
mod run_log;
mod runs;
mod single_holder;
mod waiting;
mod window;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;

use super::{SqliteDatabase, SqliteOpenError};

/// Migrations of the ledger's file; this list only ever grows at its end.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/ledger_1.sql"),
    include_str!("../migrations/ledger_2.sql"),
    include_str!("../migrations/ledger_3.sql"),
    include_str!("../migrations/ledger_4.sql"),
    include_str!("../migrations/ledger_5.sql"),
    include_str!("../migrations/ledger_6.sql"),
    include_str!("../migrations/ledger_7.sql"),
    include_str!("../migrations/ledger_8.sql"),
    include_str!("../migrations/ledger_9.sql"),
];

/// The ledger on SQLite. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    database: Arc<SqliteDatabase>,
    /// Told after every commit of new calls.
    arrived: Arc<Notify>,
}

impl Ledger {
    /// Opens or creates `ledger.db` in the folder.
    ///
    /// # Errors
    /// See [`SqliteOpenError`].
    pub fn open(folder: &Path) -> Result<Self, SqliteOpenError> {
        let database = Arc::new(SqliteDatabase::open(&folder.join("ledger.db"), MIGRATIONS)?);
        Ok(Ledger { database, arrived: Arc::default() })
    }

    /// Commits what is queued and closes the file.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn opens_twice_with_the_same_schema() {
        let folder = tempfile::tempdir().unwrap();
        Ledger::open(folder.path()).unwrap().close().await;
        let ledger = Ledger::open(folder.path()).unwrap();
        let tables = ledger.database.read(|c| {
            c.query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'table'", [], |row| {
                row.get::<_, i64>(0)
            })
        });
        assert_eq!(tables.await, Ok(16));
    }
}
