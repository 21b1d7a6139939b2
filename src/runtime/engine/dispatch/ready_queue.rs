//! The messages of a channel that are opened, on disk, and wait for their attempt to begin.

use std::time::Instant;

use super::fair_queue::FairQueue;
use super::job::Job;

/// What is opened and not begun. Runs take turns, and so do those whose customers were read again with those that need it not: a
/// run whose messages wait for long must not go before one whose message was opened just now.
#[derive(Default)]
pub(super) struct ReadyQueue {
    opened: FairQueue,
    read_again: FairQueue,
    /// The last that was taken had been read again.
    last_was_read_again: bool,
}

impl ReadyQueue {
    /// Adds a message that was opened.
    pub(super) fn push(&mut self, job: Job) {
        self.opened.push(job);
    }

    /// Adds a message whose customer was read again.
    pub(super) fn push_read_again(&mut self, job: Job) {
        self.read_again.push(job);
    }

    /// The message that is next.
    pub(super) fn front(&self) -> Option<&Job> {
        if self.is_turn_of_read_again() { self.read_again.front() } else { self.opened.front() }
    }

    /// Takes the message that is next.
    pub(super) fn pop_front(&mut self) -> Option<Job> {
        self.last_was_read_again = self.is_turn_of_read_again();
        if self.last_was_read_again { self.read_again.pop_front() } else { self.opened.pop_front() }
    }

    fn is_turn_of_read_again(&self) -> bool {
        !self.read_again.is_empty() && (!self.last_was_read_again || self.opened.is_empty())
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
