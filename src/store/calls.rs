//! Calls as the ledger keeps them.
//!
//! Ingest writes them; the run engine takes the open ones; the read API shows all.

use jiff::Timestamp;

use crate::domain::name::{CallId, TriggerName, VersionId};

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
}
