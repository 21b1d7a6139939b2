//! A run as the engine holds it while it is under way.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::bound_scenario::BoundScenario;
use crate::domain::name::{CallId, RunId, ScenarioName, VersionId};
use crate::domain::permit::{Halt, Permit, PermitFacts, permit};
use crate::domain::trace::TraceParent;
use crate::store::runs::{TakenChunk, UnfinishedRun};

/// A run under way.
pub struct LiveRun {
    /// The ledger's number.
    pub id: RunId,
    /// The scenario it executes.
    pub scenario: ScenarioName,
    /// Its call's id, on every line about it.
    pub call: CallId,
    /// The version it began with and ends with.
    pub version: VersionId,
    /// When its call came in.
    pub received_at: Timestamp,
    /// After this nothing of it is sent.
    pub expires_at: Option<Timestamp>,
    /// What it does to each customer.
    pub bound: Arc<dyn BoundScenario>,
    halted: AtomicU8,
    paused: AtomicBool,
    /// Its call's span, if that belongs to a trace.
    trace: Option<TraceParent>,
    traced_attempts: AtomicU32,
    /// The first chunk, taken with the audience and not yet worked on.
    first: Mutex<Option<TakenChunk>>,
}

/// How many attempts of a run get a span: those of a broadcast would drown the rest of its trace.
const TRACED_ATTEMPTS_MAX: u32 = 1_000;

const CANCELLED: u8 = 1;
const FAILED: u8 = 2;

impl LiveRun {
    /// Takes up a run of the ledger.
    pub fn new(run: &UnfinishedRun, bound: Arc<dyn BoundScenario>) -> Self {
        LiveRun {
            id: run.id,
            scenario: run.scenario.clone(),
            call: run.call.id.clone(),
            version: run.call.version.clone(),
            received_at: run.call.received_at,
            expires_at: run.call.expires_at,
            bound,
            halted: AtomicU8::new(if run.stopping { CANCELLED } else { 0 }),
            paused: AtomicBool::new(false),
            trace: run.call.trace,
            traced_attempts: AtomicU32::new(0),
            first: Mutex::default(),
        }
    }

    /// The span that the next attempt's is below, if it is to have one.
    pub fn next_traced_attempt(&self) -> Option<TraceParent> {
        let trace = self.trace?;
        let earlier = self.traced_attempts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |earlier| {
            (earlier < TRACED_ATTEMPTS_MAX).then_some(earlier + 1)
        });
        earlier.is_ok().then_some(trace)
    }

    /// Keeps the first chunk, which was taken when the audience was written, for its worker.
    pub fn hold_first(&self, chunk: TakenChunk) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(chunk);
    }

    /// The first chunk, once.
    pub fn take_first(&self) -> Option<TakenChunk> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What is known of it, for [`permit`].
    pub fn permit_facts(&self, now: Timestamp) -> PermitFacts<'static> {
        let halted = self.halted.load(Ordering::Acquire);
        PermitFacts {
            now,
            is_cancelled: halted == CANCELLED,
            has_failed: halted == FAILED,
            expires_at: self.expires_at,
            is_run_paused: self.paused.load(Ordering::Acquire),
            ..PermitFacts::default()
        }
    }

    /// Whether it goes on. While it is paused nothing of it is decided or sent; it can still expire or be cancelled.
    pub fn permit(&self, now: Timestamp) -> Permit {
        permit(&self.permit_facts(now))
    }

    /// Whether, and why, nothing more of it may be sent.
    pub fn halt(&self, now: Timestamp) -> Option<Halt> {
        self.permit(now).halt()
    }

    /// Pauses or resumes it.
    pub(in crate::runtime::engine) fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }

    /// Stops it in this process, after the cancellation was committed to the ledger.
    pub fn cancel(&self) {
        let _unless_failed = self.halted.compare_exchange(0, CANCELLED, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Marks it failed in this process.
    pub fn fail(&self) {
        self.halted.store(FAILED, Ordering::Release);
    }
}
