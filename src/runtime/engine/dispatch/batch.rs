//! What one commit of a channel carries, kept until the store has it.

use std::sync::Arc;

use jiff::Timestamp;

use super::job::{Job, segments};
use crate::domain::name::ChannelName;
use crate::domain::state::DeliveryState;
use crate::runtime::engine::live::LiveChunk;
use crate::store::deliveries::{Decided, Outcome, SendIntent, Step};

/// An attempt's outcome and the message it is of.
pub(super) struct Answered {
    pub job: Job,
    pub outcome: Outcome,
}

/// A message that is not sent after all, or not yet, with the state it gets instead.
pub(super) struct Withdrawn {
    pub job: Job,
    pub state: DeliveryState,
    pub reason: String,
    /// When it is retried, if it waits.
    pub retry_at: Option<Timestamp>,
}

/// What one commit carries.
#[derive(Default)]
pub(super) struct Batch {
    pub answered: Vec<Answered>,
    pub withdrawn: Vec<Withdrawn>,
    pub opening: Vec<Job>,
    pub moved: Vec<Arc<LiveChunk>>,
    /// Whether it has been sent to the store before, which then may or may not have kept it.
    pub repeated: bool,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.answered.is_empty() && self.withdrawn.is_empty() && self.opening.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.answered.len() + self.withdrawn.len() + self.opening.len()
    }

    /// As the store writes it.
    pub(super) fn step(&self, channel: &ChannelName, at: Timestamp) -> Step {
        Step {
            at,
            outcomes: self.answered.iter().map(|answered| answered.outcome.clone()).collect(),
            decided: self.withdrawn.iter().map(|one| one.decided(channel)).collect(),
            advanced: Vec::new(),
            waits: Vec::new(),
            openings: self.opening.iter().map(|job| opening(job, channel)).collect(),
            cursors: self.moved.iter().map(|chunk| chunk.cursor()).collect(),
            repeated: self.repeated,
        }
    }

    /// Two halves, so that what the store refuses is found alone.
    pub(super) fn split(mut self) -> [Batch; 2] {
        let answered = self.answered.split_off(self.answered.len() / 2);
        let withdrawn = self.withdrawn.split_off(self.withdrawn.len() / 2);
        let opening = self.opening.split_off(self.opening.len() / 2);
        let second = Batch { answered, withdrawn, opening, moved: Vec::new(), repeated: self.repeated };
        [self, second]
    }
}

impl Withdrawn {
    fn decided(&self, channel: &ChannelName) -> Decided {
        Decided {
            id: self.job.id,
            channel: channel.clone(),
            chunk: self.job.chunk.id.n,
            fence: self.job.chunk.fence,
            state: self.state,
            maybe_sent: self.job.maybe_sent,
            reason: Some(self.reason.clone()),
            retry_at: self.retry_at,
            advanced: self.job.is_terminal && !self.state.is_open(),
            predecessor: self.job.predecessor,
        }
    }
}

fn opening(job: &Job, channel: &ChannelName) -> SendIntent {
    SendIntent {
        id: job.id,
        channel: channel.clone(),
        chunk: job.chunk.id.n,
        fence: job.chunk.fence,
        attempt: job.attempt,
        is_retry: job.is_retry,
        address: job.message.address.clone(),
        digest: job.digest,
        predecessor: job.predecessor,
        segments: segments(&job.message.content),
    }
}
