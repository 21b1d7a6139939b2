//! The sending half of a channel's loop: attempts, what is learnt from them, and what is put back or given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::Instrument as _;

use super::batch::{Answered, Withdrawn};
use super::dispatcher::{Attempted, Dispatcher};
use super::dispatcher_commit::OPENINGS_MAX;
use super::handle::{ChannelHandle, ProviderHealth};
use super::job::Job;
use super::retry_policy::{AttemptDecision, RetryPolicy, Tried, decide, suspend};
use super::suspicion::Refusal;
use crate::channels::{Attempt, Channel, Reach};
use crate::domain::content::Content;
use crate::domain::state::DeliveryState;
use crate::runtime::engine::live::{ChunkEvent, Halt, LiveChunk};
use crate::runtime::engine::traces;
use crate::store::StoreError;
use crate::store::channel_rates::Starts;
use crate::store::deliveries::Outcome;
use crate::telemetry::traces::Span;

/// How many waiting deliveries are handed back to their chunk workers at once.
const RELEASED_AT_ONCE: usize = 256;

impl Dispatcher {
    /// Starts what is on disk, as far as rate, concurrency and the provider's health allow.
    pub(super) fn start_attempts(&mut self, handle: &ChannelHandle, now: Instant) {
        if let Some(since) = self.limited_since.take() {
            self.numbers.waited_for_rate(now.saturating_duration_since(since));
        }
        let concurrency = self.limits.concurrency(handle);
        while self.attempts.len() < concurrency && !self.ready.is_empty() {
            let allowed = self.health.allows(concurrency, now);
            if self.attempts.len() >= allowed || self.queue.is_paused() || !self.lease.runs() {
                return;
            }
            if self.ready.front().is_some_and(|job| job.chunk.is_lost()) {
                self.give_up_lost();
                continue;
            }
            if self.ready.front().is_some_and(|job| job.chunk.run.is_paused()) {
                self.put_back_first("its run is paused");
                continue;
            }
            if !self.takes_start(handle, now) {
                self.limited_since = Some(now);
                return;
            }
            let Some(mut job) = self.ready.pop_front() else { return };
            if let Some(halt) = job.chunk.run.halt(Timestamp::now()) {
                self.give_up_opened(job, halt);
                continue;
            }
            let channel = Arc::clone(&handle.channel);
            let span = traces::attempt(self.queue.name.as_str(), &job);
            job.message.trace = span.as_ref().map(Span::place);
            let consequences = self.consequences.clone();
            self.attempts.push(Box::pin(async move {
                let began = Instant::now();
                let attempt = made(channel.as_ref(), &job).await;
                let took = began.elapsed();
                if let Some(span) = span {
                    traces::end_attempt(span, &attempt);
                }
                let attempt = consequences.draw(attempt, &job).await;
                Attempted { job, attempt, began, took }
            }));
            self.limits.started(self.attempts.len(), now);
        }
    }

    /// Takes a start of the declared rate and of the learned one, or of neither.
    fn takes_start(&mut self, handle: &ChannelHandle, now: Instant) -> bool {
        if !self.limits.take(handle, now) {
            return false;
        }
        let is_due = self.token_bucket.take(now);
        if !is_due {
            self.limits.put_back();
        }
        is_due
    }

    /// What is on disk of a chunk that another process has is that one's to send.
    fn give_up_lost(&mut self) {
        if let Some(job) = self.ready.pop_front() {
            self.open = self.open.saturating_sub(1);
            job.chunk.dropped();
        }
    }

    /// Asks for the next starts where replicas share the rate, before the last ones are used up.
    pub(super) fn reserve_starts(&mut self, now: Instant) {
        let Some(rates) = &self.rates else { return };
        let Some((every, count)) = self.token_bucket.wants(self.ready.len(), now) else { return };
        if self.reserving.is_none() {
            let (rates, name) = (Arc::clone(rates), self.queue.name.clone());
            self.reserving = Some(Box::pin(async move { rates.reserve(&name, every, count).await }));
        }
    }

    pub(super) fn note_reserved(&mut self, reserved: Result<Starts, StoreError>) {
        match reserved {
            Ok(starts) => self.token_bucket.grant(starts),
            Err(error) => {
                tracing::warn!(channel = %self.queue.name, %error, "no starts are given out yet");
                self.token_bucket.was_refused(Instant::now());
            }
        }
    }

    /// Notes what came of an attempt, and what it says about the provider.
    pub(super) fn learn(&mut self, attempted: Attempted) {
        let Attempted { mut job, attempt, began, took } = attempted;
        self.numbers.attempted(&attempt, took);
        self.limits.answered(&attempt, began, took, Instant::now());
        let now = Timestamp::now();
        let policy = self.handles.load().get(&self.queue.name).map(|handle| handle.retry);
        let policy = policy.unwrap_or(RetryPolicy::UNTIL_RESTORED).following(&attempt);
        let tried = Tried {
            attempt: job.attempt,
            first_at: job.first_at.unwrap_or(now),
            now,
            expires_at: job.chunk.run.expires_at,
            maybe_sent: job.maybe_sent,
            channel_down: self.health.is_down(),
            spread: job.digest.0[0],
        };
        let (attempt, wait) = self.note_health(attempt, &job, began);
        let decision = match wait {
            Some(wait) => suspend(attempt, &tried, &policy, wait),
            None => decide(attempt, &tried, &policy),
        };
        job.maybe_sent |= decision.maybe_sent;
        if decision.state.is_open() {
            tracing::debug!(
                call = %job.chunk.run.call, delivery = %job.id, channel = %self.queue.name,
                reason = decision.reason.as_deref(), "to be tried again"
            );
        }
        let outcome = outcome(&job, decision);
        self.answered.push(Answered { job, outcome });
    }

    /// Learns what the attempt says of the provider, and gives what it says of the message: a refusal of everyone is the
    /// channel's trouble, and one of which that is not known yet waits so long.
    fn note_health(&mut self, attempt: Attempt, job: &Job, began: Instant) -> (Attempt, Option<Duration>) {
        let now = Instant::now();
        let was_down = self.health.is_down();
        let mut wait = None;
        let attempt = match attempt {
            Attempt::Refused { reason, reach: Reach::PerhapsAll { alike } } => {
                match self.health.refused(job.id, &alike, &reason, now) {
                    Refusal::OfAll => not_taken(format!("{reason}; others were refused with the same words")),
                    Refusal::Own => Attempt::Refused { reason, reach: Reach::PerhapsAll { alike } },
                    Refusal::Undecided(so_long) => {
                        wait = Some(so_long);
                        Attempt::Refused { reason, reach: Reach::PerhapsAll { alike } }
                    }
                }
            }
            // The pause is in the store by now, and holds the channel as any other pause.
            Attempt::Refused { reason, reach: Reach::Gone } => not_taken(reason),
            attempt => attempt,
        };
        match &attempt {
            Attempt::Refused { reach: Reach::PerhapsAll { .. }, .. } => {}
            Attempt::Sent { .. } | Attempt::Refused { .. } => {
                if self.health.answered(job.id, began, now) {
                    tracing::info!(channel = %self.queue.name, "the provider answers again");
                }
            }
            Attempt::NotTaken { provider_down: false, retry_after: None, .. } => {}
            Attempt::Throttled { retry_after, .. } => {
                self.health.throttled(*retry_after, self.is_adaptive(), now);
            }
            Attempt::NotTaken { retry_after, .. } => self.health.failed(*retry_after, now),
            Attempt::Unknown { .. } => self.health.failed(None, now),
        }
        if wait.is_none() {
            self.health.suspicion().forget(job.id);
        }
        self.note_standing(&attempt);
        if !was_down && self.health.is_down() {
            tracing::warn!(
                channel = %self.queue.name, call = %job.chunk.run.call, delivery = %job.id,
                reason = attempt.reason(),
                "the provider fails; one delivery probes it and the others wait"
            );
        }
        (attempt, wait)
    }

    fn is_adaptive(&self) -> bool {
        self.handles.load().get(&self.queue.name).is_some_and(|handle| handle.is_adaptive())
    }

    /// Publishes the health of the provider.
    fn note_standing(&self, attempt: &Attempt) {
        let handles = self.handles.load();
        let Some(handle) = handles.get(&self.queue.name) else { return };
        if self.health.is_down() {
            handle.note(ProviderHealth::Down(attempt.reason().unwrap_or_default().to_owned()));
        } else if matches!(attempt, Attempt::Sent { .. } | Attempt::Refused { .. }) {
            handle.note(ProviderHealth::Answers);
        }
    }

    /// What is on disk but was not started goes back, without having used up an attempt.
    pub(super) fn put_back(&mut self) {
        while !self.ready.is_empty() {
            self.put_back_first("it waits for its channel");
        }
    }

    fn put_back_first(&mut self, reason: &str) {
        let Some(job) = self.ready.pop_front() else { return };
        let decision = AttemptDecision {
            state: DeliveryState::Queued,
            attempts: job.attempt - 1,
            maybe_sent: false,
            provider_id: None,
            reason: Some(reason.into()),
            retry_at: Some(Timestamp::now()),
        };
        let outcome = outcome(&job, decision);
        self.answered.push(Answered { job, outcome });
    }

    /// Hands deliveries that are due back to their chunk workers, which render them again.
    pub(super) fn release_due(&mut self, now: Timestamp) {
        // Those that a broad run queues for the first time hold back nobody's retry.
        let (most, queued) = match self.health.is_down() {
            true => (1, self.queue.fair_queue().len()),
            false => (RELEASED_AT_ONCE, self.queue.fair_queue().retries()),
        };
        if queued >= most {
            return;
        }
        for waiting in self.waiting.take_due(now, most) {
            waiting.chunk.tell(ChunkEvent::Retry(waiting.id));
        }
    }

    /// What has not been opened is kept in the ledger as waiting, so that its chunk workers go on for other channels and people
    /// see what waits.
    pub(super) fn keep_for_later(&mut self, now: Timestamp) {
        let room = OPENINGS_MAX.saturating_sub(self.withdrawn.len());
        let first = self.queue.fair_queue().take_first(room);
        self.withdrawn.extend(first.into_iter().map(|job| Withdrawn {
            job,
            state: DeliveryState::Queued,
            reason: "it waits for its channel".into(),
            retry_at: Some(now),
        }));
    }

    /// Takes back what is not under way of runs that were halted and of chunks that were left.
    pub(super) fn withdraw_halted(&mut self, now: Timestamp) {
        let is_over = |chunk: &LiveChunk| chunk.is_left() || chunk.run.halt(now).is_some();
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
        match job.chunk.run.halt(Timestamp::now()) {
            Some(halt) if !job.chunk.is_left() => self.withdraw(job, halt),
            _ => job.chunk.dropped(),
        }
    }

    /// While the channel is down, what has been tried for as long as it may be has failed, without another attempt.
    /// What a person paused waits until a person resumes it.
    fn give_up_late(&mut self, now: Timestamp) {
        let handles = self.handles.load();
        let Some(handle) = handles.get(&self.queue.name) else { return };
        if !self.health.is_down() || self.queue.is_paused() {
            return;
        }
        let is_late = |chunk: &LiveChunk, first_at: Option<Timestamp>| {
            let is_late = first_at.is_some_and(|first_at| handle.retry.until(first_at) < now);
            is_late && !chunk.run.is_paused()
        };
        let said = match handle.provider_health() {
            ProviderHealth::Down(said) => said,
            ProviderHealth::Untried | ProviderHealth::Answers => "the provider does not take it".into(),
        };
        for job in self.queue.fair_queue().take_over(|job| is_late(&job.chunk, job.first_at)) {
            self.withdrawn.push(Withdrawn {
                state: if job.maybe_sent { DeliveryState::Unknown } else { DeliveryState::Failed },
                reason: format!("{said}; and its time for retries is over"),
                retry_at: None,
                job,
            });
        }
        let late = self.waiting.take_over(|waiting| is_late(&waiting.chunk, waiting.first_at));
        late.into_iter().for_each(|waiting| waiting.chunk.tell(ChunkEvent::Retry(waiting.id)));
    }

    /// A message of a halted run that has not been opened: it gets a row only if people must learn its fate.
    fn withdraw(&mut self, job: Job, halt: Halt) {
        match halt {
            Halt::Expired => self.withdrawn.push(Withdrawn {
                state: if job.maybe_sent { DeliveryState::Unknown } else { DeliveryState::Expired },
                reason: "it expired before it was sent".into(),
                retry_at: None,
                job,
            }),
            Halt::Cancelled if job.is_retry || job.predecessor.is_some() => self.withdrawn.push(Withdrawn {
                state: if job.maybe_sent { DeliveryState::Unknown } else { DeliveryState::Cancelled },
                reason: "the run was cancelled".into(),
                retry_at: None,
                job,
            }),
            Halt::Cancelled | Halt::Failed => job.chunk.dropped(),
        }
    }

    fn give_up_opened(&mut self, job: Job, halt: Halt) {
        let (state, reason) = match halt {
            Halt::Expired => (DeliveryState::Expired, "it expired before it was sent"),
            Halt::Cancelled => (DeliveryState::Cancelled, "the run was cancelled"),
            Halt::Failed => (DeliveryState::Cancelled, "the run failed"),
        };
        let decision = AttemptDecision {
            state: if job.maybe_sent { DeliveryState::Unknown } else { state },
            attempts: job.attempt - 1,
            maybe_sent: false,
            provider_id: None,
            reason: Some(reason.into()),
            retry_at: None,
        };
        let outcome = outcome(&job, decision);
        self.answered.push(Answered { job, outcome });
    }
}

fn not_taken(reason: String) -> Attempt {
    Attempt::NotTaken { reason, retry_after: None, provider_down: true }
}

/// One attempt. A line of the log belongs to a call, which the channel does not know.
async fn made(channel: &dyn Channel, job: &Job) -> Attempt {
    let attempt = channel.attempt(&job.message);
    match job.message.content {
        Content::Log { .. } => {
            attempt.instrument(tracing::info_span!("message", call = %job.chunk.run.call)).await
        }
        _ => attempt.await,
    }
}

fn outcome(job: &Job, decision: AttemptDecision) -> Outcome {
    Outcome {
        id: job.id,
        attempt: job.attempt,
        fence: job.chunk.fence,
        attempts_counted: decision.attempts,
        state: decision.state,
        maybe_sent: decision.maybe_sent,
        provider_id: decision.provider_id,
        reason: decision.reason,
        retry_at: decision.retry_at,
        advanced: job.is_terminal && !decision.state.is_open(),
    }
}
