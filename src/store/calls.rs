//! Calls as the ledger keeps them, and the keys that make one happening one call.
//!
//! Ingest writes them; the run engine takes the open ones; the read API shows all.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::StoreError;
use crate::domain::admission::{Answer, Refusal};
use crate::domain::name::{CallId, TriggerName, VersionId};
use crate::domain::rate_window::RateLimit;
use crate::domain::state::CallState;
use crate::domain::trace::TraceParent;

/// A call that was accepted and not yet matched, as the run engine takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct AcceptedCall {
    /// The ledger's number; later calls have greater ones.
    pub seq: i64,
    /// The id its caller was answered.
    pub id: CallId,
    /// The trigger that was called.
    pub trigger: TriggerName,
    /// The version in force when it was accepted.
    pub version: VersionId,
    /// `now` in conditions and contents.
    pub received_at: Timestamp,
    /// After this nothing of it is sent any more.
    pub expires_at: Option<Timestamp>,
    /// The declared params after mapping, defaults and checks; timestamps as RFC 3339.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// Its span, if it belongs to a trace.
    pub trace: Option<TraceParent>,
}

/// What is said of a call whose params cannot be read back.
pub(super) fn unreadable_params(error: &serde_json::Error) -> String {
    format!("its params cannot be read back ({error})")
}

/// An accepted call whose content cannot be read back. It can only be ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableCall {
    /// The ledger's number.
    pub seq: i64,
    /// The id its caller was answered.
    pub id: CallId,
    /// What is wrong with it.
    pub reason: String,
}

/// A key that only one body may occupy until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Within what the key is one: a trigger, or a trigger and a credential.
    pub scope: String,
    /// The key.
    pub key: String,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// One call of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCall {
    /// Its id.
    pub id: CallId,
    /// After this nothing of it is sent any more.
    pub expires_at: Option<Timestamp>,
    /// The params' canonical JSON.
    pub params: String,
    /// The happening it reports, where the trigger tells happenings apart.
    pub deduplication: Option<NewKey>,
}

/// Asked once keys are settled, with the indices of the calls that are new; asked again where the ground changed
/// before they could be written. Its refusal is the request's, and nothing is kept then.
pub type Gate = Box<dyn Fn(&[usize]) -> Result<(), Refusal> + Send + Sync>;

/// A request that passed every check which needs no store.
pub struct NewRequest {
    /// The trigger that was called.
    pub trigger: TriggerName,
    /// Who called.
    pub credential: Arc<str>,
    /// `now` in conditions and contents.
    pub received_at: Timestamp,
    /// The version in force.
    pub version: VersionId,
    /// SHA-256 of the raw body: a key is equal only if this is.
    pub body_digest: [u8; 32],
    /// The request's id where it makes a call of each of several elements.
    pub request: Option<CallId>,
    /// The `Idempotency-Key` header.
    pub idempotency: Option<NewKey>,
    /// Its calls; exactly one where `request` is `None`.
    pub calls: Vec<NewCall>,
    /// What is checked once keys are settled; `None` when nothing is.
    pub gate: Option<Gate>,
    /// The trigger's rate window, where the store keeps it; see [`Calls::keeps_rates`].
    pub rate: Option<RateLimit>,
    /// The span of each of its calls, if they belong to a trace.
    pub trace: Option<TraceParent>,
}

/// What came of a request that was put before the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// Its calls are on disk.
    Accepted(Answer),
    /// Its key is known: what the first one was answered.
    Again(Answer),
    /// Turned away; nothing was kept.
    Refused(Refusal),
}

/// A refused request, as the trigger log shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedCall {
    /// Its id in the log.
    pub id: CallId,
    /// The trigger it asked for.
    pub trigger: TriggerName,
    /// Who called, once that was proven.
    pub credential: Option<Arc<str>>,
    /// When.
    pub received_at: Timestamp,
    /// What it was answered.
    pub http_status: u16,
    /// Why.
    pub reason: String,
}

/// How many kinds of counted refusals are read at once.
pub const COUNTED_MAX: u32 = 100;

/// Refusals that are only counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalCount {
    /// The trigger they asked for.
    pub trigger: TriggerName,
    /// What they were answered.
    pub http_status: u16,
    /// Why.
    pub reason: String,
    /// Minutes since 1970.
    pub minute: i64,
    /// How many.
    pub refusals: u64,
}

/// A call as the trigger log shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// The ledger's number.
    pub seq: i64,
    /// Its id.
    pub id: CallId,
    /// The request it came in, where one request made several calls.
    pub request: Option<CallId>,
    /// The trigger that was called.
    pub trigger: TriggerName,
    /// Who called.
    pub credential: Option<String>,
    /// When.
    pub received_at: Timestamp,
    /// After this nothing of it is sent any more.
    pub expires_at: Option<Timestamp>,
    /// The version it came in with.
    pub version: Option<VersionId>,
    /// Its params as JSON.
    pub params: Option<String>,
    /// What has become of it.
    pub state: CallState,
    /// What it was answered.
    pub http_status: u16,
    /// Why it was refused or failed.
    pub reason: Option<String>,
    /// JSON: the scenarios that listen and did not fire, with reasons.
    pub not_fired: Option<String>,
    /// When all its runs were at their end.
    pub finished_at: Option<Timestamp>,
}

/// Which calls are asked for. They come newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallFilter {
    /// Of this trigger only.
    pub trigger: Option<TriggerName>,
    /// In this state only, or with a run that came to it; see [`CallState::found_as`].
    pub state: Option<CallState>,
    /// Of this request only.
    pub request: Option<CallId>,
    /// Received then or later.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// Older than this call; where the last page ended.
    pub before: Option<CallId>,
    /// How many at most.
    pub limit: u32,
    /// Leaves out the params, which may be large.
    pub without_params: bool,
}

/// A page of calls with their params ends with the one by which these have so many bytes.
pub const PAGE_PARAMS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many bytes the params of these calls have.
pub fn params_bytes(calls: &[CallRecord]) -> usize {
    calls.iter().map(|call| call.params.as_ref().map_or(0, String::len)).sum()
}

/// Where calls, their keys and the versions they came in with are kept.
#[async_trait]
pub trait Calls: Send + Sync {
    /// Commits a request's calls and keys in one transaction, and answers once they are on disk.
    ///
    /// # Errors
    /// [`StoreError::Busy`] at once when the queue is full; see [`StoreError`]. Nothing was kept then.
    async fn accept(&self, request: NewRequest) -> Result<Admitted, StoreError>;

    /// Whether rate windows are decided by the store, because several replicas share them. Where they are not, the
    /// gate decides them.
    fn keeps_rates(&self) -> bool;

    /// Is told after every commit of new calls, also when their caller has hung up meanwhile.
    fn arrived(&self) -> Arc<Notify>;

    /// Accepted calls that are not matched yet, oldest first; one that cannot be read keeps no other.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn open_calls(&self, limit: u32) -> Result<Vec<Result<AcceptedCall, UnreadableCall>>, StoreError>;

    /// Keeps refusals, those in full and those counted.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn refuse(&self, calls: Vec<RefusedCall>, counts: Vec<RefusalCount>) -> Result<(), StoreError>;

    /// One page of the trigger log, newest first; with params it may end early, see [`PAGE_PARAMS_BYTES_MAX`].
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn list(&self, filter: CallFilter) -> Result<Vec<CallRecord>, StoreError>;

    /// One call.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn get(&self, id: &CallId) -> Result<Option<CallRecord>, StoreError>;

    /// Refusals that were only counted in these minutes, the most frequent first and at most [`COUNTED_MAX`]; the minute of
    /// each is the last one. Without a trigger, those of all.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn counted_refusals(
        &self,
        trigger: Option<TriggerName>,
        minutes: Range<i64>,
    ) -> Result<Vec<RefusalCount>, StoreError>;

    /// When a trigger's accepted calls came since a moment: the newest `limit` of them, oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn accepted_times(
        &self,
        trigger: &TriggerName,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Timestamp>, StoreError>;

    /// Forgets keys that expired, at most `limit`; answers how many.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn forget_keys(&self, now: Timestamp, limit: u32) -> Result<usize, StoreError>;

    /// Keeps what is in force before a call can use it. Keeping the same again only notes when that was.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn put_version(&self, id: &VersionId, content: String, now: Timestamp) -> Result<(), StoreError>;

    /// Notes that a version is in force now, so that it is not removed as one that nothing needs; false if it is not kept.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn note_in_force(&self, id: &VersionId, now: Timestamp) -> Result<bool, StoreError>;

    /// What was in force.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn get_version(&self, id: &VersionId) -> Result<Option<String>, StoreError>;

    /// Whether the store answers and keeps what it is given: tells of what it refused of late, and of rights that are
    /// missing.
    ///
    /// # Errors
    /// What is wrong with it.
    async fn check(&self) -> Result<(), StoreError> {
        self.get(&CallId::new("none")).await.map(drop)
    }

    /// What promises rest on and cannot be seen of this store, with what to do about it.
    fn caution(&self) -> Option<String> {
        None
    }

    /// How many connections were refused because their server has been replaced by another.
    fn refused_connections(&self) -> u64 {
        0
    }
}
