//! What waits for a channel: one lane a run, served in turns, so that a broad run does not delay a narrow one.

use std::collections::{HashMap, VecDeque};

use super::job::Job;
use crate::domain::name::RunId;

/// How many messages of one run are taken before the next run has its turn.
const TURN: usize = 16;

/// Messages that are not yet opened, by run.
#[derive(Default)]
pub(super) struct Lanes {
    turns: VecDeque<RunId>,
    by_run: HashMap<RunId, Lane>,
    len: usize,
}

#[derive(Default)]
struct Lane {
    /// Those that have been tried before go first.
    again: VecDeque<Job>,
    first: VecDeque<Job>,
}

impl Lanes {
    pub(super) fn push(&mut self, job: Job) {
        let run = job.id.run;
        let lane = self.by_run.entry(run).or_insert_with(|| {
            self.turns.push_back(run);
            Lane::default()
        });
        let queue = if job.again { &mut lane.again } else { &mut lane.first };
        queue.push_back(job);
        self.len += 1;
    }

    /// Takes up to `most` messages in turns; with `again_only`, none that was never tried.
    pub(super) fn take(&mut self, most: usize, again_only: bool) -> Vec<Job> {
        let mut taken = Vec::new();
        let mut idle = 0;
        while taken.len() < most && idle < self.turns.len() {
            let Some(run) = self.turns.pop_front() else { break };
            let before = taken.len();
            if let Some(lane) = self.by_run.get_mut(&run) {
                lane.take(TURN.min(most - before), again_only, &mut taken);
                if lane.again.is_empty() && lane.first.is_empty() {
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

    /// Takes up to `most` messages that were never tried.
    pub(super) fn take_first(&mut self, most: usize) -> Vec<Job> {
        let mut taken = Vec::new();
        for lane in self.by_run.values_mut() {
            let count = (most - taken.len()).min(lane.first.len());
            taken.extend(lane.first.drain(..count));
        }
        self.len -= taken.len();
        taken
    }

    /// Takes everything that `is_over`.
    pub(super) fn take_over(&mut self, is_over: impl Fn(&Job) -> bool) -> Vec<Job> {
        let mut taken = Vec::new();
        for lane in self.by_run.values_mut() {
            for jobs in [&mut lane.again, &mut lane.first] {
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

impl Lane {
    fn take(&mut self, most: usize, again_only: bool, taken: &mut Vec<Job>) {
        for _ in 0..most {
            let next = self.again.pop_front();
            let next = if again_only { next } else { next.or_else(|| self.first.pop_front()) };
            match next {
                Some(job) => taken.push(job),
                None => return,
            }
        }
    }
}
