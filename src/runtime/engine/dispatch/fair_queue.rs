//! The fair queue of a channel: one queue for each run, served round robin, so that a broad run does not delay a narrow one.

use std::collections::{BTreeMap, VecDeque};

use super::job::Job;
use crate::domain::name::RunId;

/// How many messages of one run are taken before the next run has its turn.
const TURN: usize = 16;

/// Messages that are not yet opened, by run.
#[derive(Default)]
pub(super) struct FairQueue {
    turns: VecDeque<RunId>,
    by_run: BTreeMap<RunId, RunQueue>,
    len: usize,
}

#[derive(Default)]
struct RunQueue {
    /// Those that have been tried before go first.
    retries: VecDeque<Job>,
    first: VecDeque<Job>,
}

impl FairQueue {
    pub(super) fn push(&mut self, job: Job) {
        let run = job.id.run;
        let run_queue = self.by_run.entry(run).or_insert_with(|| {
            self.turns.push_back(run);
            RunQueue::default()
        });
        let queue = if job.is_retry { &mut run_queue.retries } else { &mut run_queue.first };
        queue.push_back(job);
        self.len += 1;
    }

    /// Takes up to `most` messages in turns; with `retries_only`, none that was never tried.
    pub(super) fn take(&mut self, most: usize, retries_only: bool) -> Vec<Job> {
        let mut taken = Vec::new();
        let mut idle = 0;
        while taken.len() < most && idle < self.turns.len() {
            let Some(run) = self.turns.pop_front() else { break };
            let before = taken.len();
            if let Some(run_queue) = self.by_run.get_mut(&run) {
                run_queue.take(TURN.min(most - before), retries_only, &mut taken);
                if run_queue.retries.is_empty() && run_queue.first.is_empty() {
                    self.by_run.remove(&run);
                } else {
                    self.turns.push_back(run);
                }
            }
            idle = if taken.len() == before { idle + 1 } else { 0 };
        }
        self.len -= taken.len();
        taken
    }

    /// The message that is next.
    pub(super) fn front(&self) -> Option<&Job> {
        let run_queue = self.by_run.get(self.turns.front()?)?;
        run_queue.retries.front().or_else(|| run_queue.first.front())
    }

    /// Takes the message that is next; then another run has its turn.
    pub(super) fn pop_front(&mut self) -> Option<Job> {
        self.take(1, false).pop()
    }

    /// How many have been tried before.
    pub(super) fn retries(&self) -> usize {
        self.by_run.values().map(|run_queue| run_queue.retries.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes up to `most` messages that were never tried.
    pub(super) fn take_first(&mut self, most: usize) -> Vec<Job> {
        let mut taken = Vec::new();
        for run_queue in self.by_run.values_mut() {
            let count = (most - taken.len()).min(run_queue.first.len());
            taken.extend(run_queue.first.drain(..count));
        }
        self.len -= taken.len();
        taken
    }

    /// Takes everything that `is_over`.
    pub(super) fn take_over(&mut self, is_over: impl Fn(&Job) -> bool) -> Vec<Job> {
        let mut taken = Vec::new();
        for run_queue in self.by_run.values_mut() {
            for jobs in [&mut run_queue.retries, &mut run_queue.first] {
                if jobs.iter().any(&is_over) {
                    let (over, going_on) = std::mem::take(jobs).into_iter().partition(&is_over);
                    *jobs = going_on;
                    let over: VecDeque<Job> = over;
                    taken.extend(over);
                }
            }
        }
        self.len -= taken.len();
        taken
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl RunQueue {
    fn take(&mut self, most: usize, retries_only: bool, taken: &mut Vec<Job>) {
        for _ in 0..most {
            let next = self.retries.pop_front();
            let next = if retries_only { next } else { next.or_else(|| self.first.pop_front()) };
            match next {
                Some(job) => taken.push(job),
                None => return,
            }
        }
    }
}
