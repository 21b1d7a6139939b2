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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::content::Content;
    use crate::domain::customer::{Customer, CustomerKey, EventNeeds};
    use crate::domain::delivery::DeliveryId;
    use crate::domain::flow::FlowStep;
    use crate::domain::name::{CallId, ChannelName, NodeIndex, RunId, ScenarioName, TriggerName, VersionId};
    use crate::domain::selection::Selection;
    use crate::domain::state::RunState;
    use crate::runtime::engine::live::{BoundScenario, ComposedMessage, LiveChunk, LiveRun, Moment};
    use crate::store::calls::AcceptedCall;
    use crate::store::runs::{ChunkId, Fence, TakenChunk, UnfinishedRun};

    /// A scenario whose messages need a consent.
    struct Consented(Selection, EventNeeds);

    impl BoundScenario for Consented {
        fn selection(&self) -> &Selection {
            &self.0
        }
        fn selection_is_exact(&self) -> bool {
            true
        }
        fn audience_needs(&self) -> &EventNeeds {
            &self.1
        }
        fn flow_needs(&self) -> &EventNeeds {
            &self.1
        }
        fn selects(&self, _customer: &Customer) -> bool {
            true
        }
        fn channels(&self) -> &[ChannelName] {
            &[]
        }
        fn next_stop(&self, _customer: &Customer, from: NodeIndex, _moment: Moment) -> FlowStep {
            FlowStep::Message { node: from }
        }
        fn after(&self, _node: NodeIndex) -> Option<NodeIndex> {
            None
        }
        fn channel(&self, _node: NodeIndex) -> Option<&ChannelName> {
            None
        }
        fn consent_category(&self, _node: NodeIndex) -> Option<&str> {
            Some("sms")
        }
        fn compose(&self, _: &Arc<Customer>, _: NodeIndex, _: Timestamp) -> Result<ComposedMessage, String> {
            Err("it is not asked".into())
        }
    }

    fn chunk(run: RunId) -> Arc<LiveChunk> {
        let call = AcceptedCall {
            seq: run.0,
            id: CallId::new("0199"),
            trigger: TriggerName::new("alert"),
            version: VersionId::new("v"),
            received_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            params: serde_json::Map::new(),
            trace: None,
        };
        let scenario = ScenarioName::new("s");
        let unfinished = UnfinishedRun { id: run, scenario, state: RunState::Running, stopping: false, call };
        let bound = Arc::new(Consented(Selection::Everyone, EventNeeds::default()));
        let taken = TakenChunk { fence: Fence(1), position: 0, keys: Vec::new(), woken: None };
        Arc::new(LiveChunk::new(Arc::new(LiveRun::new(&unfinished, bound)), ChunkId { run, n: 0 }, &taken))
    }

    /// So many messages of a run.
    fn jobs(run: i64, count: i64, read_at: Instant) -> Vec<Job> {
        let (run, node) = (RunId(run), NodeIndex(0));
        let chunk = chunk(run);
        let job = |customer| {
            let id = DeliveryId::to_only_target(run, CustomerKey(customer), node);
            let content = Content::Sms { body: "Hello".into() };
            let message = ComposedMessage { key: "key".into(), address: "+431".into(), content };
            Job::first(&chunk, id, message, true, read_at)
        };
        (0..count).map(job).collect()
    }

    /// A narrow run does not wait behind all that a broad one has waiting, whether its customers were read again or not.
    #[test]
    fn those_that_were_read_again_take_turns_with_the_others() {
        let (read_at, mut ready) = (Instant::now(), ReadyQueue::default());
        let later = read_at + Duration::from_secs(60);
        jobs(1, 100, read_at).into_iter().for_each(|job| ready.push(job));
        let outdated = ready.take_outdated(later, 512);
        assert_eq!((outdated.len(), ready.len()), (100, 0));
        for mut job in outdated {
            job.read_at = later;
            ready.push_read_again(job);
        }
        jobs(2, 2, later).into_iter().for_each(|job| ready.push(job));
        assert!(ready.take_outdated(later, 512).is_empty());
        let mut first: Vec<i64> = (0..4).filter_map(|_| ready.pop_front()).map(|job| job.id.run.0).collect();
        first.sort_unstable();
        assert_eq!(first, [1, 1, 2, 2]);
        jobs(3, 1, later).into_iter().for_each(|job| ready.push_read_again(job));
        let next: Vec<i64> = (0..3).filter_map(|_| ready.pop_front()).map(|job| job.id.run.0).collect();
        assert!(next.contains(&3), "{next:?}");
        assert_eq!(ready.len(), 96);
        assert_eq!(std::iter::from_fn(|| ready.pop_front()).count(), 96);
        assert!(ready.is_empty() && ready.front().is_none());
    }
}
