//! Deliveries as the ledger keeps them: windows opened, outcomes, and what was decided without a window.
//!
//! What is about to be sent is on disk before it is sent: only what [`Deliveries::commit`] opened may leave.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use super::runs::{ChunkId, Fence};
use crate::domain::customer::CustomerKey;
use crate::domain::delivery::{DeliveryId, MessageDigest};
use crate::domain::left_out::{CountedDelivery, Reasons};
use crate::domain::name::{ChannelName, NodeIndex};
use crate::domain::run_counts::{JourneyEnd, JourneysElsewhere, RunCounts};
use crate::domain::state::DeliveryState;
use crate::domain::transition::DeliveryEvent;

/// One delivery as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Run, customer and node.
    pub id: DeliveryId,
    /// The channel it leaves by.
    pub channel: ChannelName,
    /// What has become of it.
    pub state: DeliveryState,
    /// Attempts made, the one under way included.
    pub attempt: u32,
    /// Whether an attempt ended without it being known whether it was taken.
    pub maybe_sent: bool,
    /// Where the first attempt went.
    pub address: Option<String>,
    /// What the first attempt said.
    pub digest: Option<MessageDigest>,
    /// The provider's own id.
    pub provider_id: Option<String>,
    /// Why it is in this state, in words.
    pub reason: Option<String>,
    /// When the first attempt began.
    pub first_at: Option<Timestamp>,
    /// When the last attempt began.
    pub last_at: Option<Timestamp>,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// When it came to a final state.
    pub done_at: Option<Timestamp>,
    /// Whether the journey has gone on behind its node.
    pub advanced: bool,
    /// How many segments it takes, if it is a text message.
    pub segments: Option<u8>,
}

/// Counts a chunk from its deliveries, in the order of their customers, as [`RunCounts::of_chunk`] does, reasons included.
pub fn count_chunk(
    rows: &[Delivery],
    elsewhere: &JourneysElsewhere,
    keys: &[CustomerKey],
    position: usize,
    rest: JourneyEnd,
) -> RunCounts {
    let states = rows.iter().map(|row| (row.id.customer, row.id.node, row.state));
    let mut run_counts = RunCounts::of_chunk(states, elsewhere, keys, position, rest);
    // Whom a journey leaves out is told where it ends, of all its deliveries together.
    let own = rows.iter().map(|row| CountedDelivery {
        customer: row.id.customer,
        state: row.state,
        reason: row.reason.as_deref(),
    });
    let earlier = elsewhere.earlier.iter().map(|one| CountedDelivery {
        customer: one.customer,
        state: one.state,
        reason: one.reason.as_deref(),
    });
    let all = earlier.chain(own);
    let mut outcomes: Vec<_> = all.filter(|one| !elsewhere.left.contains(&one.customer)).collect();
    outcomes.sort_by_key(|one| one.customer);
    run_counts.reasons = Reasons::of_chunk(&outcomes);
    run_counts
}

/// Counts a chunk that was finished anew, since what a person or another process told changed its deliveries.
pub fn count_anew(
    before: &RunCounts,
    rows: &[Delivery],
    elsewhere: &JourneysElsewhere,
    keys: &[CustomerKey],
    position: usize,
) -> RunCounts {
    count_chunk(rows, elsewhere, keys, position, before.end_of_rest())
}

/// A delivery that is about to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct SendIntent {
    /// Run, customer and node.
    pub id: DeliveryId,
    /// The channel it leaves by.
    pub channel: ChannelName,
    /// The chunk and the right to decide about it.
    pub chunk: u32,
    /// See [`Fence`].
    pub fence: Fence,
    /// The number this attempt has; the first is 1.
    pub attempt: u32,
    /// Whether there is a row already, waiting.
    pub is_retry: bool,
    /// Where it goes.
    pub address: String,
    /// What it says.
    pub digest: MessageDigest,
    /// The message node before it in the journey, which is passed by this.
    pub predecessor: Option<NodeIndex>,
    /// How many segments it takes, if it is a text message.
    pub segments: Option<u8>,
}

/// What came of an attempt that was opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Run, customer and node.
    pub id: DeliveryId,
    /// The attempt that was opened.
    pub attempt: u32,
    /// The fence under which it was opened. Another owner of the chunk may have opened an attempt with the same number
    /// since; the fence tells the two apart.
    pub fence: Fence,
    /// Attempts that count from now on; less than `attempt` if this one was not its own fault.
    pub attempts_counted: u32,
    /// The new state.
    pub state: DeliveryState,
    /// Whether this attempt may have been taken without our knowing.
    pub maybe_sent: bool,
    /// The provider's own id.
    pub provider_id: Option<String>,
    /// Why, in words.
    pub reason: Option<String>,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// Whether the journey ends or has gone on behind this node.
    pub advanced: bool,
}

/// A state that was decided without a window: a skip, a late one, one that is held or cancelled.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Run, customer and node.
    pub id: DeliveryId,
    /// The channel it would have left by.
    pub channel: ChannelName,
    /// The chunk, and the right to decide about it: without it nothing is written.
    pub chunk: u32,
    /// See [`Fence`].
    pub fence: Fence,
    /// The state.
    pub state: DeliveryState,
    /// Whether an attempt may have been taken without our knowing.
    pub maybe_sent: bool,
    /// Why, in words.
    pub reason: Option<String>,
    /// When it is tried again, where the state is one that waits.
    pub retry_at: Option<Timestamp>,
    /// Whether the journey ends here or goes on within the same step.
    pub advanced: bool,
    /// The message node before it in the journey, which is passed by this.
    pub predecessor: Option<NodeIndex>,
}

/// A node behind which a journey ended without anything to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advanced {
    /// Run, customer and node.
    pub id: DeliveryId,
    /// The chunk, and the right to decide about it: without it nothing is written.
    pub chunk: u32,
    /// See [`Fence`].
    pub fence: Fence,
}

/// A journey that begins to wait, and leaves its chunk by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JourneyWait {
    /// The chunk it leaves.
    pub chunk: ChunkId,
    /// The right to decide about it: without it nothing is written.
    pub fence: Fence,
    /// Whose journey it is.
    pub customer: CustomerKey,
    /// The node it waits at.
    pub node: NodeIndex,
    /// When it goes on.
    pub until: Timestamp,
}

/// How far a chunk has been decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The chunk.
    pub chunk: ChunkId,
    /// The right to move it.
    pub fence: Fence,
    /// Customers before it are decided; it never moves back.
    pub position: usize,
}

/// What is written in one commit. Outcomes go first, then what was decided, then openings, then cursors.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// When it was written.
    pub at: Timestamp,
    /// What came of attempts.
    pub outcomes: Vec<Outcome>,
    /// What needed no window.
    pub decided: Vec<Decided>,
    /// Nodes behind which a journey ended.
    pub advanced: Vec<Advanced>,
    /// Journeys that begin to wait.
    pub waits: Vec<JourneyWait>,
    /// What is about to be sent.
    pub openings: Vec<SendIntent>,
    /// How far chunks have been decided.
    pub cursors: Vec<Cursor>,
    /// Whether the same step was brought before and it is unknown whether it was kept; what it opened then is
    /// opened by it again.
    pub repeated: bool,
}

impl Step {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
            && self.decided.is_empty()
            && self.advanced.is_empty()
            && self.waits.is_empty()
            && self.openings.is_empty()
            && self.cursors.is_empty()
    }

    /// Whether it asks for nothing but what may become of a delivery.
    pub(super) fn is_within_the_table(&self) -> bool {
        self.outcomes.iter().all(|one| DeliveryEvent::Answered.leads_to(one.state))
            && self.decided.iter().all(|one| DeliveryEvent::Decided.leads_to(one.state))
    }

    /// What came of attempts; of two outcomes of one attempt the first.
    pub(super) fn first_outcomes(&self) -> impl Iterator<Item = &Outcome> {
        let first = firsts(self.outcomes.iter().map(|one| (one.id, one.attempt)));
        self.outcomes.iter().zip(first).filter_map(|(one, first)| first.then_some(one))
    }

    /// For each opening whether it is the first of its delivery here: a worker that is told twice to send something brings
    /// two, and one may be sent.
    pub(super) fn first_openings(&self) -> Vec<bool> {
        firsts(self.openings.iter().map(|one| one.id))
    }

    /// What is decided; of two decisions about one delivery the first.
    pub(super) fn first_decided(&self) -> impl Iterator<Item = &Decided> {
        let first = firsts(self.decided.iter().map(|one| one.id));
        self.decided.iter().zip(first).filter_map(|(one, first)| first.then_some(one))
    }
}

fn firsts<T: Eq + std::hash::Hash>(ids: impl Iterator<Item = T>) -> Vec<bool> {
    let mut seen = std::collections::HashSet::new();
    ids.map(|id| seen.insert(id)).collect()
}

/// Whether an opening may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It is on disk: send it.
    Yes,
    /// Its run was told to stop: it was not written.
    Stopping,
    /// Its chunk has another owner, or the row is not where this attempt expected it: it was not written.
    Lost,
}

/// What came of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// For each opening, in their order.
    pub opened: Vec<Opened>,
    /// Whether something decided or passed was not written, because its chunk has another owner.
    pub lost: bool,
}

/// Where deliveries are kept.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Writes the step in one durable commit; answers for each opening whether it may be sent.
    async fn commit(&self, step: Arc<Step>) -> Result<Committed, StoreError>;

    /// All deliveries of a chunk, by customer and node: of a journey that came from another chunk, or has left for one, only
    /// those that were made in this.
    async fn of_chunk(&self, chunk: ChunkId) -> Result<Vec<Delivery>, StoreError>;

    /// What of the chunk's journeys is in other chunks: who has left it to wait, and what came of them before.
    async fn journeys_elsewhere(&self, chunk: ChunkId) -> Result<JourneysElsewhere, StoreError>;

    /// The deliveries with these ids, in their order; those that do not exist are left out.
    async fn get(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, StoreError>;
}
