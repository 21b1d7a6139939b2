//! The way into one channel: what waits for it, whether it is of use to begin more, and its bell.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::job::{Job, Waiting};
use super::lanes::Lanes;
use crate::domain::name::ChannelName;

/// How many deliveries of a channel may wait, each with a row and some 100 bytes here, before no more broad runs are
/// begun that need it. Narrow ones may add as many again.
pub(super) const WAITING_MAX: usize = 100_000;

/// A channel's queue. Walks bound what they put in; nobody waits here.
pub struct Outbox {
    /// The channel.
    pub name: ChannelName,
    lanes: Mutex<Lanes>,
    arrivals: Mutex<Vec<Waiting>>,
    waiting: AtomicUsize,
    closed: AtomicBool,
    paused: AtomicBool,
    /// Rung when something arrived or a run was halted.
    pub(super) bell: Notify,
}

impl Outbox {
    pub(super) fn new(name: ChannelName) -> Self {
        Outbox {
            name,
            lanes: Mutex::default(),
            arrivals: Mutex::default(),
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            bell: Notify::new(),
        }
    }

    /// Queues messages; their walks have counted them.
    pub fn push(&self, jobs: impl IntoIterator<Item = Job>) {
        let mut lanes = lock(&self.lanes);
        jobs.into_iter().for_each(|job| lanes.push(job));
        drop(lanes);
        self.bell.notify_one();
    }

    /// Lets deliveries wait for their next attempt.
    pub fn wait(&self, deliveries: impl IntoIterator<Item = Waiting>) {
        lock(&self.arrivals).extend(deliveries);
        self.bell.notify_one();
    }

    /// Rings the bell: a run was halted, or the channel changed.
    pub fn wake(&self) {
        self.bell.notify_one();
    }

    /// Whether it sends now. A chunk is not begun if all its channels rest.
    pub fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Acquire)
    }

    /// Whether more may wait for it, so that a chunk may be begun that needs it beside others.
    pub fn has_room(&self, narrow: bool) -> bool {
        let room = if narrow { WAITING_MAX * 2 } else { WAITING_MAX };
        self.waiting.load(Ordering::Acquire) < room
    }

    /// Stops or resumes sending; what is under way comes to its outcome.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
        self.bell.notify_one();
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

    pub(super) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        lock(&self.lanes)
    }

    pub(super) fn take_arrivals(&self) -> Vec<Waiting> {
        std::mem::take(&mut lock(&self.arrivals))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared by whoever puts messages in and the one who takes them out.
pub(super) type SharedOutbox = Arc<Outbox>;
