//! A chunk as the engine holds it while it is under way: how far it is decided and what is still to come of it.
//!
//! One worker decides about a chunk. Channels report to it here and never wait for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::contiguous_progress::ContiguousProgress;
use super::run::LiveRun;
use crate::domain::delivery::DeliveryId;
use crate::domain::name::NodeIndex;
use crate::domain::permit::{Permit, PermitFacts, permit};
use crate::store::deliveries::Cursor;
use crate::store::runs::{ChunkId, Fence, TakenChunk, Woken};

/// Something that the worker of a chunk must handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkEvent {
    /// The delivery came to its end and the journey goes on behind it.
    Advance(DeliveryId),
    /// The delivery waited and may be tried again.
    Retry(DeliveryId),
}

/// A chunk under way.
pub struct LiveChunk {
    /// Its run.
    pub run: Arc<LiveRun>,
    /// Its place in the ledger.
    pub id: ChunkId,
    /// The right to decide about it.
    pub fence: Fence,
    /// Where its journeys go on, if they waited; else they begin.
    pub woken: Option<Woken>,
    progress: Mutex<Progress>,
    left: AtomicBool,
    lost: AtomicBool,
    /// Bytes of the texts that are made and not yet sent.
    texts: AtomicUsize,
    /// Notified whenever the worker may have something to do.
    pub wakeup: Notify,
}

struct Progress {
    events: Vec<ChunkEvent>,
    settled: ContiguousProgress,
    /// Messages handed to channels and not yet opened.
    unopened: usize,
    /// Everything begun and not at its end: messages at channels, waiting deliveries, events.
    outstanding: usize,
}

impl LiveChunk {
    /// A chunk as it was taken.
    pub fn new(run: Arc<LiveRun>, id: ChunkId, taken: &TakenChunk) -> Self {
        let settled = ContiguousProgress::new(taken.keys.len(), taken.position);
        let progress = Progress { events: Vec::new(), settled, unopened: 0, outstanding: 0 };
        let (left, lost) = (AtomicBool::new(false), AtomicBool::new(false));
        let texts = AtomicUsize::new(0);
        let (fence, woken) = (taken.fence, taken.woken);
        let (progress, wakeup) = (Mutex::new(progress), Notify::new());
        LiveChunk { run, id, fence, woken, progress, left, lost, texts, wakeup }
    }

    /// `now` in its conditions and texts: when its journeys were woken, or the call came in.
    pub fn now(&self) -> Timestamp {
        self.woken.map_or(self.run.received_at, |woken| woken.at)
    }

    /// What is known of it, for [`permit`]. A wait that ended with its call's expiry ended by it whatever this process's clock
    /// says.
    pub fn permit_facts(&self, now: Timestamp) -> PermitFacts<'static> {
        self.run.permit_facts(now.max(self.now()))
    }

    /// Whether it goes on.
    pub fn permit(&self, now: Timestamp) -> Permit {
        permit(&self.permit_facts(now))
    }

    /// The node its journeys go on from; `None` if they are at their end.
    pub fn start(&self) -> Option<NodeIndex> {
        self.woken.map_or(Some(NodeIndex(0)), |woken| self.run.bound.after(woken.node))
    }

    /// The journeys at these places need no deciding any more.
    pub fn settle(&self, places: impl IntoIterator<Item = u32>) {
        let mut progress = self.lock();
        for place in places {
            progress.settled.mark(place);
        }
    }

    /// Messages are handed to channels; `fresh` of them were not outstanding before.
    pub fn hand_over(&self, messages: usize, fresh: usize) {
        let mut progress = self.lock();
        progress.unopened += messages;
        progress.outstanding += fresh;
    }

    /// Deliveries wait to be tried again, or journeys to go on, that were not outstanding before.
    pub fn begin(&self, count: usize) {
        self.lock().outstanding += count;
    }

    /// A message has left the queue of its channel: its window is open, or it has a row with another state.
    pub fn opened(&self, place: Option<u32>) {
        let mut progress = self.lock();
        progress.unopened = progress.unopened.saturating_sub(1);
        if let Some(place) = place {
            progress.settled.mark(place);
        }
        if progress.unopened.is_multiple_of(128) {
            drop(progress);
            self.wakeup.notify_one();
        }
    }

    /// A message was thrown away before its window was opened.
    pub fn dropped(&self) {
        let mut progress = self.lock();
        progress.unopened = progress.unopened.saturating_sub(1);
        progress.outstanding = progress.outstanding.saturating_sub(1);
        drop(progress);
        self.wakeup.notify_one();
    }

    /// A delivery came to its end; `is_terminal` says that its journey did too.
    pub fn ended(&self, id: DeliveryId, is_terminal: bool) {
        let mut progress = self.lock();
        if is_terminal {
            progress.outstanding = progress.outstanding.saturating_sub(1);
            if progress.outstanding > 0 {
                return;
            }
        } else {
            progress.events.push(ChunkEvent::Advance(id));
        }
        drop(progress);
        self.wakeup.notify_one();
    }

    /// Something that was outstanding ended within the worker.
    pub fn end(&self, count: usize) {
        let mut progress = self.lock();
        progress.outstanding = progress.outstanding.saturating_sub(count);
    }

    /// Queues an event for the worker.
    pub fn tell(&self, events: ChunkEvent) {
        self.lock().events.push(events);
        self.wakeup.notify_one();
    }

    /// Takes at most `most` queued events.
    pub fn take_events(&self, most: usize) -> Vec<ChunkEvent> {
        let mut progress = self.lock();
        let keep = progress.events.len().saturating_sub(most);
        progress.events.split_off(keep)
    }

    /// Messages handed to channels and not yet opened.
    pub fn unopened(&self) -> usize {
        self.lock().unopened
    }

    /// Whether another text may be made.
    pub fn another_text_fits(&self) -> bool {
        another_fits(self.texts.load(Ordering::Relaxed), HELD.bytes.load(Ordering::Relaxed))
    }

    /// Waits for a notification, or until the process has room for texts again.
    pub async fn woken(&self) {
        tokio::select! {
            biased;
            () = self.wakeup.notified() => {}
            () = HELD.fits_again.notified() => {}
        }
    }

    /// Whether everything that was begun is at its end.
    pub fn is_quiet(&self) -> bool {
        self.lock().outstanding == 0
    }

    /// How far it is decided without a gap.
    pub fn cursor(&self) -> Cursor {
        Cursor { chunk: self.id, fence: self.fence, position: self.lock().settled.position() }
    }

    /// Its worker has ended, with or without success, so its events are no longer handled here. The chunk may be taken
    /// again once no message of it is under way.
    pub fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    /// Another process has it: nothing more of it may be sent or decided here.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        self.wakeup.notify_one();
    }

    /// Whether another process has it.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Whether its worker has ended.
    pub fn is_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes of texts a process holds that are made and not yet sent. Beyond it each chunk makes one message at a
/// time, and the next when that is sent: so none waits for another's.
const PROCESS_TEXTS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How many bytes of texts of a chunk may wait for their channels; beyond it the worker waits.
const CHUNK_TEXTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a process holds of texts.
static HELD: Held = Held { bytes: AtomicUsize::new(0), fits_again: Notify::const_new() };

struct Held {
    bytes: AtomicUsize,
    /// Notified when there is room again.
    fits_again: Notify,
}

/// Whether a chunk that holds so much may make another text, where the process holds so much.
fn another_fits(chunk: usize, process: usize) -> bool {
    chunk == 0 || (chunk < CHUNK_TEXTS_BYTES_MAX && process < PROCESS_TEXTS_BYTES_MAX)
}

/// A chunk as one of its messages holds it, with the bytes of the message's texts for as long as that is in memory.
pub struct HeldText {
    chunk: Arc<LiveChunk>,
    bytes: usize,
}

impl HeldText {
    /// A message with texts of so many bytes is in memory.
    pub fn new(chunk: &Arc<LiveChunk>, bytes: usize) -> Self {
        chunk.texts.fetch_add(bytes, Ordering::Relaxed);
        HELD.bytes.fetch_add(bytes, Ordering::Relaxed);
        HeldText { chunk: Arc::clone(chunk), bytes }
    }
}

impl Drop for HeldText {
    fn drop(&mut self) {
        let held = HELD.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        if held >= PROCESS_TEXTS_BYTES_MAX {
            HELD.fits_again.notify_waiters();
        }
        let before = self.chunk.texts.fetch_sub(self.bytes, Ordering::Relaxed);
        // The worker may wait for room; short texts never exhaust it.
        if self.bytes > 4096 || before >= CHUNK_TEXTS_BYTES_MAX {
            self.chunk.wakeup.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_makes_one_text_at_a_time_whatever_others_hold() {
        let full = PROCESS_TEXTS_BYTES_MAX;
        assert!(another_fits(0, 10 * full));
        assert!(!another_fits(1, full));
        assert!(another_fits(1, full - 1));
        assert!(!another_fits(CHUNK_TEXTS_BYTES_MAX, CHUNK_TEXTS_BYTES_MAX));
    }
}
