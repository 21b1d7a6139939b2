//! The messages of a channel that are opened, on disk, and wait for their attempt to begin.

use std::collections::VecDeque;
use std::time::Instant;

use super::fair_queue::FairQueue;
use super::job::Job;

/// What is opened and not begun. Runs take turns.
#[derive(Default)]
pub(super) struct ReadyQueue {
    /// Those whose customers were read again go first, in their order.
    read_again: VecDeque<Job>,
    opened: FairQueue,
}

impl ReadyQueue {
    /// Adds a message that was opened.
    pub(super) fn push(&mut self, job: Job) {
        self.opened.push(job);
    }

    /// Adds a message whose customer was read again.
    pub(super) fn push_read_again(&mut self, job: Job) {
        self.read_again.push_back(job);
    }

    /// The message that is next.
    pub(super) fn front(&self) -> Option<&Job> {
        self.read_again.front().or_else(|| self.opened.front())
    }

    /// Takes the message that is next.
    pub(super) fn pop_front(&mut self) -> Option<Job> {
        self.read_again.pop_front().or_else(|| self.opened.pop_front())
    }

    /// Takes up to `most` messages, in the order of their turns and up to the first whose customer need not be read again.
    pub(super) fn take_outdated(&mut self, now: Instant, most: usize) -> Vec<Job> {
        let mut taken = Vec::new();
        while taken.len() < most && self.front().is_some_and(|first| first.is_outdated(now)) {
            taken.extend(self.pop_front());
        }
        taken
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.read_again.len() + self.opened.len()
    }
}
