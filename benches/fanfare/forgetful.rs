//! A ledger that keeps nothing: what remains of ingest without a store, which durable ingest is compared with.

use std::sync::Arc;

use async_trait::async_trait;
use fanfare::domain::admission::Answer;
use fanfare::domain::name::{CallId, TriggerName, VersionId};
use fanfare::store::StoreError;
use fanfare::store::calls::{
    AcceptedCall, Admitted, CallFilter, CallRecord, Calls, NewRequest, RefusalCount, RefusedCall,
    UnreadableCall,
};
use jiff::Timestamp;
use tokio::sync::Notify;

/// Answers every request at once.
#[derive(Default)]
pub struct Forgetful(Arc<Notify>);

#[async_trait]
impl Calls for Forgetful {
    async fn accept(&self, request: NewRequest) -> Result<Admitted, StoreError> {
        let call = request.calls.into_iter().next().ok_or(StoreError::Closed)?;
        Ok(Admitted::Accepted(Answer { id: call.id, calls: None }))
    }

    fn keeps_rates(&self) -> bool {
        false
    }

    fn arrived(&self) -> Arc<Notify> {
        self.0.clone()
    }

    async fn open_calls(&self, _: u32) -> Result<Vec<Result<AcceptedCall, UnreadableCall>>, StoreError> {
        Ok(Vec::new())
    }

    async fn refuse(&self, _: Vec<RefusedCall>, _: Vec<RefusalCount>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn list(&self, _: CallFilter) -> Result<Vec<CallRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn get(&self, _: &CallId) -> Result<Option<CallRecord>, StoreError> {
        Ok(None)
    }

    async fn counted_refusals(
        &self,
        _: Option<TriggerName>,
        _: std::ops::Range<i64>,
    ) -> Result<Vec<RefusalCount>, StoreError> {
        Ok(Vec::new())
    }

    async fn accepted_times(
        &self,
        _: &TriggerName,
        _: Timestamp,
        _: u32,
    ) -> Result<Vec<Timestamp>, StoreError> {
        Ok(Vec::new())
    }

    async fn forget_keys(&self, _: Timestamp, _: u32) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn put_version(&self, _: &VersionId, _: String, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn note_in_force(&self, _: &VersionId, _: Timestamp) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn get_version(&self, _: &VersionId) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
}
