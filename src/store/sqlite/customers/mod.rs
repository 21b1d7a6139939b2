//! The *customers* file: customers, their events and the side tables audiences are found by.
//!
//! Writes go through its one writer; a batch is one piece of work, so that it is kept whole or not at all.

mod document;
mod events;
mod index;
mod load;
mod upsert;

use std::collections::BTreeSet;
use std::path::Path;

use async_trait::async_trait;
use rusqlite::Connection;

use super::{Database, OpenError};
use crate::domain::customer::{Customer, CustomerKey, EventNeeds};
use crate::store::StoreError;
use crate::store::customers::{CustomerWrite, Customers, EventWrite, LineResult};

/// The schema, version by version; it only ever grows at its end.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/customers_1.sql")];

/// Customers and events in a SQLite file.
#[derive(Debug)]
pub struct SqliteCustomers {
    database: Database,
}

impl SqliteCustomers {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(SqliteCustomers { database: Database::open(path, MIGRATIONS)? })
    }

    /// Ends the writer and closes the file.
    pub async fn close(&self) {
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

    async fn count_customers(&self) -> Result<u64, StoreError> {
        let count = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM customer", [], |row| row.get::<_, i64>(0))
        };
        self.database.read(count).await.map(i64::unsigned_abs)
    }
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
