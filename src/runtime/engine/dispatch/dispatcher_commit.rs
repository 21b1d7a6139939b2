//! The writing half of a channel's loop: what goes into the next commit, and what follows from the last one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::batch::{Answered, Batch, Withdrawn};
use super::channel_queue::WAITING_MAX;
use super::dispatcher::{Dispatcher, Stop};
use super::handle::ChannelHandle;
use super::job::{Job, PendingRetry, segments};
use crate::domain::permit::Permit;
use crate::domain::state::DeliveryState;
use crate::runtime::engine::live::ChunkEvent;
use crate::runtime::metrics::LedgerWork;
use crate::store::StoreError;
use crate::store::deliveries::{Committed, Opened};
use crate::telemetry::Sampled;

/// How long a write that a rule in the database refuses waits before it is tried again.
const ASIDE_PAUSE: Duration = Duration::from_secs(2);
/// How many such writes wait beside the others; where there are more, all wait.
const ASIDE_MAX: usize = 1024;

static BARRED: Sampled = Sampled::every(Duration::from_secs(30));

/// How many openings one commit carries at most, so that the first of them start soon.
pub(super) const OPENINGS_MAX: usize = 512;

impl Dispatcher {
    /// Starts a commit as soon as the last one ended and there is something to write.
    pub(super) fn start_commit(&mut self, handle: Option<&ChannelHandle>, now: Instant, stop: Stop) {
        if self.commit.is_some() {
            return;
        }
        let batch = match self.split.pop_front().or_else(|| self.due_again(now)) {
            Some(batch) => batch,
            None => self.next_batch(self.allowed(handle, now, stop)),
        };
        if batch.is_empty() {
            return;
        }
        let ledger = Arc::clone(&self.ledger);
        let step = Arc::new(batch.step(&self.queue.name, self.clock.now()));
        let (pause, rows) = (commit_pause(self.failed_commits), batch.len());
        let (metrics, clock) = (Arc::clone(&self.metrics), self.clock.clone());
        self.commit = Some(Box::pin(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let began = clock.instant();
            let result = ledger.commit(step).await;
            let took = clock.since(began);
            metrics.ledger.committed(LedgerWork::Deliveries, rows, took, result.is_ok());
            (batch, result)
        }));
    }

    fn next_batch(&mut self, allowed: usize) -> Batch {
        // Outcomes of the same commit free places in the window: its bound holds before the commit and after it.
        let still_open = self.open.saturating_sub(self.answered.len());
        let room = allowed.saturating_sub(still_open).min(OPENINGS_MAX);
        let again_only = self.waiting.len() >= WAITING_MAX * 2;
        let taken = if room > 0 { self.queue.fair_queue().take(room, again_only) } else { Vec::new() };
        let taken = self.without_own_refusals(taken);
        let mut opening = self.permitted(taken);
        let now = self.clock.now();
        opening.iter_mut().for_each(|job| job.first_at = job.first_at.or(Some(now)));
        self.open += opening.len();
        Batch {
            answered: std::mem::take(&mut self.answered),
            withdrawn: std::mem::take(&mut self.withdrawn),
            opening,
            moved: std::mem::take(&mut self.moved).into_values().collect(),
            repeated: false,
        }
    }

    /// What was refused, and turned out to be refused alone, has failed without another attempt.
    fn without_own_refusals(&mut self, opening: Vec<Job>) -> Vec<Job> {
        let mut going_on = Vec::with_capacity(opening.len());
        for job in opening {
            match self.health.suspicion().take_own(job.id).filter(|_| job.is_retry) {
                None => going_on.push(job),
                Some(reason) => self.withdrawn.push(Withdrawn {
                    state: DeliveryState::Failed.or_unknown(job.maybe_sent),
                    reason,
                    retry_at: None,
                    job,
                }),
            }
        }
        going_on
    }

    /// Writes that were put aside and are due for a retry. A message that may not be sent any more is not opened.
    fn due_again(&mut self, now: Instant) -> Option<Batch> {
        while self.aside.front().is_some_and(|(at, _)| *at <= now) {
            let (_, mut batch) = self.aside.pop_front()?;
            let is_over = |job: &Job| {
                job.chunk.is_left() || matches!(job.chunk.permit(self.clock.now()), Permit::Skip(_))
            };
            let (stopped, going_on): (Vec<Job>, Vec<Job>) =
                std::mem::take(&mut batch.opening).into_iter().partition(is_over);
            batch.opening = going_on;
            self.open = self.open.saturating_sub(stopped.len());
            stopped.into_iter().for_each(|job| self.stop(job));
            if !batch.is_empty() {
                return Some(batch);
            }
        }
        None
    }

    /// Goes on from what the store said.
    pub(super) fn committed(&mut self, batch: Batch, result: Result<Committed, StoreError>) {
        match result {
            Ok(committed) => {
                self.failed_commits = 0;
                self.written(batch, &committed.opened);
            }
            Err(error @ StoreError::Barred(_)) if batch.len() == 1 && self.aside.len() < ASIDE_MAX => {
                if let Some(held_back) = BARRED.pass(self.queue.name.as_str()) {
                    tracing::warn!(channel = %self.queue.name, %error, held_back, "a write waits, and no other with it");
                }
                self.aside.push_back((self.clock.instant() + ASIDE_PAUSE, Batch { repeated: true, ..batch }));
            }
            Err(error) if error.is_transient() && !(error.is_of_one_row() && batch.len() > 1) => {
                if self.failed_commits == 0 {
                    tracing::warn!(channel = %self.queue.name, %error, "the ledger cannot be written; trying again");
                }
                self.failed_commits = self.failed_commits.saturating_add(1);
                self.split.push_front(Batch { repeated: true, ..batch });
            }
            Err(_) if batch.len() > 1 => {
                let [first, second] = batch.split();
                self.split.push_front(second);
                self.split.push_front(first);
            }
            Err(error) => self.refused(batch, &error),
        }
    }

    fn written(&mut self, batch: Batch, opened: &[Opened]) {
        let now = self.clock.now();
        for answered in batch.answered {
            self.open = self.open.saturating_sub(1);
            self.numbers.ended(answered.outcome.state, since(now, &answered.job));
            if answered.outcome.state == DeliveryState::Sent {
                self.numbers.sent_segments(segments(&answered.job.message.content));
            }
            self.settle(answered);
        }
        for withdrawn in batch.withdrawn {
            self.withdrew(withdrawn, now);
        }
        for (job, opened) in batch.opening.into_iter().zip(opened) {
            match *opened {
                Opened::Yes => {
                    job.chunk.opened(job.place);
                    self.note_moved(&job);
                    self.ready.push(job);
                }
                Opened::Stopping | Opened::Lost => {
                    self.open = self.open.saturating_sub(1);
                    Self::not_opened(&job, *opened);
                }
            }
        }
    }

    fn withdrew(&mut self, withdrawn: Withdrawn, now: Timestamp) {
        let Withdrawn { job, state, retry_at, .. } = withdrawn;
        job.chunk.opened(job.place);
        match retry_at {
            Some(at) => {
                self.note_moved(&job);
                self.waiting.push(waiting(job, at));
            }
            None => {
                self.numbers.ended(state, since(now, &job));
                job.chunk.ended(job.id, job.is_terminal);
            }
        }
    }

    fn settle(&mut self, answered: Answered) {
        let Answered { job, outcome } = answered;
        match outcome.retry_at {
            Some(at) if outcome.state.is_open() => self.waiting.push(waiting(job, at)),
            _ => job.chunk.ended(job.id, job.is_terminal),
        }
    }

    fn note_moved(&mut self, job: &Job) {
        if job.place.is_some() && !self.moved.contains_key(&job.chunk.id) {
            self.moved.insert(job.chunk.id, Arc::clone(&job.chunk));
        }
    }

    /// A delivery that had waited goes back to its chunk worker: its run is stopping, or its outcome came from one
    /// who had lost the chunk. Anything else was not ours to send.
    fn not_opened(job: &Job, opened: Opened) {
        if opened == Opened::Stopping {
            job.chunk.run.cancel();
        }
        if job.is_retry && !job.chunk.is_lost() {
            job.chunk.opened(None);
            job.chunk.tell(ChunkEvent::Retry(job.id));
            return;
        }
        if opened == Opened::Lost {
            tracing::warn!(call = %job.chunk.run.call, delivery = %job.id, "it was not opened: another process has its chunk");
            job.chunk.lose();
        }
        job.chunk.dropped();
    }

    /// One write that the store refuses by itself: its run stops, its neighbours went on.
    fn refused(&mut self, batch: Batch, error: &StoreError) {
        // What is withdrawn has no place in the window.
        self.open = self.open.saturating_sub(batch.opening.len() + batch.answered.len());
        let jobs = batch.opening.into_iter().map(|job| (job, false));
        let jobs = jobs.chain(batch.withdrawn.into_iter().map(|withdrawn| (withdrawn.job, false)));
        for (job, answered) in jobs.chain(batch.answered.into_iter().map(|answered| (answered.job, true))) {
            tracing::error!(call = %job.chunk.run.call, delivery = %job.id, %error, "the ledger refuses it; its run stops");
            job.chunk.run.fail();
            if answered { job.chunk.end(1) } else { job.chunk.dropped() }
        }
    }
}

/// A delivery that waits until then.
pub(super) fn waiting(job: Job, at: Timestamp) -> PendingRetry {
    let Job { id, chunk, maybe_sent, is_terminal, first_at, .. } = job;
    PendingRetry { at, id, chunk, maybe_sent, is_terminal, first_at }
}

/// How long ago the call of a message came in; the clocks of replicas may differ.
fn since(now: Timestamp, job: &Job) -> Duration {
    Duration::try_from(now.duration_since(job.chunk.run.received_at)).unwrap_or_default()
}

/// A store that fails is asked again, ever more slowly, up to two seconds.
fn commit_pause(failed: u32) -> Duration {
    if failed == 0 {
        return Duration::ZERO;
    }
    Duration::from_millis(50).saturating_mul(1 << failed.min(6)).min(Duration::from_secs(2))
}
