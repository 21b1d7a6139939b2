//! What other processes have left of a run: a chunk whose owner is gone goes before what nobody has begun.
//!
//! Without it, customers of a replica that died would wait until the others have done all the rest.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::{Board, Entry, LOOK_EVERY, Task};
use crate::domain::name::RunId;
use crate::store::runs::OpenChunks;

impl Entry {
    /// Takes note whether other processes have some of it, which is looked at again after a while.
    pub(super) fn left_elsewhere(&mut self, elsewhere: bool) {
        self.elsewhere = elsewhere;
        self.look_at = elsewhere.then(|| Instant::now() + LOOK_EVERY);
    }

    /// A look at what others have left, if one is due while there is work here.
    pub(super) fn look(&mut self) -> Option<Task> {
        let is_due = self.look_at.is_none_or(|at| at <= Instant::now());
        if !self.elsewhere || self.looking || !is_due {
            return None;
        }
        self.looking = true;
        Some(Task::Look(Arc::clone(&self.run)))
    }

    /// Puts chunks up that others have left, before all that waits here.
    fn add_first(&mut self, left: Vec<u32>) {
        let waiting: HashSet<u32> = self.pending.iter().copied().collect();
        for n in left.into_iter().rev().filter(|n| !waiting.contains(n)) {
            if !self.walking.contains(&n) {
                self.pending.push_front(n);
            }
        }
    }
}

impl Board {
    /// What is left of a run anywhere; `None` if that could not be seen.
    pub(in crate::runtime::run) fn looked(&self, id: RunId, left: Option<OpenChunks>) {
        let mut state = self.lock();
        if let Some(entry) = state.runs.get_mut(&id) {
            entry.looking = false;
            entry.left_elsewhere(left.as_ref().is_none_or(|left| left.elsewhere > 0));
            entry.add_first(left.unwrap_or_default().free);
        }
        drop(state);
        self.bell.notify_one();
    }
}
