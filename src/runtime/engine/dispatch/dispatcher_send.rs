//! The sending half of a channel's loop: attempts, and what is learnt from them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::Instrument as _;

use super::batch::Answered;
use super::dispatcher::{Attempted, Dispatcher};
use super::handle::{ChannelHandle, ProviderHealth};
use super::job::Job;
use super::retry_policy::{AttemptDecision, RetryPolicy, Tried, decide, suspend};
use super::suspicion::Refusal;
use crate::channels::{Attempt, Channel, Reach};
use crate::domain::content::Content;
use crate::runtime::engine::live::ChunkEvent;
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
            if self.attempts.len() >= allowed || !self.lease.runs() {
                return;
            }
            if !self.first_may_begin() {
                continue;
            }
            if self.first_is_outdated(now) {
                if !self.read_again(now) {
                    return;
                }
                continue;
            }
            if !self.takes_start(handle, now) {
                self.limited_since = Some(now);
                return;
            }
            let Some(mut job) = self.ready.pop_front() else { return };
            let channel = Arc::clone(&handle.channel);
            let span = traces::attempt(self.queue.name.as_str(), &job, &self.clock);
            job.message.trace = span.as_ref().map(Span::place);
            let (consequences, clock) = (self.consequences.clone(), self.clock.clone());
            self.attempts.push(Box::pin(async move {
                let began = clock.instant();
                let attempt = made(channel.as_ref(), &job).await;
                let took = clock.since(began);
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
                self.token_bucket.was_refused(self.clock.instant());
            }
        }
    }

    /// Notes what came of an attempt, and what it says about the provider.
    pub(super) fn learn(&mut self, attempted: Attempted) {
        let Attempted { mut job, attempt, began, took } = attempted;
        self.numbers.attempted(&attempt, took);
        self.limits.answered(&attempt, began, took, self.clock.instant());
        let now = self.clock.now();
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
        let now = self.clock.instant();
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
            let said = attempt.reason().unwrap_or_default().to_owned();
            handle.note(ProviderHealth::Down(said), self.clock.now());
        } else if matches!(attempt, Attempt::Sent { .. } | Attempt::Refused { .. }) {
            handle.note(ProviderHealth::Answers, self.clock.now());
        }
    }

    /// Hands deliveries that are due back to their chunk workers, which render them again.
    pub(super) fn release_due(&mut self, now: Timestamp) {
        // Messages that a broad run queues for the first time hold back no retry.
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

/// The outcome of an opened message.
pub(super) fn outcome(job: &Job, decision: AttemptDecision) -> Outcome {
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
