//! The run scheduler: decides which audience is selected next and which chunk is started next.
//!
//! Narrow runs go first and runs take turns; a run has at most two chunks being decided at once, and none is begun
//! while all its channels rest. What one of several channels cannot send now waits in the ledger, so that neither a
//! broad run nor a dead channel holds up the others.

mod pauses;
mod peers;
mod slot;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;

pub(super) use self::slot::ChunkSlot;
use super::chunk_limits::ChunkLimits;
use super::{EngineContext, LiveChunk, LiveRun};
use crate::domain::name::{ChannelName, RunId};
use crate::domain::pause::Pauses;
use crate::domain::permit::{Halt, Permit};
use crate::store::runs::{ChunkId, Fence, OpenChunks};

/// How many chunks of one run are decided at once.
const CHUNKS_A_RUN: usize = 2;
/// How many audiences are read at once; more would only take turns on the same disk.
const SELECTING_MAX: usize = 4;

/// How often a run is checked again whose chunks, or whose audience, other processes own.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Runs under way.
pub struct RunScheduler {
    pub(in crate::runtime) context: EngineContext,
    state: Mutex<State>,
    /// Notified when a task may have become ready.
    pub(in crate::runtime) wakeup: Notify,
}

#[derive(Default)]
struct State {
    runs: BTreeMap<RunId, ScheduledRun>,
    turns: VecDeque<RunId>,
    by_channel: HashMap<ChannelName, ChunkLimits>,
    selecting: usize,
    live: BTreeMap<ChunkId, Weak<LiveChunk>>,
    /// What people have paused; until that is known nothing is begun.
    pauses: Option<Pauses>,
}

struct ScheduledRun {
    run: Arc<LiveRun>,
    stage: RunStage,
    pending: VecDeque<u32>,
    processing: HashSet<u32>,
    deciding: usize,
    narrow: bool,
    untouched_closed: bool,
    /// When the chunks that other processes own are checked again.
    check_peers_at: Option<Instant>,
    /// Whether other processes owned chunks of it at the last check.
    elsewhere: bool,
    is_checking_peers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunStage {
    ToSelect,
    Busy,
    Running,
}

/// Something to be begun.
pub(super) enum ScheduledTask {
    /// Read the run's audience.
    Select(Arc<LiveRun>),
    /// Close the chunks of a halted run that no process ever took.
    CloseUntouched(Arc<LiveRun>),
    /// Work on a chunk.
    RunChunk(Arc<LiveRun>, u32, ChunkSlot),
    /// See what other processes have left of a run that has work here too.
    CheckPeers(Arc<LiveRun>),
    /// End the run.
    Finish(Arc<LiveRun>),
}

impl ScheduledRun {
    /// Queues a chunk again, unless it is queued or worked on already.
    fn add(&mut self, n: u32) {
        if !self.pending.contains(&n) && !self.processing.contains(&n) {
            self.pending.push_back(n);
        }
    }

    /// Whether all that is left of it is with other processes, as far as is known here.
    fn has_nothing_here(&self) -> bool {
        self.stage == RunStage::ToSelect || self.pending.is_empty() && self.processing.is_empty()
    }
}

impl RunScheduler {
    /// A scheduler without runs.
    pub fn new(context: EngineContext) -> Arc<Self> {
        Arc::new(RunScheduler { context, state: Mutex::default(), wakeup: Notify::new() })
    }

    /// Puts a run up whose audience has not been read.
    pub(super) fn add_selecting(&self, run: Arc<LiveRun>) {
        self.add(run, RunStage::ToSelect, Vec::new());
    }

    /// Puts a run up with the chunks that are not done.
    pub(super) fn add_running(&self, run: Arc<LiveRun>, chunks: Vec<u32>) {
        self.add(run, RunStage::Running, chunks);
    }

    fn add(&self, run: Arc<LiveRun>, stage: RunStage, chunks: Vec<u32>) {
        let mut state = self.lock();
        let id = run.id;
        if let Some(entry) = state.runs.get_mut(&id) {
            chunks.into_iter().for_each(|n| entry.add(n));
            drop(state);
            self.wakeup.notify_one();
            return;
        }
        let narrow = chunks.len() <= 1;
        run.pause(state.rests(&run));
        let entry = ScheduledRun {
            run,
            stage,
            pending: chunks.into(),
            processing: HashSet::new(),
            deciding: 0,
            narrow,
            untouched_closed: false,
            check_peers_at: None,
            elsewhere: false,
            is_checking_peers: false,
        };
        state.runs.insert(id, entry);
        state.turns.push_back(id);
        drop(state);
        self.wakeup.notify_one();
    }

    /// The runs under way.
    pub fn runs(&self) -> Vec<Arc<LiveRun>> {
        self.lock().runs.values().map(|entry| Arc::clone(&entry.run)).collect()
    }

    /// The run, if it is under way.
    pub fn run(&self, id: RunId) -> Option<Arc<LiveRun>> {
        self.lock().runs.get(&id).map(|entry| Arc::clone(&entry.run))
    }

    /// The next thing to begin, if there is one.
    pub(super) fn next(self: &Arc<Self>) -> Option<ScheduledTask> {
        let now = self.context.clock.both();
        let mut state = self.lock();
        for narrow_only in [true, false] {
            for _ in 0..state.turns.len() {
                let Some(id) = state.turns.pop_front() else { break };
                state.turns.push_back(id);
                if let Some(task) = self.task_of(&mut state, id, narrow_only, now) {
                    return Some(task);
                }
            }
        }
        None
    }

    fn task_of(
        self: &Arc<Self>,
        state: &mut State,
        id: RunId,
        narrow_only: bool,
        (instant, now): (Instant, Timestamp),
    ) -> Option<ScheduledTask> {
        let selecting = state.selecting;
        let entry = state.runs.get_mut(&id)?;
        let permit = entry.run.permit(now);
        if let Permit::WaitUntil(..) = permit {
            return None;
        }
        let halt = permit.halt();
        if entry.check_peers_at.is_some_and(|at| at > instant) && entry.has_nothing_here() {
            return None;
        }
        match entry.stage {
            RunStage::Busy => return None,
            RunStage::ToSelect if halt.is_none() && selecting >= SELECTING_MAX => return None,
            RunStage::ToSelect => {
                entry.stage = RunStage::Busy;
                let run = Arc::clone(&entry.run);
                if halt.is_some() {
                    return Some(ScheduledTask::CloseUntouched(run));
                }
                state.selecting += 1;
                return Some(ScheduledTask::Select(run));
            }
            RunStage::Running => {}
        }
        if halt.is_some() && !entry.untouched_closed {
            entry.untouched_closed = true;
            entry.stage = RunStage::Busy;
            return Some(ScheduledTask::CloseUntouched(Arc::clone(&entry.run)));
        }
        if halt == Some(Halt::Failed) {
            entry.pending.clear();
        }
        if entry.pending.is_empty() && entry.processing.is_empty() {
            entry.stage = RunStage::Busy;
            return Some(ScheduledTask::Finish(Arc::clone(&entry.run)));
        }
        if let Some(look) = entry.look(instant) {
            return Some(look);
        }
        if narrow_only && !entry.narrow {
            return None;
        }
        self.chunk_task(state, id, halt.is_some())
    }

    fn chunk_task(self: &Arc<Self>, state: &mut State, id: RunId, halted: bool) -> Option<ScheduledTask> {
        let State { runs, by_channel, live, .. } = state;
        let entry = runs.get_mut(&id)?;
        let narrow = entry.narrow;
        let channels = entry.run.bound.channels();
        let mut is_any_open = channels.is_empty();
        let may_begin = entry.deciding < CHUNKS_A_RUN
            && channels.iter().all(|channel| {
                let queue = self.context.dispatchers.queue(channel);
                is_any_open |= queue.is_open();
                queue.has_room(narrow) && by_channel.entry(channel.clone()).or_default().are_free(narrow)
            })
            && is_any_open;
        if !halted && !may_begin {
            return None;
        }
        // Messages of an ended worker that are still at channels reach their outcome before the chunk is taken again.
        let is_free = |n: &u32| {
            let left = live.get(&ChunkId { run: id, n: *n });
            !entry.processing.contains(n) && left.is_none_or(|left| left.strong_count() == 0)
        };
        let place = entry.pending.iter().position(is_free)?;
        let n = entry.pending.remove(place)?;
        entry.processing.insert(n);
        entry.deciding += 1;
        for channel in channels {
            *by_channel.entry(channel.clone()).or_default().of(narrow) += 1;
        }
        let slot = ChunkSlot { scheduler: Arc::clone(self), run: id, channels: channels.to_vec(), narrow };
        Some(ScheduledTask::RunChunk(Arc::clone(&entry.run), n, slot))
    }

    /// The audience of a run has been read, here or elsewhere, or could not be; a halted one may have fewer chunks
    /// left.
    pub(super) fn prepared(&self, id: RunId, chunks: Option<OpenChunks>, was_selecting: bool) {
        let mut state = self.lock();
        if was_selecting {
            state.selecting -= 1;
        }
        if let Some(entry) = state.runs.get_mut(&id) {
            match chunks {
                Some(chunks) => {
                    entry.narrow = chunks.free.len() as u64 + chunks.elsewhere <= 1;
                    entry.pending =
                        chunks.free.into_iter().filter(|n| !entry.processing.contains(n)).collect();
                    entry.left_elsewhere(chunks.elsewhere > 0, self.context.clock.instant());
                    entry.stage = RunStage::Running;
                }
                None => entry.stage = if was_selecting { RunStage::ToSelect } else { RunStage::Running },
            }
        }
        drop(state);
        self.wakeup.notify_one();
    }

    /// Another process reads the run's audience.
    pub(super) fn is_selected_elsewhere(&self, id: RunId) {
        let mut state = self.lock();
        state.selecting -= 1;
        if let Some(entry) = state.runs.get_mut(&id) {
            entry.stage = RunStage::ToSelect;
            entry.check_peers_at = Some(self.context.clock.instant() + CHECK_EVERY);
        }
        drop(state);
        self.wakeup.notify_one();
    }

    /// Another process has the chunk.
    pub(super) fn is_elsewhere(&self, id: RunId, n: u32) {
        let mut state = self.lock();
        if let Some(entry) = state.runs.get_mut(&id) {
            entry.processing.remove(&n);
            entry.left_elsewhere(true, self.context.clock.instant());
        }
        drop(state);
        self.wakeup.notify_one();
    }

    /// Checks at once which chunks other processes have released.
    pub(super) fn look(&self) {
        self.lock().runs.values_mut().for_each(|entry| entry.check_peers_at = None);
        self.wakeup.notify_one();
    }

    /// The lease had expired: of the chunks this process works on, only these are still its own.
    pub(in crate::runtime) fn lose_all_but(&self, owned: &[(ChunkId, Fence)]) {
        let state = self.lock();
        for live in state.live.values().filter_map(Weak::upgrade) {
            if !owned.contains(&(live.id, live.fence)) {
                tracing::warn!(call = %live.run.call, run = live.id.run.0, chunk = live.id.n, "another process has taken the chunk");
                live.lose();
                self.context.dispatchers.metrics().ledger.lost();
            }
        }
        drop(state);
        self.look();
    }

    /// The worker of a chunk ended; a chunk that is not done is queued again.
    pub(super) fn chunk_ended(&self, id: RunId, n: u32, to_the_end: bool) {
        let mut state = self.lock();
        if let Some(entry) = state.runs.get_mut(&id) {
            entry.processing.remove(&n);
            // It may have been the last open chunk of the run in any process; then this process ends the run.
            entry.check_peers_at = None;
            if !to_the_end {
                entry.pending.push_back(n);
            }
        }
        drop(state);
        self.wakeup.notify_one();
    }

    /// The run is at its end if no chunk of it is left anywhere; `None` says that the check failed and must be repeated.
    pub(super) fn finished(&self, id: RunId, left: Option<OpenChunks>) {
        let mut state = self.lock();
        if let Some(entry) = state.runs.get_mut(&id) {
            let is_over =
                left.as_ref().is_some_and(|left| *left == OpenChunks::default()) && entry.pending.is_empty();
            entry.stage = RunStage::Running;
            let left = left.unwrap_or_default();
            entry.left_elsewhere(left.elsewhere > 0, self.context.clock.instant());
            left.free.into_iter().for_each(|n| entry.add(n));
            if is_over {
                state.runs.remove(&id);
                state.turns.retain(|turn| *turn != id);
            }
        }
        drop(state);
        self.wakeup.notify_one();
    }

    /// A chunk of a run under way was opened again, or made of journeys that were woken: it goes before those of the audience
    /// that have not been begun. False if the run is not under way.
    pub(super) fn reopen(&self, chunk: ChunkId) -> bool {
        let mut state = self.lock();
        let entry = state.runs.get_mut(&chunk.run);
        let is_known = entry.is_some();
        if let Some(entry) = entry {
            entry.add_first(vec![chunk.n]);
        }
        drop(state);
        self.wakeup.notify_one();
        is_known
    }

    /// Registers a chunk that is being worked on, so that events reach it.
    fn set_live(&self, chunk: &Arc<LiveChunk>) {
        let mut state = self.lock();
        state.live.retain(|_, live| live.strong_count() > 0);
        state.live.insert(chunk.id, Arc::downgrade(chunk));
    }

    /// The chunk, if this process works on it.
    pub(super) fn live(&self, chunk: ChunkId) -> Option<Arc<LiveChunk>> {
        self.lock().live.get(&chunk).and_then(Weak::upgrade).filter(|live| !live.is_left())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
