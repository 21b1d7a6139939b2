//! The run scheduler: decides which audience is selected next and which chunk is started next.
//!
//! Narrow runs go first and runs take turns; a run has at most two chunks being decided at once, and none is begun
//! while all its channels rest. What one of several channels cannot send now waits in the ledger, so that neither a
//! broad run nor a dead channel holds up the others.

mod pauses;
mod peers;
mod slot;
mod turns;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;

pub(super) use self::slot::ChunkSlot;
use self::turns::{Room, Turns};
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

/// How soon a run is asked again whose chunks have messages of an ended worker at channels.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
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
    turns: Turns,
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
            state.turns.ask(id);
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
        state.turns.add(id);
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
        state.turns.ask_those_due(now.0);
        let may_select = SELECTING_MAX.saturating_sub(state.selecting);
        state.turns.ask_to_select(may_select);
        loop {
            let State { turns, by_channel, .. } = &mut *state;
            turns.ask_where_room_is(|room| self.is_there(room, by_channel));
            let asked = turns.next_asked().map(|id| (id, true));
            let (id, narrow_only) = asked.or_else(|| turns.next_broad().map(|id| (id, false)))?;
            turns.begin(id);
            let task = self.task_of(&mut state, id, narrow_only, now);
            state.turns.end(id);
            if task.is_some() {
                state.turns.ask(id);
                return task;
            }
        }
    }

    /// The task of a run that is asked; one that has none is put where it is asked again when it may have one.
    fn task_of(
        self: &Arc<Self>,
        state: &mut State,
        id: RunId,
        narrow_only: bool,
        (instant, now): (Instant, Timestamp),
    ) -> Option<ScheduledTask> {
        let State { runs, turns, .. } = state;
        let selecting = state.selecting;
        let entry = runs.get_mut(&id)?;
        if let Some(at) = entry.check_peers_at.filter(|at| *at > instant) {
            turns.ask_at(id, at);
        }
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
            RunStage::ToSelect if halt.is_none() && selecting >= SELECTING_MAX => {
                turns.wait_to_select(id);
                return None;
            }
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
            turns.let_narrow_first(id);
            return None;
        }
        self.chunk_task(state, id, halt.is_some(), instant)
    }

    /// Whether a chunk may be begun that needs these channels: each has room, and one of them sends.
    fn is_there(&self, room: &Room, by_channel: &HashMap<ChannelName, ChunkLimits>) -> bool {
        let Room { channels, narrow } = room;
        let mut is_any_open = channels.is_empty();
        let has_room = |channel: &ChannelName| {
            let queue = self.context.dispatchers.queue(channel);
            is_any_open |= queue.is_open();
            let is_free = by_channel.get(channel).is_none_or(|limits| limits.are_free(*narrow));
            queue.has_room(*narrow) && is_free
        };
        channels.iter().all(has_room) && is_any_open
    }

    fn chunk_task(
        self: &Arc<Self>,
        state: &mut State,
        id: RunId,
        halted: bool,
        now: Instant,
    ) -> Option<ScheduledTask> {
        let State { runs, turns, by_channel, live, .. } = state;
        let entry = runs.get_mut(&id)?;
        let narrow = entry.narrow;
        let channels = entry.run.bound.channels();
        if !halted {
            // The end of one of its chunks is told.
            if entry.deciding >= CHUNKS_A_RUN {
                return None;
            }
            let room = Room { channels: channels.to_vec(), narrow };
            if !self.is_there(&room, by_channel) {
                turns.wait_for_room(id, room);
                return None;
            }
        }
        // Messages of an ended worker that are still at channels reach their outcome before the chunk is taken again.
        let is_free = |n: &u32| {
            let left = live.get(&ChunkId { run: id, n: *n });
            !entry.processing.contains(n) && left.is_none_or(|left| left.strong_count() == 0)
        };
        let Some(place) = entry.pending.iter().position(is_free) else {
            turns.ask_at(id, now + AGAIN_AFTER);
            return None;
        };
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
        state.turns.ask(id);
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
        state.turns.ask(id);
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
        state.turns.ask(id);
        drop(state);
        self.wakeup.notify_one();
    }

    /// Asks a run for its next task: it was halted.
    pub(super) fn ask(&self, id: RunId) {
        self.lock().turns.ask(id);
        self.wakeup.notify_one();
    }

    /// Checks at once which chunks other processes have released.
    pub(super) fn look(&self) {
        let mut state = self.lock();
        let State { runs, turns, .. } = &mut *state;
        for (id, entry) in runs.iter_mut().filter(|(_, entry)| entry.check_peers_at.is_some()) {
            entry.check_peers_at = None;
            turns.ask(*id);
        }
        drop(state);
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
        state.turns.ask(id);
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
                state.turns.remove(id);
            }
        }
        state.turns.ask(id);
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
        state.turns.ask(chunk.run);
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
