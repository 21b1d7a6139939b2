//! The *customers* file: customers, their events and the side tables audiences are found by.
//!
//! Writes go through its one writer; a batch is one piece of work, so that it is kept whole or not at all.

mod events;
mod index;
mod load;
mod removal;
mod select;
mod upsert;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::Notify;

use index::maintenance::IndexMaintenance;
use index::require::{require, states};

use super::{SqliteDatabase, SqliteOpenError};
use crate::domain::customer::{Customer, CustomerKey, EventNeeds};
use crate::domain::render::AttributesSeen;
use crate::domain::selection::{IndexNeed, Selection};
use crate::store::StoreError;
use crate::store::audiences::{AccessPlan, Audiences, INDEX_GRACE, IndexState, Selected};
use crate::store::background_task::BackgroundTask;
use crate::store::customers::{CustomerWrite, Customers, EventWrite, LatestEvents, LineResult};

/// The schema, version by version; it only ever grows at its end.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/customers_1.sql")];

/// Customers and events in a SQLite file, and the task that maintains its indexes.
#[derive(Debug)]
pub struct SqliteCustomers {
    database: Arc<SqliteDatabase>,
    required: Arc<Notify>,
    background_task: BackgroundTask,
}

impl SqliteCustomers {
    /// Opens or creates the file. Must be called within a tokio runtime, where indexes are maintained until
    /// [`Self::close`].
    ///
    /// # Errors
    /// See [`SqliteOpenError`].
    pub fn open(path: &Path) -> Result<Self, SqliteOpenError> {
        Self::open_with_grace(path, INDEX_GRACE)
    }

    /// Like [`Self::open`], keeping indexes that no scenario needs for this long.
    ///
    /// # Errors
    /// See [`SqliteOpenError`].
    pub fn open_with_grace(path: &Path, grace: Duration) -> Result<Self, SqliteOpenError> {
        let database = Arc::new(SqliteDatabase::open(path, MIGRATIONS)?);
        let required = Arc::new(Notify::new());
        let maintenance =
            IndexMaintenance { database: Arc::clone(&database), grace, required: Arc::clone(&required) };
        Ok(SqliteCustomers {
            database,
            required,
            background_task: BackgroundTask::start(maintenance.maintain()),
        })
    }

    /// Ends index maintenance and the writer, and closes the file.
    pub async fn close(&self) {
        self.background_task.end().await;
        self.database.close().await;
    }
}

#[async_trait]
impl Customers for SqliteCustomers {
    async fn upsert_customers(&self, lines: Vec<CustomerWrite>) -> Result<Vec<LineResult>, StoreError> {
        self.database.write(move |connection| upsert::upsert(connection, &lines)).await
    }

    async fn insert_events(&self, lines: Vec<EventWrite>) -> Result<Vec<LineResult>, StoreError> {
        self.database.write(move |connection| events::insert(connection, &lines)).await
    }

    async fn load(&self, keys: &[CustomerKey], needs: &EventNeeds) -> Result<Vec<Customer>, StoreError> {
        let (keys, needs) = (keys.to_vec(), needs.clone());
        self.database.read(move |connection| in_snapshot(connection, |c| load::load(c, &keys, &needs))).await
    }

    async fn latest_events(&self, customer: CustomerKey, limit: u32) -> Result<LatestEvents, StoreError> {
        self.database
            .read(move |connection| in_snapshot(connection, |c| load::latest_events(c, customer, limit)))
            .await
    }

    async fn find(&self, registered: &str) -> Result<Option<CustomerKey>, StoreError> {
        let registered = registered.to_owned();
        let key = self.database.read(move |connection| upsert::key_of(connection, &registered)).await?;
        Ok(key.map(CustomerKey))
    }

    async fn event_types(&self) -> Result<BTreeSet<String>, StoreError> {
        let names = |connection: &Connection| {
            let mut statement = connection.prepare_cached("SELECT name FROM event_type")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        self.database.read(names).await
    }

    async fn attributes_seen(&self) -> Result<AttributesSeen, StoreError> {
        self.database.read(|connection| in_snapshot(connection, load::attributes_seen)).await
    }

    async fn count_customers(&self) -> Result<u64, StoreError> {
        let count = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM customer", [], |row| row.get::<_, i64>(0))
        };
        self.database.read(count).await.map(i64::unsigned_abs)
    }
}

#[async_trait]
impl Audiences for SqliteCustomers {
    async fn select(&self, selection: &Selection) -> Result<Selected, StoreError> {
        let selection = selection.clone();
        self.database.read(move |connection| in_snapshot(connection, |c| select::select(c, &selection))).await
    }

    async fn explain(&self, selection: &Selection) -> Result<AccessPlan, StoreError> {
        let selection = selection.clone();
        self.database
            .read(move |connection| in_snapshot(connection, |c| select::explain(c, &selection)))
            .await
    }

    async fn require_indexes(&self, needs: BTreeSet<IndexNeed>) -> Result<(), StoreError> {
        self.database.write(move |connection| require(connection, &needs, Timestamp::now())).await?;
        self.required.notify_one();
        Ok(())
    }

    async fn index_states(&self) -> Result<Vec<IndexState>, StoreError> {
        self.database.read(|connection| in_snapshot(connection, states)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.database.check().await
    }
}

/// A document that is not as it was written.
fn damaged(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}

/// Runs several statements on one snapshot.
fn in_snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let snapshot = connection.unchecked_transaction()?;
    let result = work(&snapshot)?;
    snapshot.commit()?;
    Ok(result)
}
