//! The dispatcher of one channel, a loop: open a window, make attempts, evaluate their results, commit.
//!
//! The loop owns all of it, so that nothing here needs a lock. While a commit is on its way to disk, attempts go
//! on; whatever came of them meanwhile goes with the next one.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;

use super::adaptive_limits::AdaptiveLimits;
use super::batch::{Answered, Batch, Withdrawn};
use super::channel_queue::SharedChannelQueue;
use super::consequences::Consequences;
use super::handle::{ChannelHandle, ChannelHandles};
use super::health::HealthTracker;
use super::job::Job;
use super::read_again::{ReadingAgain, read_again};
use super::ready_queue::ReadyQueue;
use super::retry_queue::RetryQueue;
use super::token_bucket::TokenBucket;
use crate::channels::Attempt;
use crate::domain::permit::Permit;
use crate::runtime::engine::clock::Clock;
use crate::runtime::engine::lease::LeaseClock;
use crate::runtime::engine::live::LiveChunk;
use crate::runtime::metrics::{ChannelNumbers, Metrics};
use crate::store::StoreError;
use crate::store::channel_rates::{ChannelRates, Starts};
use crate::store::customers::Customers;
use crate::store::deliveries::{Committed, Deliveries};
use crate::store::pauses::PauseBook;
use crate::store::runs::ChunkId;

/// How often halted runs and changed channels are polled for when nothing else happens.
const TICK: Duration = Duration::from_millis(200);

/// Why a dispatcher ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It goes on.
    No,
    /// It opens no more windows and ends once every attempt under way has its outcome, at this time at the latest.
    By(Instant),
}

/// A message, and what came of an attempt at it.
pub(super) struct Attempted {
    pub job: Job,
    pub attempt: Attempt,
    pub began: Instant,
    pub took: Duration,
}

pub(super) type Attempting = Pin<Box<dyn Future<Output = Attempted> + Send>>;
pub(super) type Committing = Pin<Box<dyn Future<Output = (Batch, Result<Committed, StoreError>)> + Send>>;

pub(super) type Reserving = Pin<Box<dyn Future<Output = Result<Starts, StoreError>> + Send>>;

/// What every dispatcher works with.
#[derive(Clone)]
pub struct DispatcherDependencies {
    /// The channels that can be used now.
    pub handles: ChannelHandles,
    /// Deliveries.
    pub ledger: Arc<dyn Deliveries>,
    /// Until when this process may send.
    pub lease: Arc<LeaseClock>,
    /// Where starts are given out, if several replicas share channels' rates.
    pub rates: Option<Arc<dyn ChannelRates>>,
    /// Customers, of whom some opt out or withdraw a consent.
    pub customers: Arc<dyn Customers>,
    /// What is paused.
    pub pauses: Arc<dyn PauseBook>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What time it is.
    pub clock: Clock,
}

/// The owner of one channel's windows.
pub(super) struct Dispatcher {
    pub queue: SharedChannelQueue,
    pub handles: ChannelHandles,
    pub ledger: Arc<dyn Deliveries>,
    pub lease: Arc<LeaseClock>,
    pub consequences: Consequences,
    /// Where starts are given out, if several replicas share the channel's rate.
    pub rates: Option<Arc<dyn ChannelRates>>,
    pub reserving: Option<Reserving>,
    pub stop: watch::Receiver<Stop>,
    pub health: HealthTracker,
    pub token_bucket: TokenBucket,
    pub limits: AdaptiveLimits,
    /// Customers, who are read again before a message is attempted that has waited.
    pub customers: Arc<dyn Customers>,
    pub reading_again: Option<ReadingAgain>,
    /// Opened, on disk, not yet sent; runs take turns here as well.
    pub ready: ReadyQueue,
    /// Deliveries opened, or about to be, without a committed outcome.
    pub open: usize,
    pub attempts: FuturesUnordered<Attempting>,
    pub answered: Vec<Answered>,
    pub withdrawn: Vec<Withdrawn>,
    /// Chunks whose cursor may have moved since it was written.
    pub moved: BTreeMap<ChunkId, Arc<LiveChunk>>,
    pub commit: Option<Committing>,
    /// What the store refused, in halves, goes before anything new.
    pub split: VecDeque<Batch>,
    /// Writes that a constraint of the database rejects, each alone and with the time of its retry. They delay no others.
    pub aside: VecDeque<(Instant, Batch)>,
    pub failed_commits: u32,
    pub waiting: RetryQueue,
    pub swept_at: Instant,
    pub metrics: Arc<Metrics>,
    pub numbers: ChannelNumbers,
    /// Since when messages are ready and the rate limit allows no attempt.
    pub limited_since: Option<Instant>,
    pub clock: Clock,
}

impl Dispatcher {
    pub(super) fn new(
        queue: SharedChannelQueue,
        dependencies: &DispatcherDependencies,
        stop: watch::Receiver<Stop>,
    ) -> Self {
        let now = dependencies.clock.instant();
        Dispatcher {
            clock: dependencies.clock.clone(),
            numbers: dependencies.metrics.channel(&queue.name),
            metrics: Arc::clone(&dependencies.metrics),
            limited_since: None,
            consequences: Consequences {
                channel: queue.name.clone(),
                customers: Arc::clone(&dependencies.customers),
                pauses: Arc::clone(&dependencies.pauses),
                clock: dependencies.clock.clone(),
            },
            queue,
            handles: dependencies.handles.clone(),
            ledger: Arc::clone(&dependencies.ledger),
            lease: Arc::clone(&dependencies.lease),
            rates: dependencies.rates.clone(),
            reserving: None,
            stop,
            health: HealthTracker::default(),
            token_bucket: TokenBucket::new(None, dependencies.rates.is_some(), now),
            limits: AdaptiveLimits::new(now),
            customers: Arc::clone(&dependencies.customers),
            reading_again: None,
            ready: ReadyQueue::default(),
            open: 0,
            attempts: FuturesUnordered::new(),
            answered: Vec::new(),
            withdrawn: Vec::new(),
            moved: BTreeMap::new(),
            commit: None,
            split: VecDeque::new(),
            aside: VecDeque::new(),
            failed_commits: 0,
            waiting: RetryQueue::default(),
            swept_at: now,
        }
    }

    /// Runs until stopped.
    pub(super) async fn run(mut self) {
        loop {
            let handle = self.handles.load().get(&self.queue.name).map(Arc::clone);
            let now = self.clock.instant();
            let stop = *self.stop.borrow();
            self.prepare(handle.as_deref(), now, stop);
            if let Some(handle) = &handle {
                self.start_attempts(handle, now);
                self.reserve_starts(now);
            }
            self.start_commit(handle.as_deref(), now, stop);
            if self.is_finished(stop, now) {
                return;
            }
            self.wait(now, stop).await;
        }
    }

    /// Updates all state before anything new is started.
    fn prepare(&mut self, handle: Option<&ChannelHandle>, now: Instant, stop: Stop) {
        if let Some(handle) = handle {
            self.token_bucket.set_rate(handle.per_second, now);
            self.limits.follow(handle);
        }
        let rests = self.rests(handle, now);
        self.queue.set_closed(rests || stop != Stop::No);
        if rests && stop == Stop::No && self.lease.runs() {
            self.keep_for_later(self.clock.now());
        }
        self.numbers.standing(self.queue.is_paused(), self.health.is_down());
        self.show_limits(handle);
        if let Some(unrecognized) = handle.and_then(|handle| handle.channel.unrecognized()) {
            self.numbers.unrecognized(unrecognized.count());
        }
        self.queue.take_arrivals().into_iter().for_each(|waiting| self.waiting.push(waiting));
        self.queue.set_waiting(self.waiting.len());
        if now.duration_since(self.swept_at) >= TICK {
            self.swept_at = now;
            self.health.suspicion().sweep(now);
            if let Some(handle) = handle {
                handle.channel.end_idle();
            }
            self.withdraw_halted(self.clock.now());
        }
        if self.allowed(handle, now, stop) == 0 {
            self.put_back();
        } else {
            self.release_due(self.clock.now());
        }
    }

    /// Shows what the channel may do and what of it is used.
    fn show_limits(&self, handle: Option<&ChannelHandle>) {
        let Some(handle) = handle else {
            self.numbers.window(0, 0, self.open);
            self.numbers.concurrency(0, None, self.attempts.len());
            return;
        };
        let concurrency = self.limits.concurrency(handle);
        self.numbers.window(handle.window(concurrency), self.window_usable(handle), self.open);
        let learned_rate = self.limits.per_second(handle);
        self.numbers.concurrency(concurrency, learned_rate, self.attempts.len());
        handle.note_learned(concurrency, learned_rate);
    }

    /// How many deliveries may be open while the provider takes messages.
    fn window_usable(&self, handle: &ChannelHandle) -> usize {
        handle.window_usable(self.limits.concurrency(handle), self.limits.per_second(handle))
    }

    /// Whether the channel sends nothing for now, but a message that probes its provider. One that nothing waits for has
    /// none to probe with but what is begun next.
    fn rests(&self, handle: Option<&ChannelHandle>, now: Instant) -> bool {
        let has_a_probe = self.open > 0 || self.waiting.len() > 0 || !self.queue.fair_queue().is_empty();
        let is_down = self.health.is_down() && (has_a_probe || self.health.allows(1, now) == 0);
        handle.is_none() || is_down || self.channel_permit(self.clock.now()) != Permit::Send
    }

    /// How many deliveries may be open.
    pub(super) fn allowed(&self, handle: Option<&ChannelHandle>, now: Instant, stop: Stop) -> usize {
        match handle {
            Some(handle) if stop == Stop::No && self.lease.runs() => {
                match self.channel_permit(self.clock.now()) {
                    Permit::Send => self.health.allows(self.window_usable(handle), now),
                    Permit::WaitUntil(..) | Permit::Skip(_) => 0,
                }
            }
            _ => 0,
        }
    }

    fn is_finished(&self, stop: Stop, now: Instant) -> bool {
        let Stop::By(deadline) = stop else { return false };
        let nothing_left = self.attempts.is_empty()
            && self.reading_again.is_none()
            && self.commit.is_none()
            && self.answered.is_empty()
            && self.split.is_empty();
        nothing_left || now >= deadline
    }

    async fn wait(&mut self, now: Instant, stop: Stop) {
        let mut until = now + TICK;
        if let Stop::By(deadline) = stop {
            until = until.min(deadline);
        }
        if self.limited_since.is_some()
            && let Some(start) =
                [self.token_bucket.next_token(), self.limits.next_start()].into_iter().flatten().max()
        {
            until = until.min(start);
        }
        if let Some(probe) = self.health.next_probe().filter(|probe| *probe > now) {
            until = until.min(probe);
        }
        // An attempt may end at any time while messages are sent; what they wait for themselves comes before that, each once.
        // Whatever wakes the loop, it looks at its queue and whether it is stopped.
        tokio::select! {
            biased;
            (batch, result) = settled(&mut self.commit), if self.commit.is_some() => {
                self.commit = None;
                self.committed(batch, result);
            }
            read = read_again(&mut self.reading_again), if self.reading_again.is_some() => {
                self.reading_again = None;
                self.note_read_again(read);
            }
            reserved = reserved(&mut self.reserving), if self.reserving.is_some() => {
                self.reserving = None;
                self.note_reserved(reserved);
            }
            Some(attempted) = self.attempts.next(), if !self.attempts.is_empty() => {
                self.learn(attempted);
                while let Some(Some(attempted)) = self.attempts.next().now_or_never() {
                    self.learn(attempted);
                }
            }
            () = self.queue.wakeup.notified() => {}
            () = tokio::time::sleep_until(until.into()) => {}
        }
    }
}

async fn reserved(reserving: &mut Option<Reserving>) -> Result<Starts, StoreError> {
    match reserving {
        Some(reserving) => reserving.await,
        None => std::future::pending().await,
    }
}

async fn settled(commit: &mut Option<Committing>) -> (Batch, Result<Committed, StoreError>) {
    match commit {
        Some(commit) => commit.await,
        None => std::future::pending().await,
    }
}
