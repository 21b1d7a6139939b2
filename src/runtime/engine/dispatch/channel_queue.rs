//! The queue of one channel: messages to send, deliveries that wait for a retry, and the backpressure that the run
//! scheduler reads before it starts another chunk.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::fair_queue::FairQueue;
use super::job::{Job, PendingRetry};
use crate::domain::name::ChannelName;

/// How many deliveries of a channel may wait, each with a row and some 100 bytes here, before no more broad runs are
/// started that need it. Narrow ones may add as many again.
pub(super) const WAITING_MAX: usize = 100_000;

/// The queue of one channel. Chunk workers bound what they push, so that pushing never waits.
pub struct ChannelQueue {
    /// The channel.
    pub name: ChannelName,
    fair_queue: Mutex<FairQueue>,
    arrivals: Mutex<Vec<PendingRetry>>,
    waiting: AtomicUsize,
    closed: AtomicBool,
    paused: AtomicBool,
    /// Notified when something was pushed, a run was halted, or the dispatcher is to stop.
    pub(super) wakeup: Notify,
}

impl ChannelQueue {
    pub(super) fn new(name: ChannelName) -> Self {
        ChannelQueue {
            name,
            fair_queue: Mutex::default(),
            arrivals: Mutex::default(),
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            wakeup: Notify::new(),
        }
    }

    /// Queues messages, which their chunk workers have counted.
    pub fn push(&self, jobs: impl IntoIterator<Item = Job>) {
        let mut fair_queue = lock(&self.fair_queue);
        jobs.into_iter().for_each(|job| fair_queue.push(job));
        drop(fair_queue);
        self.wakeup.notify_one();
    }

    /// Queues deliveries for their next attempt.
    pub fn wait(&self, deliveries: impl IntoIterator<Item = PendingRetry>) {
        lock(&self.arrivals).extend(deliveries);
        self.wakeup.notify_one();
    }

    /// Wakes the dispatcher: a run was halted, the channel changed, or it is to stop.
    pub fn wake(&self) {
        self.wakeup.notify_one();
    }

    /// Whether it sends now. A chunk is not started while all its channels are closed.
    pub fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Acquire)
    }

    /// Whether more deliveries may wait for it, so that a chunk may be started that needs it beside other channels.
    pub fn has_room(&self, narrow: bool) -> bool {
        let room = if narrow { WAITING_MAX * 2 } else { WAITING_MAX };
        self.waiting.load(Ordering::Acquire) < room
    }

    /// Stops or resumes sending; what is under way comes to its outcome.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
        self.wakeup.notify_one();
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    pub(super) fn set_closed(&self, closed: bool) {
        self.closed.store(closed, Ordering::Release);
    }

    pub(super) fn set_waiting(&self, waiting: usize) {
        self.waiting.store(waiting, Ordering::Release);
    }

    pub(super) fn fair_queue(&self) -> MutexGuard<'_, FairQueue> {
        lock(&self.fair_queue)
    }

    pub(super) fn take_arrivals(&self) -> Vec<PendingRetry> {
        std::mem::take(&mut lock(&self.arrivals))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared by the chunk workers that push and the dispatcher that takes.
pub(super) type SharedChannelQueue = Arc<ChannelQueue>;
