//! What is kept: one trait a concern, one implementation a database.
//!
//! Invariant: a store keeps and finds. What both databases decide alike stands in `domain` or beside the traits here, once.

#[macro_use]
mod sql;

mod acceptance;
mod attributes_seen;
pub mod audiences;
mod background_task;
mod call_pages;
pub mod calls;
pub mod channel_rates;
mod chunk_keys;
pub mod customers;
pub mod deliveries;
mod documents;
pub mod in_force;
mod json_projection;
mod load_of_others;
mod merge;
pub mod pauses;
pub mod postgres;
pub mod replicas;
pub mod retention;
pub mod run_log;
pub mod runs;
mod select;
mod side_index;
pub mod sqlite;
mod trouble;

/// Why the store could not do what was asked; every variant says whether trying again can help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The queue to the store is full: answer 503 and let the caller come back.
    #[error("the store has more waiting than it may hold; try again in a moment")]
    Busy,
    /// The disk, the file or the server failed; nothing of the write was kept. Trying again can help.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The statement itself failed; the same write fails again. Its neighbours were committed.
    #[error("the store refused the write: {0}")]
    Refused(String),
    /// A rule that an administrator added to the database refuses this row, such as a CHECK. The same write
    /// fails until the rule is taken away; it decides about nothing, and its neighbours go on without it.
    #[error("a rule that was added to the database refuses this: {0}; take the rule away, and it goes on")]
    Barred(String),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether it is of one row among those that were written together, so that each is to be tried alone.
    pub fn is_of_one_row(&self) -> bool {
        matches!(self, StoreError::Refused(_) | StoreError::Barred(_))
    }

    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        !matches!(self, StoreError::Refused(_))
    }
}
