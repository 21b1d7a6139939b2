//! Audiences as the store finds them: a selection in, keys out, and the side tables that make it quick.
//!
//! The run engine selects once a run; the compiler's snapshot says which indexes are needed.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::customer::CustomerKey;
use crate::domain::selection::{IndexNeed, Selection};

/// The customers a selection chose, and how they were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// In ascending order, without repetition. A superset of the audience: the evaluator finishes.
    pub keys: Vec<CustomerKey>,
    /// The way that was taken.
    pub plan: AccessPlan,
}

/// How an audience is found, for status, `validate` and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPlan {
    /// The kind of way.
    pub access: Access,
    /// The same in words: `by index on customer.postcode, then checking consents.sms`.
    pub words: String,
}

/// The ways to an audience, by what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing is read: no customer can match.
    Nothing,
    /// Only what an index leads to is read.
    Index,
    /// Every customer is read.
    FullScan,
}

/// How far an index is.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexState {
    /// What it is on.
    pub need: IndexNeed,
    /// Whether audiences may use it.
    pub progress: IndexProgress,
}

/// An index's way through its life.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum IndexProgress {
    /// It is being filled; the share of what was there, from 0 to 1, that it holds.
    Filling(f64),
    /// Complete and kept by every write.
    Complete,
    /// No scenario needs it; it is kept by writes until the grace ends.
    Unneeded,
}

/// How long an index is kept that no scenario needs: an edit taken back within it costs nothing.
pub(super) const INDEX_GRACE: Duration = Duration::from_secs(3_600);

/// Where audiences are found.
#[async_trait]
pub trait Audiences: Send + Sync {
    /// Chooses every customer the selection accepts, on one snapshot.
    ///
    /// # Errors
    /// The store failed.
    async fn select(&self, selection: &Selection) -> Result<Selected, StoreError>;

    /// How [`Self::select`] would go about it now.
    ///
    /// # Errors
    /// The store failed.
    async fn explain(&self, selection: &Selection) -> Result<AccessPlan, StoreError>;

    /// Says which indexes all scenarios in force need. New ones are filled in the background; those no longer
    /// named are dropped after a grace.
    ///
    /// # Errors
    /// The store failed; what was required before stays so.
    async fn require_indexes(&self, needs: BTreeSet<IndexNeed>) -> Result<(), StoreError>;

    /// How far each index is, in the order of the needs.
    ///
    /// # Errors
    /// The store failed.
    async fn index_states(&self) -> Result<Vec<IndexState>, StoreError>;

    /// Whether what is brought about customers is kept; see [`super::calls::Calls::check`].
    ///
    /// # Errors
    /// What is wrong with it.
    async fn check(&self) -> Result<(), StoreError>;
}
