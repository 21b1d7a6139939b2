//! Runs and deliveries as people read and decide them.
//!
//! Finished chunks are summed from what they counted; only open ones are counted anew.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use super::deliveries::Delivery;
use super::runs::{ChunkId, UnfinishedRun};
use crate::domain::delivery::DeliveryId;
use crate::domain::left_out::LeftOut;
use crate::domain::name::{CallId, ChannelName, RunId, ScenarioName, VersionId};
use crate::domain::run_counts::RunCounts;
use crate::domain::state::{DeliveryState, RunState};

/// A run as the log shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// The ledger's number.
    pub id: RunId,
    /// The scenario it executes.
    pub scenario: ScenarioName,
    /// What has become of it.
    pub state: RunState,
    /// Members of its audience; `None` until that was read.
    pub audience: Option<u64>,
    /// Those of them who are not decided about, or whose messages have not reached a channel: they have no delivery yet.
    pub waiting: u64,
    /// Those of them who wait at a node.
    pub at_waits: u64,
    /// When the first of these goes on; `None` also if many of other runs go on before.
    pub next_wake_at: Option<Timestamp>,
    /// How the audience was found, in words.
    pub access: Option<String>,
    /// Journeys at their end (in finished chunks) and deliveries by node and state (in all).
    pub run_counts: RunCounts,
    /// Why it failed.
    pub error: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it came to its end.
    pub finished_at: Option<Timestamp>,
}

impl RunRecord {
    /// With the journeys that wait, which are not counted one by one: they are those that have neither ended nor are in an open
    /// chunk.
    #[must_use]
    pub(super) fn with_waits(self, in_open_chunks: u64) -> Self {
        let elsewhere = self.run_counts.journeys.total() + in_open_chunks;
        RunRecord { at_waits: self.audience.unwrap_or(0).saturating_sub(elsewhere), ..self }
    }
}

/// A delivery as the log shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryRecord {
    /// The delivery.
    pub delivery: Delivery,
    /// The call it belongs to.
    pub call: CallId,
    /// The version that knows the name of its node.
    pub version: VersionId,
    /// The scenario it belongs to.
    pub scenario: ScenarioName,
}

/// Which deliveries are asked for, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// In this state only.
    pub state: Option<DeliveryState>,
    /// Behind this one; where the last page ended.
    pub after: Option<DeliveryId>,
    /// How many at most.
    pub limit: u32,
}

/// What is not at its end, for metrics and alerts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Calls that are accepted or running.
    pub calls: u64,
    /// When the oldest of them came in that is neither at a wait nor behind one.
    pub oldest_call: Option<Timestamp>,
    /// Runs that are selecting or running.
    pub runs: u64,
    /// Runs of which all that is left waits at nodes.
    pub resting_runs: u64,
    /// When the first of all journeys that wait goes on; what is past is late.
    pub next_wake_at: Option<Timestamp>,
    /// Deliveries that wait, by channel and state: queued, retrying or held.
    pub deliveries: Vec<(ChannelName, DeliveryState, u64)>,
    /// Customers who were selected and have no delivery yet, by scenario.
    pub waiting: Vec<(ScenarioName, u64)>,
    /// When a run of a scenario last left customers out.
    pub left_out: Vec<(ScenarioName, Timestamp)>,
}

/// The customers whom runs of a scenario left out last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioLeftOut {
    /// The scenario.
    pub scenario: ScenarioName,
    /// The first call of which a run left out customers for this reason.
    pub call: CallId,
    /// Whom that run left out.
    pub left_out: LeftOut,
    /// When that run was at its end.
    pub since: Timestamp,
    /// When the last such run was.
    pub at: Timestamp,
    /// Whether a run has reached its customers since.
    pub is_over: bool,
}

/// How many scenarios are read at once that left customers out: as many as a namespace may reasonably have.
pub const LEFT_OUT_MAX: u32 = 10_000;

/// Where runs and deliveries are looked at, and held ones decided.
#[async_trait]
pub trait RunLog: Send + Sync {
    /// Counts what is not at its end, by indexes that hold nothing else.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// The scenarios that have runs under way, at most so many, by the same indexes.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn scenarios_under_way(&self, most: u32) -> Result<BTreeSet<ScenarioName>, StoreError>;

    /// The scenarios of which a run left customers out, at most [`LEFT_OUT_MAX`].
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn left_out(&self) -> Result<Vec<ScenarioLeftOut>, StoreError>;

    /// The runs of a call, in the order they began.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn runs_of_call(&self, call: &CallId) -> Result<Vec<RunRecord>, StoreError>;

    /// One page of a call's deliveries.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn deliveries_of_call(
        &self,
        call: &CallId,
        filter: DeliveryFilter,
    ) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// One page of all deliveries in the filter's state, [`DeliveryState::Held`] if it names none.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// Lets a held delivery be sent again, as its customer is now, and opens its chunk, run and call again. `None`
    /// if it is not held, or its run was cancelled or failed.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn resend(&self, id: DeliveryId, now: Timestamp) -> Result<Option<Reopened>, StoreError>;

    /// Closes a held delivery: it stays unknown for ever. False if it is not held.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn close_held(&self, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError>;
}

/// What must be taken up again.
#[derive(Debug, Clone, PartialEq)]
pub struct Reopened {
    /// The run.
    pub run: UnfinishedRun,
    /// The chunk of it.
    pub chunk: ChunkId,
}
