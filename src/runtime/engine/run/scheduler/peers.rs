//! Chunks that other processes have released: one whose owner died is taken before chunks that were never started.
//!
//! Without this, the customers of a crashed replica would wait until the others have finished everything else.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::{CHECK_EVERY, RunScheduler, ScheduledRun, ScheduledTask};
use crate::domain::name::RunId;
use crate::store::runs::OpenChunks;

impl ScheduledRun {
    /// Records whether other processes own chunks of it; if so, it is checked again after a while.
    pub(super) fn left_elsewhere(&mut self, elsewhere: bool, now: Instant) {
        self.elsewhere = elsewhere;
        self.check_peers_at = elsewhere.then(|| now + CHECK_EVERY);
    }

    /// A check of the chunks that others have released, if one is due while this process still has work of the run.
    pub(super) fn look(&mut self, now: Instant) -> Option<ScheduledTask> {
        let is_due = self.check_peers_at.is_none_or(|at| at <= now);
        if !self.elsewhere || self.is_checking_peers || !is_due {
            return None;
        }
        self.is_checking_peers = true;
        Some(ScheduledTask::CheckPeers(Arc::clone(&self.run)))
    }

    /// Puts chunks up that others have left, before all that waits here.
    pub(super) fn add_first(&mut self, left: Vec<u32>) {
        let waiting: HashSet<u32> = self.pending.iter().copied().collect();
        for n in left.into_iter().rev().filter(|n| !waiting.contains(n)) {
            if !self.processing.contains(&n) {
                self.pending.push_front(n);
            }
        }
    }
}

impl RunScheduler {
    /// What is left of a run anywhere; `None` if that could not be seen.
    pub(in crate::runtime::engine::run) fn peers_checked(&self, id: RunId, left: Option<OpenChunks>) {
        let mut state = self.lock();
        if let Some(entry) = state.runs.get_mut(&id) {
            entry.is_checking_peers = false;
            let elsewhere = left.as_ref().is_none_or(|left| left.elsewhere > 0);
            entry.left_elsewhere(elsewhere, self.context.clock.instant());
            entry.add_first(left.unwrap_or_default().free);
        }
        drop(state);
        self.wakeup.notify_one();
    }
}
