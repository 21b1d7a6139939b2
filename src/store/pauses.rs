//! What people have paused: kept here, so that a restart, another replica and GitOps all find it.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::pause::{Pause, PauseScope};

/// How many pauses there may be at once.
pub const PAUSES_MAX: usize = 10_000;

/// Where pauses are kept.
#[async_trait]
pub trait PauseBook: Send + Sync {
    /// Keeps a pause; one that is there already stays as it is. Gives the one that holds, or `None` if there are
    /// [`PAUSES_MAX`] already.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn pause(&self, pause: &Pause) -> Result<Option<Pause>, StoreError>;

    /// Ends a pause; gives the one there was.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn resume(&self, scope: &PauseScope) -> Result<Option<Pause>, StoreError>;

    /// All that hold, the oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn pauses(&self) -> Result<Vec<Pause>, StoreError>;
}
