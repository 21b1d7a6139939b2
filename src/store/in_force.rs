//! What a tenant had in force last, and whose it is: what a process takes up before anyone has told it anything.
//!
//! Credentials are here as digests only; a secret never is.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::domain::name::VersionId;

/// What was in force last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForceRecord {
    /// The version; its content is kept by [`super::calls::Calls::put_version`].
    pub version: VersionId,
    /// The digests of the credentials that were taken, as JSON.
    pub credentials: String,
}

/// Who owns a tenant: a namespace of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The cluster: the UID of its namespace kube-system, or `unknown`.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.cluster, self.namespace)
    }
}

/// Where it is kept.
#[async_trait]
pub trait InForce: Send + Sync {
    /// Keeps what is in force now, in place of what was.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn put_in_force(&self, record: &InForceRecord, now: Timestamp) -> Result<(), StoreError>;

    /// What was in force last; nothing in a new store.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn get_in_force(&self) -> Result<Option<InForceRecord>, StoreError>;

    /// Takes the tenant if it has no owner, or if exactly `from` owns it and hands it over. Answers who has it now.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn hold(
        &self,
        holder: &Holder,
        from: Option<&Holder>,
        now: Timestamp,
    ) -> Result<Holder, StoreError>;
}
