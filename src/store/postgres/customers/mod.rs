//! Customers, their events and the side tables audiences are found by, for many replicas at once.
//!
//! A batch is decided on what was read and written in one statement that asserts it; a writer that was overtaken decides
//! anew. No row is locked while this process thinks.

mod batch;
mod events;
mod index;
mod load;
mod read;
mod removal;
mod select;
mod snapshot;
mod upsert;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore};

use super::PostgresDatabase;
use super::database::BATCH_TIME_MAX;
use super::session::Session;
use crate::domain::customer::{Customer, CustomerKey, EventNeeds};
use crate::domain::render::AttributesSeen;
use crate::domain::selection::{IndexNeed, Selection};
use crate::store::StoreError;
use crate::store::audiences::{AccessPlan, Audiences, INDEX_GRACE, IndexState, Selected};
use crate::store::background_task::BackgroundTask;
use crate::store::customers::{CustomerWrite, Customers, EventWrite, LatestEvents, LineResult};
use index::maintenance::IndexMaintenance;
use index::require::{Needs, states};
use snapshot::{Reading, in_snapshot};

/// How many snapshots may be read at once: some connections are left to writes and to index maintenance.
const READERS_MAX: usize = 5;

const FIND: &str = "SELECT customer FROM identity WHERE id = $1 AND kind = $2";

/// Customers and events of one tenant, and the task that maintains its indexes.
#[derive(Debug)]
pub struct PostgresCustomers {
    database: Arc<PostgresDatabase>,
    needs: Arc<Needs>,
    required: Arc<Notify>,
    readers: Arc<Semaphore>,
    background_task: BackgroundTask,
}

impl PostgresCustomers {
    /// Serves the tenant's customers. Must be called within a tokio runtime, where indexes are maintained
    /// until [`Self::close`].
    pub fn open(database: Arc<PostgresDatabase>) -> Self {
        Self::open_with_grace(database, INDEX_GRACE)
    }

    /// Like [`Self::open`], keeping indexes that no scenario needs for this long.
    pub fn open_with_grace(database: Arc<PostgresDatabase>, grace: Duration) -> Self {
        let (needs, required) = (Arc::new(Needs::new()), Arc::new(Notify::new()));
        let maintenance = IndexMaintenance {
            database: Arc::clone(&database),
            needs: Arc::clone(&needs),
            grace,
            required: Arc::clone(&required),
        };
        let readers = Arc::new(Semaphore::new(READERS_MAX));
        PostgresCustomers {
            database,
            needs,
            required,
            readers,
            background_task: BackgroundTask::start(maintenance.maintain()),
        }
    }

    /// Ends index maintenance; the database is left open for its other users.
    pub async fn close(&self) {
        self.background_task.end().await;
    }

    /// Reads several statements on one snapshot of the connection that is lent, when it is its turn.
    async fn read<T, F>(
        &self,
        lending: impl Future<Output = Result<Session, StoreError>> + Send,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Reading<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let place = Arc::clone(&self.readers).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let reading = move |reading: &Reading<'_>| {
            // The caller may have gone; the place is free when the reading has ended.
            let _place = place;
            work(reading)
        };
        in_snapshot(lending.await?, reading).await
    }
}

/// The caller of a batch hears within [`BATCH_TIME_MAX`], whether the batch waits for a connection, for others or for the disk.
async fn in_time<T>(batch: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Unavailable("PostgreSQL did not answer in time".into());
    tokio::time::timeout(BATCH_TIME_MAX, batch).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

/// A document that is not as it was written.
fn damaged(error: serde_json::Error) -> StoreError {
    StoreError::Refused(format!("a document that was kept cannot be read: {error}"))
}

#[async_trait]
impl Customers for PostgresCustomers {
    async fn upsert_customers(&self, lines: Vec<CustomerWrite>) -> Result<Vec<LineResult>, StoreError> {
        in_time(upsert::upsert(&self.database, lines)).await
    }

    async fn insert_events(&self, lines: Vec<EventWrite>) -> Result<Vec<LineResult>, StoreError> {
        in_time(events::insert(&self.database, lines)).await
    }

    async fn load(&self, keys: &[CustomerKey], needs: &EventNeeds) -> Result<Vec<Customer>, StoreError> {
        let (keys, needs) = (keys.to_vec(), needs.clone());
        self.read(self.database.customers_soon(), move |reading| load::load(reading, &keys, &needs)).await
    }

    async fn latest_events(&self, customer: CustomerKey, limit: u32) -> Result<LatestEvents, StoreError> {
        let reading = self.database.customers_soon();
        self.read(reading, move |reading| load::latest_events(reading, customer, limit)).await
    }

    async fn find(&self, registered: &str) -> Result<Option<CustomerKey>, StoreError> {
        let mut session = self.database.customers_soon().await?;
        let found = session.first(FIND, &[&registered, &batch::REGISTERED]).await?;
        Ok(found.map(|row| CustomerKey(row.get(0))))
    }

    async fn event_types(&self) -> Result<BTreeSet<String>, StoreError> {
        let rows = self.database.customers_soon().await?.query("SELECT name FROM event_type", &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn attributes_seen(&self) -> Result<AttributesSeen, StoreError> {
        self.read(self.database.customers_soon(), load::attributes_seen).await
    }

    async fn count_customers(&self) -> Result<u64, StoreError> {
        let row = self.database.customers_soon().await?.one("SELECT count(*) FROM customer", &[]).await?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }
}

#[async_trait]
impl Audiences for PostgresCustomers {
    async fn select(&self, selection: &Selection) -> Result<Selected, StoreError> {
        let selection = selection.clone();
        self.read(self.database.customers(), move |reading| select::select(reading, &selection)).await
    }

    async fn explain(&self, selection: &Selection) -> Result<AccessPlan, StoreError> {
        let selection = selection.clone();
        self.read(self.database.customers_soon(), move |reading| select::explain(reading, &selection)).await
    }

    async fn require_indexes(&self, needs: BTreeSet<IndexNeed>) -> Result<(), StoreError> {
        self.needs.require(&self.database, &needs).await?;
        self.required.notify_one();
        Ok(())
    }

    async fn index_states(&self) -> Result<Vec<IndexState>, StoreError> {
        states(&self.database).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        // Rights and failures are those of the whole schema, which the ledger tells of.
        Ok(())
    }
}
