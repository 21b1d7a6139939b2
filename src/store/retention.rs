//! Removes what is older than it is to be kept, in batches so small that no caller waits long for one.
//!
//! A call goes first, with its runs and chunks, in one transaction: from then on none of it can be found. What is left of its
//! runs goes behind it. A process that ends between two batches leaves a ledger in which everything that is found is whole.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;

/// What kind of rows went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKind {
    /// Calls, refused ones too.
    Calls,
    /// Runs, with their chunks.
    Runs,
    /// Deliveries that went one by one.
    Deliveries,
    /// Days of deliveries that went whole.
    Partitions,
    /// Counts of refusals, by the minute.
    RefusalCounts,
    /// Sources of what was in force.
    Versions,
    /// Customers' events.
    Events,
    /// Idempotency and deduplication keys that expired.
    Keys,
}

impl RowKind {
    /// All kinds.
    pub const ALL: [RowKind; 8] = [
        RowKind::Calls,
        RowKind::Runs,
        RowKind::Deliveries,
        RowKind::Partitions,
        RowKind::RefusalCounts,
        RowKind::Versions,
        RowKind::Events,
        RowKind::Keys,
    ];

    /// The kind as metrics name it.
    pub fn word(self) -> &'static str {
        match self {
            RowKind::Calls => "calls",
            RowKind::Runs => "runs",
            RowKind::Deliveries => "deliveries",
            RowKind::Partitions => "partitions",
            RowKind::RefusalCounts => "refusal_counts",
            RowKind::Versions => "versions",
            RowKind::Events => "events",
            RowKind::Keys => "keys",
        }
    }
}

/// What is old enough to go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemovalBounds {
    /// Calls received before then, or events of before then; `None` if they are kept for ever. Of calls that were begun to be
    /// removed the rest goes all the same.
    pub before: Option<Timestamp>,
    /// Versions that were in force last before then.
    pub versions_before: Option<Timestamp>,
}

/// What one batch came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemovedBatch {
    /// How many rows of which kinds went.
    pub rows: Vec<(RowKind, u64)>,
    /// Whether there may be more to remove.
    pub is_more: bool,
}

impl RemovedBatch {
    /// Nothing went, and there may be more.
    pub(super) fn none_yet() -> Self {
        RemovedBatch { rows: Vec::new(), is_more: true }
    }

    /// So many calls went with so many runs, and there may be more.
    pub(super) fn of_calls(calls: u64, runs: u64) -> Self {
        let rows = [(RowKind::Calls, calls), (RowKind::Runs, runs)];
        RemovedBatch { rows: rows.into_iter().filter(|(_, rows)| *rows > 0).collect(), is_more: true }
    }

    /// So many of one kind went, and there may be more.
    pub(super) fn of(kind: RowKind, rows: u64) -> Self {
        RemovedBatch { rows: if rows > 0 { vec![(kind, rows)] } else { Vec::new() }, is_more: true }
    }
}

/// One passage over all that is old, by the one process that does it now.
#[async_trait]
pub trait Removal: Send {
    /// Removes the next batch: one short transaction at most, and a shorter one while others have something to write.
    ///
    /// # Errors
    /// See [`StoreError`]; what went before is gone, and the next passage goes on there.
    async fn next_batch(&mut self, others_write: bool) -> Result<RemovedBatch, StoreError>;

    /// Lets another process do it.
    async fn end(self: Box<Self>);
}

/// Where something grows old.
#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// Begins a passage; `None` while another process is at one.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn begin_removal(&self, bounds: RemovalBounds) -> Result<Option<Box<dyn Removal>>, StoreError>;

    /// What time it is there: a process whose clock is ahead must not take for old what is young elsewhere. A file has no clock
    /// of its own.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn clock(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    /// How old the oldest is that is kept: when the first call was received, or the time of the oldest event.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn oldest(&self) -> Result<Option<Timestamp>, StoreError>;
}
