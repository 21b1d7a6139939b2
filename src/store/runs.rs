//! Runs and their chunks as the ledger keeps them.
//!
//! The run engine writes them; each method is one durable commit, and each may be repeated after a crash.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use super::calls::AcceptedCall;
use crate::domain::customer::CustomerKey;
use crate::domain::left_out::LeftOut;
use crate::domain::name::{CallId, NodeIndex, RunId, ScenarioName, VersionId};
use crate::domain::run_counts::{JourneyEnd, RunCounts};
use crate::domain::state::{CallState, RunState};

/// What matching a call with the scenarios gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matched {
    /// Scenarios that fire; each becomes a run.
    pub fired: Vec<ScenarioName>,
    /// Scenarios that listen and do not fire, with the reason a person reads.
    pub not_fired: Vec<UnmatchedScenario>,
}

/// A scenario that listens and does not fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmatchedScenario {
    /// The scenario.
    pub scenario: ScenarioName,
    /// Why, for people.
    pub reason: String,
    /// So many scenarios more do not fire for the same param.
    pub more: usize,
}

/// A run that is not at its end, with the call it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct UnfinishedRun {
    /// The run.
    pub id: RunId,
    /// The scenario it executes.
    pub scenario: ScenarioName,
    /// Selecting or running.
    pub state: RunState,
    /// Told to cancel what has not been sent.
    pub stopping: bool,
    /// Its call, whose version it runs on.
    pub call: AcceptedCall,
}

/// One chunk of a run's audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkId {
    /// The run.
    pub run: RunId,
    /// Its place among the run's chunks.
    pub n: u32,
}

/// The right to decide about a chunk: a fencing token that grows with every owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(pub i64);

/// A chunk as its new owner finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenChunk {
    /// What every later statement about the chunk must carry.
    pub fence: Fence,
    /// How many customers are decided.
    pub position: usize,
    /// The customers, in ascending order.
    pub keys: Vec<CustomerKey>,
    /// Where its journeys go on, if they waited; else they begin.
    pub woken: Option<Woken>,
}

/// Journeys that waited at a node and go on behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Woken {
    /// The node.
    pub node: NodeIndex,
    /// When they were woken: `now` for what comes behind the node.
    pub at: Timestamp,
}

/// What came of looking for journeys whose time has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WokenChunks {
    /// The chunks they go on in, each with the number of its journeys.
    pub chunks: Vec<(ChunkId, u64)>,
    /// Whether more may be due.
    pub is_more_due: bool,
    /// When the next is due, if any waits.
    pub next_at: Option<Timestamp>,
}

/// A run that is not at its end, without the params of its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunUnderWay {
    /// The run.
    pub id: RunId,
    /// The scenario it executes.
    pub scenario: ScenarioName,
    /// The version it began with.
    pub version: VersionId,
    /// Its call.
    pub call: CallId,
}

/// How many journeys are woken in one look, about.
pub(super) const DUE_MAX: u32 = 16 * 1024;

/// How many journeys are woken into one chunk.
pub(super) const WOKEN_MAX: u32 = 4096;

/// Whose it is to read an audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectionLease {
    /// The asker's.
    Here,
    /// Another process's, as long as its lease runs.
    Elsewhere,
    /// It has been read: no process reads it any more.
    Over,
}

/// What came of asking for a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is the asker's now.
    Here(TakenChunk),
    /// Another process has it, as long as its lease runs.
    Elsewhere,
    /// It is done.
    Done,
}

/// The chunks of a run that are not done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenChunks {
    /// Those that may be taken, in order.
    pub free: Vec<u32>,
    /// How many other processes have.
    pub elsewhere: u64,
}

/// What a run amounts to, counted twice so that the equations mean something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunTotals {
    /// Members of the audience.
    pub audience: u64,
    /// Chunks that are not done.
    pub open_chunks: u64,
    /// Whether a journey of it waits at a node.
    pub is_waiting: bool,
    /// The sum of what the finished chunks counted.
    pub run_counts: RunCounts,
    /// Delivery rows by node, counted from the rows themselves.
    pub deliveries: BTreeMap<u16, u64>,
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// Its state.
    pub state: RunState,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether it reached its customers.
    pub reached: Reached,
}

/// Whether a run reached its customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// It tells nothing: it had none, or was stopped.
    Unknown,
    /// It did.
    Enough,
    /// All, or more than a tenth, were skipped or failed for this reason.
    Not(LeftOut),
}

impl RunEnd {
    /// What is kept of whom it left out: what tells one cause from another, and all of it as JSON.
    pub(super) fn left_out(&self) -> Option<(String, String)> {
        let Reached::Not(left_out) = &self.reached else { return None };
        let written = serde_json::to_string(left_out).expect("texts and numbers are always JSON");
        Some((format!("{} {}", left_out.state, left_out.pattern), written))
    }
}

impl Fence {
    /// The fence of a chunk's first owner.
    pub(super) const FIRST: Fence = Fence(1);
}

impl Matched {
    /// What the call is after this, and whether that is its end: a call that fires nothing is done.
    pub(super) fn state_and_end(&self, now: Timestamp) -> (CallState, Option<i64>) {
        match self.fired.is_empty() {
            true => (CallState::Done, Some(now.as_microsecond())),
            false => (CallState::Running, None),
        }
    }

    /// The scenarios that did not fire, as the log holds them.
    pub(super) fn not_fired_as_json(&self) -> String {
        let one = |UnmatchedScenario { scenario, reason, more }: &UnmatchedScenario| {
            let mut one = serde_json::json!({"scenario": scenario.as_str(), "reason": reason});
            if *more > 0 {
                one["more"] = (*more).into();
            }
            one
        };
        serde_json::Value::from(self.not_fired.iter().map(one).collect::<Vec<_>>()).to_string()
    }
}

/// Where runs and chunks are kept.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Writes a run for each scenario that fired, why the others did not, and the call's new state, at once.
    /// Gives the runs' numbers in the order of `fired`; none if the call had been matched before. Their audiences are
    /// the owner's to read.
    async fn begin_runs(
        &self,
        call_seq: i64,
        matched: Matched,
        owner: &str,
        now: Timestamp,
    ) -> Result<Vec<RunId>, StoreError>;

    /// Ends a call that was never matched: it came too late, or cannot be run.
    async fn end_unmatched(&self, call_seq: i64, end: UnmatchedEnd, now: Timestamp)
    -> Result<(), StoreError>;

    /// Every run that is not at its end and not among those known, in the order they began.
    async fn unfinished_runs(&self, known: &[RunId]) -> Result<Vec<UnfinishedRun>, StoreError>;

    /// The unfinished runs that were told to stop.
    async fn stopping_runs(&self) -> Result<Vec<RunId>, StoreError>;

    /// Makes the audience of a run the owner's to read.
    async fn lease_selection(&self, run: RunId, owner: &str) -> Result<SelectionLease, StoreError>;

    /// Writes the audience of a run that is selecting, in chunks of ascending keys, and lets it run. The first chunk
    /// is taken by `owner` in the same commit; gives its fence, or `None` if there is no chunk or the audience was
    /// written before.
    async fn set_audience(
        &self,
        run: RunId,
        chunks: Arc<Vec<Vec<CustomerKey>>>,
        access: String,
        owner: &str,
    ) -> Result<Option<Fence>, StoreError>;

    /// Chunks that are not done, as `owner` sees them.
    async fn open_chunks(&self, run: RunId, owner: &str) -> Result<OpenChunks, StoreError>;

    /// Makes `owner` the chunk's owner, unless it is done or another process holds it.
    async fn take_chunk(&self, chunk: ChunkId, owner: &str) -> Result<Taken, StoreError>;

    /// Marks a chunk done with its counts; false if it has open deliveries or another owner.
    async fn finish_chunk(
        &self,
        chunk: ChunkId,
        fence: Fence,
        position: usize,
        counts: &RunCounts,
    ) -> Result<bool, StoreError>;

    /// Marks the chunks of a stopped run that were never begun as done, their journeys cancelled or expired as
    /// the counts of one journey say; gives their number.
    async fn finish_untouched(&self, run: RunId, end: JourneyEnd) -> Result<u64, StoreError>;

    /// Counts a run's chunks and deliveries.
    async fn run_totals(&self, run: RunId) -> Result<RunTotals, StoreError>;

    /// Wakes journeys whose time has come: each of at most `groups` that waited at one node of one chunk goes on in a chunk
    /// of its own, with its run under way again. Journeys of runs that are at their end are let go.
    async fn wake_due(&self, now: Timestamp, groups: u32) -> Result<WokenChunks, StoreError>;

    /// Wakes all journeys of a run that wait, whatever their time; gives how many chunks that made.
    async fn wake_run(&self, run: RunId, now: Timestamp) -> Result<u64, StoreError>;

    /// Lets a run rest whose journeys all wait or have ended: no process looks at it until one is woken. False if something else
    /// of it is left, or it was told to stop.
    async fn rest_run(&self, run: RunId) -> Result<bool, StoreError>;

    /// The runs that rest.
    async fn waiting_runs(&self) -> Result<Vec<RunUnderWay>, StoreError>;

    /// All runs that are not at their end, those that rest among them, as one moment shows them.
    async fn runs_under_way(&self) -> Result<Vec<RunUnderWay>, StoreError>;

    /// Ends a run, and its call with the last one; false if it is at its end already or a chunk of it is open. Keeps whom
    /// it left out as its scenario's, or that the scenario reaches its customers again.
    async fn end_run_as(&self, run: RunId, end: RunEnd, now: Timestamp) -> Result<bool, StoreError>;

    /// [`Self::end_run_as`] of a run that tells nothing about its scenario.
    async fn end_run(
        &self,
        run: RunId,
        state: RunState,
        error: Option<String>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.end_run_as(run, RunEnd { state, error, reached: Reached::Unknown }, now).await
    }

    /// Tells a run to cancel what has not been sent, which ends a rest; false if it is at its end.
    async fn stop_run(&self, run: RunId) -> Result<bool, StoreError>;

    /// Counts a process that ended while it wrote for a customer of the run, once however often it is told; gives how
    /// many have, 0 if the run is at its end.
    async fn count_crash(&self, run: RunId, customer: CustomerKey, process: &str) -> Result<u32, StoreError>;

    /// Counts a step that failed for a reason trying again cannot heal; gives how often that happened.
    async fn count_failure(&self, run: RunId, error: String) -> Result<u32, StoreError>;
}

/// Why a call ends without having been matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnmatchedEnd {
    /// Its expiry had passed.
    Expired,
    /// Its version cannot be compiled any more, in words.
    Failed(String),
}

impl UnmatchedEnd {
    /// The call's state, and why in words.
    pub(super) fn state_and_reason(&self) -> (CallState, &str) {
        match self {
            UnmatchedEnd::Expired => (CallState::Expired, "it expired before it was matched with scenarios"),
            UnmatchedEnd::Failed(reason) => (CallState::Failed, reason),
        }
    }
}
