//! What people have paused: a run that rests is not begun, and what is walked of it is left.

use std::sync::{Arc, Weak};

use super::{Board, State};
use crate::domain::pause::Pauses;
use crate::runtime::run::LiveRun;

impl State {
    /// Whether the run rests; so does every one until pauses are known.
    pub(super) fn rests(&self, run: &LiveRun) -> bool {
        self.pauses.as_ref().is_none_or(|pauses| pauses.hold_run(&run.scenario, &run.call))
    }
}

impl Board {
    /// Lets exactly these rest from now on. What is under way at providers comes to its outcome.
    pub(in crate::runtime::run) fn let_rest(&self, pauses: &Arc<Pauses>) {
        let mut state = self.lock();
        if state.pauses.as_ref() == Some(pauses) {
            return;
        }
        state.pauses = Some(Pauses::clone(pauses));
        for entry in state.runs.values() {
            entry.run.pause(state.rests(&entry.run));
        }
        let walked = state.live.values().filter_map(Weak::upgrade);
        walked.for_each(|chunk| chunk.bell.notify_one());
        drop(state);
        self.desk.post.let_rest(pauses);
        self.bell.notify_one();
    }
}
