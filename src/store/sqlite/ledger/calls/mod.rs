//! Calls in SQLite: rows of `call`, `call_key`, `refusal_count` and `version`.
//!
//! Writes go through the ledger's one writer, so what a transaction reads about keys is what it writes upon.

mod accept;
mod keys;
mod read;
mod refusals;
mod versions;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::Ledger;
use crate::domain::name::{CallId, TriggerName, VersionId};
use crate::store::StoreError;
use crate::store::calls::{
    AcceptedCall, Admitted, CallFilter, CallRecord, Calls, NewRequest, RefusalCount, RefusedCall,
    UnreadableCall,
};

/// Wakes the run engine when it is dropped, which happens after the commit: by the one who asked, or, if that one
/// has hung up, by the writer.
struct Arrival(Arc<Notify>);

impl Drop for Arrival {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[async_trait]
impl Calls for Ledger {
    async fn accept(&self, request: NewRequest) -> Result<Admitted, StoreError> {
        let arrival = Arrival(Arc::clone(&self.arrived));
        let work =
            move |connection: &rusqlite::Connection| Ok((accept::accept(connection, &request)?, arrival));
        self.database.try_write(work).await.map(|(admitted, _arrival)| admitted)
    }

    /// A file has one holder, who can decide in memory.
    fn keeps_rates(&self) -> bool {
        false
    }

    fn arrived(&self) -> Arc<Notify> {
        Arc::clone(&self.arrived)
    }

    async fn open_calls(&self, limit: u32) -> Result<Vec<Result<AcceptedCall, UnreadableCall>>, StoreError> {
        self.database.read(move |connection| read::open_calls(connection, limit)).await
    }

    async fn refuse(&self, calls: Vec<RefusedCall>, counts: Vec<RefusalCount>) -> Result<(), StoreError> {
        self.database.write(move |connection| refusals::insert(connection, &calls, &counts)).await
    }

    async fn list(&self, filter: CallFilter) -> Result<Vec<CallRecord>, StoreError> {
        self.database.read(move |connection| read::list(connection, &filter)).await
    }

    async fn get(&self, id: &CallId) -> Result<Option<CallRecord>, StoreError> {
        let id = id.clone();
        self.database.read(move |connection| read::get(connection, &id)).await
    }

    async fn counted_refusals(
        &self,
        trigger: Option<TriggerName>,
        minutes: Range<i64>,
    ) -> Result<Vec<RefusalCount>, StoreError> {
        self.database.read(move |connection| refusals::counted(connection, trigger.as_ref(), &minutes)).await
    }

    async fn accepted_times(
        &self,
        trigger: &TriggerName,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let trigger = trigger.clone();
        self.database.read(move |connection| read::accepted_times(connection, &trigger, since, limit)).await
    }

    async fn forget_keys(&self, now: Timestamp, limit: u32) -> Result<usize, StoreError> {
        self.database.write(move |connection| keys::forget(connection, now, limit)).await
    }

    async fn put_version(&self, id: &VersionId, content: String, now: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        self.database.write(move |connection| versions::put(connection, &id, &content, now)).await
    }

    async fn note_in_force(&self, id: &VersionId, now: Timestamp) -> Result<bool, StoreError> {
        let id = id.clone();
        self.database.write(move |connection| versions::note_in_force(connection, &id, now)).await
    }

    async fn get_version(&self, id: &VersionId) -> Result<Option<String>, StoreError> {
        let id = id.clone();
        self.database.read(move |connection| versions::get(connection, &id)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.get(&CallId::new("none")).await?;
        self.database.check().await
    }
}
