//! Deliveries that wait for their next attempt, by run and time. They are let go in turns, so that what a broad run
//! left waiting does not delay a narrow one.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use jiff::Timestamp;

use super::job::PendingRetry;
use crate::domain::name::RunId;

/// What waits for one channel.
#[derive(Default)]
pub(super) struct RetryQueue {
    turns: VecDeque<RunId>,
    by_run: BTreeMap<RunId, BinaryHeap<Reverse<Due>>>,
    len: usize,
    /// Nothing is due before this; `None` if nothing waits.
    earliest: Option<Timestamp>,
}

/// A waiting delivery in the order of its time.
struct Due(PendingRetry);

impl RetryQueue {
    /// Adds a delivery.
    pub(super) fn push(&mut self, waiting: PendingRetry) {
        let (run, at) = (waiting.id.run, waiting.at);
        let heap = self.by_run.entry(run).or_insert_with(|| {
            self.turns.push_back(run);
            BinaryHeap::new()
        });
        heap.push(Reverse(Due(waiting)));
        self.len += 1;
        self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
    }

    /// Takes up to `most` of those whose time has come, the runs in turns.
    pub(super) fn take_due(&mut self, now: Timestamp, most: usize) -> Vec<PendingRetry> {
        let mut taken = Vec::new();
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return taken;
        }
        let mut idle = 0;
        while taken.len() < most && idle < self.turns.len() {
            let Some(run) = self.turns.pop_front() else { break };
            let Some(heap) = self.by_run.get_mut(&run) else { continue };
            let is_due = heap.peek().is_some_and(|Reverse(Due(first))| first.at <= now);
            taken.extend(is_due.then(|| heap.pop()).flatten().map(|Reverse(Due(first))| first));
            if heap.is_empty() {
                self.by_run.remove(&run);
            } else {
                self.turns.push_back(run);
            }
            idle = if is_due { 0 } else { idle + 1 };
        }
        self.len -= taken.len();
        if taken.len() < most {
            self.earliest = self.first();
        }
        taken
    }

    /// Takes everything that `is_over`.
    pub(super) fn take_over(&mut self, is_over: impl Fn(&PendingRetry) -> bool) -> Vec<PendingRetry> {
        let mut taken = Vec::new();
        for heap in self.by_run.values_mut() {
            if heap.iter().any(|Reverse(Due(one))| is_over(one)) {
                let (over, going_on): (Vec<_>, Vec<_>) =
                    std::mem::take(heap).into_iter().partition(|Reverse(Due(one))| is_over(one));
                *heap = going_on.into();
                taken.extend(over.into_iter().map(|Reverse(Due(one))| one));
            }
        }
        self.by_run.retain(|_, heap| !heap.is_empty());
        self.turns.retain(|run| self.by_run.contains_key(run));
        self.len -= taken.len();
        self.earliest = self.first();
        taken
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn first(&self) -> Option<Timestamp> {
        self.by_run.values().filter_map(|heap| heap.peek()).map(|Reverse(Due(first))| first.at).min()
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.0.at, self.0.id) == (other.0.at, other.0.id)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.at, self.0.id).cmp(&(other.0.at, other.0.id))
    }
}
