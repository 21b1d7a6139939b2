//! Applies pauses: no chunk of a paused run is started, and its workers leave their chunks.

use std::sync::{Arc, Weak};

use super::{RunScheduler, State};
use crate::domain::pause::Pauses;
use crate::runtime::engine::run::LiveRun;

impl State {
    /// Whether the run is paused. Until the pauses have been read, every run is.
    pub(super) fn rests(&self, run: &LiveRun) -> bool {
        self.pauses.as_ref().is_none_or(|pauses| pauses.hold_run(&run.scenario, &run.call))
    }
}

impl RunScheduler {
    /// Applies exactly these pauses from now on. Attempts under way reach their outcome.
    pub(in crate::runtime::engine::run) fn apply_pauses(&self, pauses: &Arc<Pauses>) {
        let mut state = self.lock();
        if state.pauses.as_ref() == Some(pauses) {
            return;
        }
        state.pauses = Some(Pauses::clone(pauses));
        for entry in state.runs.values() {
            entry.run.pause(state.rests(&entry.run));
        }
        let chunk_ended = state.live.values().filter_map(Weak::upgrade);
        chunk_ended.for_each(|chunk| chunk.wakeup.notify_one());
        drop(state);
        self.context.dispatchers.apply_pauses(pauses);
        self.wakeup.notify_one();
    }
}
