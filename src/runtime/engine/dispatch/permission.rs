//! Where a channel asks for permission to send: before a message's window is opened, and again right before its attempt
//! begins. What may not leave waits again or comes to its end here; why is decided by [`permit`].

use jiff::Timestamp;

use super::batch::{Answered, Withdrawn};
use super::dispatcher::Dispatcher;
use super::dispatcher_commit::{OPENINGS_MAX, waiting};
use super::dispatcher_send::outcome;
use super::handle::ProviderHealth;
use super::job::Job;
use super::retry_policy::AttemptDecision;
use crate::domain::permit::{Halt, Permit, PermitFacts, SkipReason, Unsent, WaitReason, permit};
use crate::domain::state::DeliveryState;
use crate::runtime::engine::live::{ChunkEvent, LiveChunk};

/// Why a message waits that may be sent, while its channel cannot send: it is not connected, its provider is down, or this
/// process stops.
const CHANNEL_RESTS: &str = "it waits for its channel";

impl Dispatcher {
    /// Whether a message of the chunk may be sent, as far as its run and the channel say.
    pub(super) fn permit(&self, chunk: &LiveChunk, now: Timestamp) -> Permit {
        let is_channel_paused = self.queue.is_paused();
        permit(&PermitFacts { is_channel_paused, ..chunk.permit_facts(now) })
    }

    /// Whether anything may be sent by the channel.
    pub(super) fn channel_permit(&self, now: Timestamp) -> Permit {
        let is_channel_paused = self.queue.is_paused();
        permit(&PermitFacts { now, is_channel_paused, ..PermitFacts::default() })
    }

    /// Those of the messages that may be opened now; the others wait or come to their end.
    pub(super) fn permitted(&mut self, mut jobs: Vec<Job>) -> Vec<Job> {
        let now = self.clock.now();
        let held_back: Vec<Job> =
            jobs.extract_if(.., |job| self.permit(&job.chunk, now) != Permit::Send).collect();
        for job in held_back {
            match self.permit(&job.chunk, now) {
                // It was resumed just now.
                Permit::Send => jobs.push(job),
                Permit::WaitUntil(until, reason) => self.hold(job, until, reason),
                Permit::Skip(_) if job.chunk.is_left() => job.chunk.dropped(),
                Permit::Skip(reason) => self.withdraw(job, &reason),
            }
        }
        jobs
    }

    /// A message that may be opened later. The ledger learns of it, unless it has it waiting already.
    fn hold(&mut self, job: Job, until: Timestamp, reason: WaitReason) {
        if job.is_retry {
            job.chunk.opened(None);
            self.waiting.push(waiting(job, until));
            return;
        }
        self.withdrawn.push(Withdrawn {
            job,
            state: DeliveryState::Queued,
            reason: reason.to_string(),
            retry_at: Some(until),
        });
    }

    /// Takes back what is not under way of runs that were halted and of chunks that were left.
    pub(super) fn withdraw_halted(&mut self, now: Timestamp) {
        let is_over = |chunk: &LiveChunk| chunk.is_left() || matches!(chunk.permit(now), Permit::Skip(_));
        let over = self.queue.fair_queue().take_over(|job| is_over(&job.chunk));
        over.into_iter().for_each(|job| self.stop(job));
        self.give_up_late(now);
        self.moved.retain(|_, chunk| !chunk.is_left());
        // Chunk workers decide about those that only wait; a chunk that was left finds them in the ledger.
        let over = self.waiting.take_over(|waiting| is_over(&waiting.chunk));
        over.into_iter().for_each(|waiting| waiting.chunk.tell(ChunkEvent::Retry(waiting.id)));
    }

    /// What becomes of a message that has not been opened and is not to be: its run was halted, or its chunk left.
    pub(super) fn stop(&mut self, job: Job) {
        match job.chunk.permit(self.clock.now()) {
            Permit::Skip(reason) if !job.chunk.is_left() => self.withdraw(job, &reason),
            _ => job.chunk.dropped(),
        }
    }

    /// A message that has not been opened and is never sent: it gets a row only if people must learn its fate.
    fn withdraw(&mut self, job: Job, reason: &SkipReason) {
        let is_known = job.is_retry || job.predecessor.is_some();
        match reason {
            SkipReason::Halted(Halt::Failed) => job.chunk.dropped(),
            SkipReason::Halted(Halt::Cancelled) if !is_known => job.chunk.dropped(),
            _ => {
                let Unsent { state, reason } = reason.end(job.maybe_sent);
                self.withdrawn.push(Withdrawn { job, state, reason, retry_at: None });
            }
        }
    }

    /// While the channel is down, what has been tried for as long as it may be has failed, without another attempt.
    /// What a person paused waits until a person resumes it.
    fn give_up_late(&mut self, now: Timestamp) {
        let handles = self.handles.load();
        let Some(handle) = handles.get(&self.queue.name) else { return };
        if !self.health.is_down() || self.channel_permit(now) != Permit::Send {
            return;
        }
        let is_late = |chunk: &LiveChunk, first_at: Option<Timestamp>| {
            let is_late = first_at.is_some_and(|first_at| handle.retry.until(first_at) < now);
            is_late && !matches!(chunk.permit(now), Permit::WaitUntil(..))
        };
        let said = match handle.provider_health() {
            ProviderHealth::Down(said) => said,
            ProviderHealth::Untried | ProviderHealth::Answers => "the provider does not take it".into(),
        };
        for job in self.queue.fair_queue().take_over(|job| is_late(&job.chunk, job.first_at)) {
            self.withdrawn.push(Withdrawn {
                state: DeliveryState::Failed.or_unknown(job.maybe_sent),
                reason: format!("{said}; and its time for retries is over"),
                retry_at: None,
                job,
            });
        }
        let late = self.waiting.take_over(|waiting| is_late(&waiting.chunk, waiting.first_at));
        late.into_iter().for_each(|waiting| waiting.chunk.tell(ChunkEvent::Retry(waiting.id)));
    }

    /// What has not been opened is kept in the ledger as waiting, so that its chunk workers go on for other channels and people
    /// see what waits.
    pub(super) fn keep_for_later(&mut self, now: Timestamp) {
        let reason = self.why_it_rests(now);
        let room = OPENINGS_MAX.saturating_sub(self.withdrawn.len());
        let first = self.queue.fair_queue().take_first(room);
        self.withdrawn.extend(first.into_iter().map(|job| Withdrawn {
            job,
            state: DeliveryState::Queued,
            reason: reason.clone(),
            retry_at: Some(now),
        }));
    }

    /// What is on disk but was not started goes back, without having used up an attempt.
    pub(super) fn put_back(&mut self) {
        if self.ready.is_empty() {
            return;
        }
        let now = self.clock.now();
        let reason = self.why_it_rests(now);
        while let Some(job) = self.ready.pop_front() {
            self.put_back_one(job, now, reason.clone());
        }
    }

    fn why_it_rests(&self, now: Timestamp) -> String {
        match self.channel_permit(now) {
            Permit::WaitUntil(_, reason) => reason.to_string(),
            Permit::Send | Permit::Skip(_) => CHANNEL_RESTS.into(),
        }
    }

    /// Asks for the message that is ready first whether its attempt may begin. If not, it goes back or comes to its end.
    pub(super) fn first_may_begin(&mut self) -> bool {
        let Some(first) = self.ready.front() else { return false };
        if first.chunk.is_lost() {
            self.give_up_lost();
            return false;
        }
        let permit = self.permit(&first.chunk, self.clock.now());
        if permit == Permit::Send {
            return true;
        }
        if let Some(job) = self.ready.pop_front() {
            match permit {
                Permit::Skip(reason) => self.give_up_opened(job, &reason),
                Permit::WaitUntil(until, reason) => self.put_back_one(job, until, reason.to_string()),
                Permit::Send => {}
            }
        }
        false
    }

    /// What is on disk of a chunk that another process has is that one's to send.
    fn give_up_lost(&mut self) {
        if let Some(job) = self.ready.pop_front() {
            self.open = self.open.saturating_sub(1);
            job.chunk.dropped();
        }
    }

    /// An opened message is due again at this time; no attempt was made.
    pub(super) fn put_back_one(&mut self, job: Job, retry_at: Timestamp, reason: String) {
        let state = DeliveryState::Queued;
        self.end_without_attempt(job, Unsent { state, reason }, Some(retry_at));
    }

    /// An opened message is never sent; no attempt was made.
    pub(super) fn give_up_opened(&mut self, job: Job, reason: &SkipReason) {
        let unsent = reason.end(job.maybe_sent);
        self.end_without_attempt(job, unsent, None);
    }

    fn end_without_attempt(&mut self, job: Job, unsent: Unsent, retry_at: Option<Timestamp>) {
        let decision = AttemptDecision {
            state: unsent.state,
            attempts: job.attempt - 1,
            maybe_sent: false,
            provider_id: None,
            reason: Some(unsent.reason),
            retry_at,
        };
        let outcome = outcome(&job, decision);
        self.answered.push(Answered { job, outcome });
    }
}
