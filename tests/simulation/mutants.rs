//! Faults of the engine, planted where it meets store and providers: whoever simulates must find each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::pause::Pause;
use fanfare::domain::run_counts::RunCounts;
use fanfare::domain::state::DeliveryState;
use fanfare::store::calls::{AcceptedCall, UnreadableCall};
use fanfare::store::deliveries::{Committed, Opened, Step};
use fanfare::store::replicas::Lease;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// An outcome is not written.
    OutcomeDropped,
    /// A message is sent whose window was not opened.
    WindowNotOpened,
    /// A cursor is moved behind a customer who is not decided.
    CursorAhead,
    /// A journey that was to wait does not.
    WaitDropped,
    /// A journey waits a year too long.
    WakeLost,
    /// A decision is not written.
    DecisionDropped,
    /// What failed is written as sent.
    FailedAsSent,
    /// What may have been taken is tried again by a provider that does not know repetitions.
    UnknownTriedAgain,
    /// A retry is written for next year.
    RetryLate,
    /// A message is given to its provider twice.
    SentTwice,
    /// A customer of the audience is left out.
    AudienceCut,
    /// A chunk that is done counts a journey less.
    JourneyNotCounted,
    /// A call is never taken up.
    CallForgotten,
    /// It is sent on when the lease has run out.
    LeaseNotChecked,
    /// A pause is not heeded.
    PauseNotHeeded,
    /// More messages are open than the window allows.
    WindowExceeded,
}

impl Mutant {
    pub const ALL: [Mutant; 16] = [
        Mutant::OutcomeDropped,
        Mutant::WindowNotOpened,
        Mutant::CursorAhead,
        Mutant::WaitDropped,
        Mutant::WakeLost,
        Mutant::DecisionDropped,
        Mutant::FailedAsSent,
        Mutant::UnknownTriedAgain,
        Mutant::RetryLate,
        Mutant::SentTwice,
        Mutant::AudienceCut,
        Mutant::JourneyNotCounted,
        Mutant::CallForgotten,
        Mutant::LeaseNotChecked,
        Mutant::PauseNotHeeded,
        Mutant::WindowExceeded,
    ];
}

/// The fault that is planted, if any.
#[derive(Clone, Default)]
pub struct Planted(Option<Arc<(Mutant, AtomicU32)>>);

/// Every so many occasions the fault happens.
const EVERY: u32 = 5;

impl Planted {
    pub fn new(mutant: Mutant) -> Self {
        Planted(Some(Arc::new((mutant, AtomicU32::new(0)))))
    }

    /// Whether this fault is planted and happens now.
    fn happens(&self, mutant: Mutant) -> bool {
        self.0.as_ref().is_some_and(|planted| {
            planted.0 == mutant && (planted.1.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(EVERY)
        })
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.0.as_ref().is_some_and(|planted| planted.0 == mutant)
    }

    /// The step as it is written.
    pub fn in_step(&self, step: &Arc<Step>) -> Arc<Step> {
        if self.0.is_none() {
            return Arc::clone(step);
        }
        let mut step = Step::clone(step);
        let year = jiff::SignedDuration::from_hours(365 * 24);
        step.outcomes.retain(|_| !self.happens(Mutant::OutcomeDropped));
        step.decided.retain(|_| !self.happens(Mutant::DecisionDropped));
        step.waits.retain(|_| !self.happens(Mutant::WaitDropped));
        if self.is(Mutant::WindowNotOpened) {
            step.openings.retain(|opening| opening.is_retry || !self.happens(Mutant::WindowNotOpened));
        }
        for outcome in &mut step.outcomes {
            if outcome.state == DeliveryState::Failed && self.is(Mutant::FailedAsSent) {
                outcome.state = DeliveryState::Sent;
            }
            if outcome.retry_at.is_some() && self.happens(Mutant::RetryLate) {
                outcome.retry_at = outcome.retry_at.map(|at| at + year);
            }
            if outcome.state == DeliveryState::Held && self.is(Mutant::UnknownTriedAgain) {
                (outcome.state, outcome.maybe_sent) = (DeliveryState::Retrying, false);
                (outcome.retry_at, outcome.advanced) = (Some(step.at), false);
            }
        }
        for cursor in &mut step.cursors {
            cursor.position += usize::from(self.happens(Mutant::CursorAhead));
        }
        for wait in &mut step.waits {
            if self.happens(Mutant::WakeLost) {
                wait.until += year;
            }
        }
        Arc::new(step)
    }

    /// What the engine hears of the step.
    pub fn in_committed(&self, step: &Step, mut committed: Committed) -> Committed {
        if self.is(Mutant::WindowNotOpened) {
            committed.opened = vec![Opened::Yes; step.openings.len()];
        }
        committed
    }

    pub fn in_open_calls(
        &self,
        mut calls: Vec<Result<AcceptedCall, UnreadableCall>>,
    ) -> Vec<Result<AcceptedCall, UnreadableCall>> {
        if self.is(Mutant::CallForgotten) {
            calls.retain(|call| call.as_ref().is_ok_and(|call| call.seq % 2 == 0));
        }
        calls
    }

    pub fn in_lease(&self, mut lease: Lease) -> Lease {
        if self.is(Mutant::LeaseNotChecked) {
            lease.until += std::time::Duration::from_secs(24 * 3_600);
        }
        lease
    }

    pub fn in_pauses(&self, pauses: Vec<Pause>) -> Vec<Pause> {
        if self.is(Mutant::PauseNotHeeded) { Vec::new() } else { pauses }
    }

    pub fn window_of(&self, window: Option<usize>) -> Option<usize> {
        if self.is(Mutant::WindowExceeded) { window.map(|window| window * 8) } else { window }
    }

    pub fn in_audience(&self, chunks: Arc<Vec<Vec<CustomerKey>>>) -> Arc<Vec<Vec<CustomerKey>>> {
        if !self.is(Mutant::AudienceCut) {
            return chunks;
        }
        let mut chunks = Vec::clone(&chunks);
        chunks.iter_mut().for_each(|chunk| chunk.truncate(chunk.len().saturating_sub(1)));
        Arc::new(chunks)
    }

    pub fn in_counts(&self, counts: &RunCounts) -> RunCounts {
        let mut counts = counts.clone();
        if self.is(Mutant::JourneyNotCounted) {
            counts.journeys.messaged = counts.journeys.messaged.saturating_sub(1);
        }
        counts
    }

    /// Whether a message is given to its provider twice.
    pub fn sends_twice(&self) -> bool {
        self.happens(Mutant::SentTwice)
    }
}
