//! Calls on PostgreSQL: accepted many to a statement, two statements under way, and read as pages.

mod acceptor;
mod batch;
mod decide;
mod read;
mod write;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;

pub(super) use acceptor::Acceptor;

use super::PostgresLedger;
use crate::domain::name::{CallId, TriggerName, VersionId};
use crate::store::StoreError;
use crate::store::calls::{
    AcceptedCall, Admitted, CallFilter, CallRecord, Calls, NewRequest, RefusalCount, RefusedCall,
    UnreadableCall,
};

#[async_trait]
impl Calls for PostgresLedger {
    async fn accept(&self, request: NewRequest) -> Result<Admitted, StoreError> {
        self.acceptor.accept(request).await
    }

    fn keeps_rates(&self) -> bool {
        true
    }

    fn arrived(&self) -> Arc<Notify> {
        Arc::clone(&self.arrived)
    }

    async fn open_calls(&self, limit: u32) -> Result<Vec<Result<AcceptedCall, UnreadableCall>>, StoreError> {
        read::open_calls(&mut self.database.ledger().await?, limit).await
    }

    async fn refuse(&self, calls: Vec<RefusedCall>, counts: Vec<RefusalCount>) -> Result<(), StoreError> {
        write::refuse(&mut self.database.ledger().await?, &calls, &counts).await
    }

    async fn list(&self, filter: CallFilter) -> Result<Vec<CallRecord>, StoreError> {
        read::list(&mut self.database.log().await?, &filter).await
    }

    async fn get(&self, id: &CallId) -> Result<Option<CallRecord>, StoreError> {
        read::one(&mut self.database.ledger().await?, id).await
    }

    async fn counted_refusals(
        &self,
        trigger: Option<TriggerName>,
        minutes: Range<i64>,
    ) -> Result<Vec<RefusalCount>, StoreError> {
        read::counted_refusals(&mut self.database.ledger().await?, trigger.as_ref(), &minutes).await
    }

    async fn accepted_times(
        &self,
        trigger: &TriggerName,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Timestamp>, StoreError> {
        read::accepted_times(&mut self.database.ledger().await?, trigger, since, limit).await
    }

    async fn forget_keys(&self, now: Timestamp, limit: u32) -> Result<usize, StoreError> {
        write::forget_keys(&mut self.database.ledger().await?, now, limit).await
    }

    async fn put_version(&self, id: &VersionId, content: String, now: Timestamp) -> Result<(), StoreError> {
        // The same digest is the same content; it is as old as when it was in force last.
        let put = "INSERT INTO version AS v (id, content, created_at) VALUES ($1, $2, $3)
            ON CONFLICT (id) DO UPDATE SET created_at = greatest(v.created_at, excluded.created_at)";
        let mut session = self.database.ledger().await?;
        session.query(put, &[&id.as_str(), &content, &now.as_microsecond()]).await.map(drop)
    }

    async fn note_in_force(&self, id: &VersionId, now: Timestamp) -> Result<bool, StoreError> {
        let note = "UPDATE version SET created_at = greatest(created_at, $2) WHERE id = $1 RETURNING 1";
        let mut session = self.database.ledger().await?;
        Ok(session.first(note, &[&id.as_str(), &now.as_microsecond()]).await?.is_some())
    }

    async fn get_version(&self, id: &VersionId) -> Result<Option<String>, StoreError> {
        let mut session = self.database.ledger().await?;
        let found = session.first("SELECT content FROM version WHERE id = $1", &[&id.as_str()]).await?;
        found.map(|row| super::rows::get(&row, 0)).transpose()
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.get(&CallId::new("none")).await?;
        self.database.check().await
    }

    fn caution(&self) -> Option<String> {
        self.database.caution()
    }

    fn refused_connections(&self) -> u64 {
        self.database.refused_connections()
    }
}
