//! In which order runs are asked for their next task. Only those are asked of which something has changed, those whose time has
//! come, and those that wait for what has become free: a run that can only wait costs nothing, however many there are.
//!
//! Who waits for the same channels is asked in the order in which they began to wait, before the others: so runs take turns.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::domain::name::{ChannelName, RunId};

/// How often each run is asked whatever is known of it: runs expire, and are halted by others, without a notification.
const ASK_ALL_EVERY: Duration = Duration::from_secs(1);

/// Channels that must have room for another chunk, and whether that is a narrow run's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Room {
    pub channels: Vec<ChannelName>,
    pub narrow: bool,
}

/// Where a run stands in the lists.
#[derive(Debug, Default)]
struct Turn {
    is_asked: bool,
    is_broad: bool,
    is_to_select: bool,
    room: Option<(Room, u64)>,
    /// Whether it was found, when it was asked last, that it waits for room.
    waits_for_room: bool,
    at: Option<Instant>,
}

/// The lists.
#[derive(Debug, Default)]
pub(super) struct Turns {
    runs: BTreeMap<RunId, Turn>,
    /// Those that are asked next.
    asked: VecDeque<RunId>,
    /// Broad runs that may begin a chunk once no narrow run has something to begin.
    broad: VecDeque<RunId>,
    /// Those that wait until fewer audiences are read.
    to_select: VecDeque<RunId>,
    /// Those that wait for room, by the number with which they began to wait.
    for_room: BTreeMap<Room, BTreeMap<u64, RunId>>,
    /// Those that are asked at a time.
    timed: BTreeSet<(Instant, RunId)>,
    waits_begun: u64,
    all_asked_at: Option<Instant>,
}

impl Turns {
    /// A run is there from now on, and asked.
    pub(super) fn add(&mut self, id: RunId) {
        self.runs.entry(id).or_default();
        self.ask(id);
    }

    /// Asks the run next, after those that are to be asked already.
    pub(super) fn ask(&mut self, id: RunId) {
        let Some(turn) = self.runs.get_mut(&id) else { return };
        if !std::mem::replace(&mut turn.is_asked, true) {
            self.asked.push_back(id);
        }
    }

    /// Asks all, the oldest first.
    pub(super) fn ask_all(&mut self) {
        let ids: Vec<RunId> = self.runs.keys().copied().collect();
        ids.into_iter().for_each(|id| self.ask(id));
    }

    /// Asks those whose time has come, and now and then all.
    pub(super) fn ask_those_due(&mut self, now: Instant) {
        if self.all_asked_at.is_none_or(|at| now.saturating_duration_since(at) >= ASK_ALL_EVERY) {
            self.all_asked_at = Some(now);
            self.ask_all();
        }
        while let Some((at, id)) = self.timed.first().copied().filter(|(at, _)| *at <= now) {
            self.timed.remove(&(at, id));
            if let Some(turn) = self.runs.get_mut(&id) {
                turn.at = None;
                self.ask(id);
            }
        }
    }

    /// Asks the first of those that wait to read their audience; so many may.
    pub(super) fn ask_to_select(&mut self, most: usize) {
        for _ in 0..most {
            let Some(id) = self.to_select.pop_front() else { return };
            if let Some(turn) = self.runs.get_mut(&id) {
                turn.is_to_select = false;
                self.ask(id);
            }
        }
    }

    /// Asks, before all others, the first of those that wait for room that is there now.
    pub(super) fn ask_where_room_is(&mut self, is_there: impl Fn(&Room) -> bool) {
        let firsts = self.for_room.iter().filter(|(room, _)| is_there(room));
        let firsts: Vec<RunId> = firsts.filter_map(|(_, waiting)| waiting.values().next().copied()).collect();
        for id in firsts.into_iter().rev() {
            if let Some(turn) = self.runs.get_mut(&id) {
                turn.is_asked = true;
                self.asked.push_front(id);
            }
        }
    }

    /// The next run to ask.
    pub(super) fn next_asked(&mut self) -> Option<RunId> {
        let id = self.asked.pop_front()?;
        if let Some(turn) = self.runs.get_mut(&id) {
            turn.is_asked = false;
        }
        Some(id)
    }

    /// The next broad run that may begin a chunk.
    pub(super) fn next_broad(&mut self) -> Option<RunId> {
        let id = self.broad.pop_front()?;
        if let Some(turn) = self.runs.get_mut(&id) {
            turn.is_broad = false;
        }
        Some(id)
    }

    /// A broad run may begin a chunk once no narrow run has something to begin.
    pub(super) fn let_narrow_first(&mut self, id: RunId) {
        let Some(turn) = self.runs.get_mut(&id) else { return };
        if !std::mem::replace(&mut turn.is_broad, true) {
            self.broad.push_back(id);
        }
    }

    /// A run waits until fewer audiences are read.
    pub(super) fn wait_to_select(&mut self, id: RunId) {
        let Some(turn) = self.runs.get_mut(&id) else { return };
        if !std::mem::replace(&mut turn.is_to_select, true) {
            self.to_select.push_back(id);
        }
    }

    /// A run is being asked.
    pub(super) fn begin(&mut self, id: RunId) {
        if let Some(turn) = self.runs.get_mut(&id) {
            turn.waits_for_room = false;
        }
    }

    /// A run that is being asked waits for room; one that waits for it already keeps its place.
    pub(super) fn wait_for_room(&mut self, id: RunId, room: Room) {
        let Some(turn) = self.runs.get_mut(&id) else { return };
        turn.waits_for_room = true;
        if turn.room.as_ref().is_some_and(|(known, _)| *known == room) {
            return;
        }
        self.waits_begun += 1;
        let earlier = turn.room.replace((room.clone(), self.waits_begun));
        self.for_room.entry(room).or_default().insert(self.waits_begun, id);
        self.leave(earlier);
    }

    /// A run was asked; unless it was found that it waits for room, it does not any more.
    pub(super) fn end(&mut self, id: RunId) {
        let asked = self.runs.get_mut(&id).filter(|turn| !turn.waits_for_room);
        let earlier = asked.and_then(|turn| turn.room.take());
        self.leave(earlier);
    }

    fn leave(&mut self, earlier: Option<(Room, u64)>) {
        let Some((room, number)) = earlier else { return };
        if let Some(waiting) = self.for_room.get_mut(&room) {
            waiting.remove(&number);
            if waiting.is_empty() {
                self.for_room.remove(&room);
            }
        }
    }

    /// A run is asked at this time, if not earlier.
    pub(super) fn ask_at(&mut self, id: RunId, at: Instant) {
        let Some(turn) = self.runs.get_mut(&id) else { return };
        match turn.at {
            Some(known) if known <= at => return,
            Some(known) => drop(self.timed.remove(&(known, id))),
            None => {}
        }
        turn.at = Some(at);
        self.timed.insert((at, id));
    }

    /// The run is over.
    pub(super) fn remove(&mut self, id: RunId) {
        let Some(turn) = self.runs.remove(&id) else { return };
        if let Some(at) = turn.at {
            self.timed.remove(&(at, id));
        }
        self.leave(turn.room);
        // Found in the other lists it has no turn any more, and is passed over.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::Range<i64>) -> Vec<RunId> {
        range.map(RunId).collect()
    }

    /// Ten runs, none of which is asked.
    fn ten() -> (Turns, Instant) {
        let (mut turns, now) = (Turns::default(), Instant::now());
        turns.ask_those_due(now);
        ids(0..10).into_iter().for_each(|id| turns.add(id));
        assert_eq!(drain(&mut turns), ids(0..10));
        (turns, now)
    }

    fn room(channel: &str) -> Room {
        Room { channels: vec![ChannelName::new(channel)], narrow: true }
    }

    fn drain(turns: &mut Turns) -> Vec<RunId> {
        std::iter::from_fn(|| turns.next_asked()).collect()
    }

    #[test]
    fn a_run_is_asked_once_for_all_that_changed() {
        let (mut turns, now) = ten();
        [3, 1, 3].into_iter().for_each(|id| turns.ask(RunId(id)));
        assert_eq!(drain(&mut turns), [RunId(3), RunId(1)]);
        turns.ask_those_due(now + ASK_ALL_EVERY);
        assert_eq!(drain(&mut turns), ids(0..10));
        turns.ask(RunId(11));
        turns.remove(RunId(4));
        turns.ask_all();
        assert_eq!(drain(&mut turns).len(), 9, "neither one that is unknown nor one that is over");
    }

    #[test]
    fn those_that_wait_for_room_are_asked_in_their_order_and_one_at_a_time() {
        let (mut turns, _) = ten();
        for id in ids(0..4) {
            turns.wait_for_room(id, room(if id.0 == 2 { "mail" } else { "sms" }));
        }
        let is_sms = |it: &Room| *it == room("sms");
        for expected in [0, 1, 3] {
            turns.ask(RunId(9));
            turns.ask_where_room_is(is_sms);
            assert_eq!(drain(&mut turns), [RunId(expected), RunId(9)]);
            turns.begin(RunId(expected));
            turns.end(RunId(expected));
        }
        turns.ask_where_room_is(is_sms);
        assert_eq!(drain(&mut turns), []);
        turns.begin(RunId(2));
        turns.wait_for_room(RunId(2), room("sms"));
        turns.end(RunId(2));
        turns.ask_where_room_is(|it| *it == room("mail"));
        assert_eq!(drain(&mut turns), [], "it waits for another now");
        turns.remove(RunId(2));
        assert!(turns.for_room.is_empty() && turns.runs.keys().all(|id| *id != RunId(2)));
    }

    #[test]
    fn however_many_wait_only_one_is_asked_when_something_becomes_free() {
        let (mut turns, now) = ten();
        for id in ids(10..10_000) {
            turns.add(id);
        }
        for id in drain(&mut turns) {
            turns.begin(id);
            turns.wait_for_room(id, room("sms"));
            turns.end(id);
        }
        turns.ask_those_due(now + ASK_ALL_EVERY / 2);
        turns.ask_where_room_is(|_| false);
        assert_eq!(drain(&mut turns), []);
        turns.ask_where_room_is(|_| true);
        assert_eq!(drain(&mut turns), [RunId(10)]);
    }

    #[test]
    fn a_time_is_kept_unless_an_earlier_one_is_asked_for() {
        let (mut turns, now) = ten();
        let after = |millis| now + Duration::from_millis(millis);
        turns.ask_at(RunId(1), after(3));
        turns.ask_at(RunId(1), after(2));
        turns.ask_at(RunId(1), after(5));
        turns.ask_at(RunId(2), after(4));
        turns.ask_those_due(after(1));
        assert_eq!(drain(&mut turns), []);
        turns.ask_those_due(after(2));
        assert_eq!(drain(&mut turns), [RunId(1)]);
        turns.remove(RunId(2));
        turns.ask_those_due(after(9));
        assert_eq!((drain(&mut turns), turns.timed.len()), (vec![], 0));
    }

    #[test]
    fn audiences_are_read_in_the_order_of_asking() {
        let (mut turns, _) = ten();
        ids(0..5).into_iter().for_each(|id| turns.wait_to_select(id));
        turns.wait_to_select(RunId(0));
        turns.ask_to_select(2);
        assert_eq!(drain(&mut turns), ids(0..2));
        turns.ask_to_select(9);
        assert_eq!(drain(&mut turns), ids(2..5));
    }
}
