//! Advances one customer from a node to the next message, or to the end, and collects what must be committed for it.
//!
//! Pure: the chunk worker commits what is collected here before it queues any of the messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{LiveChunk, Moment};
use crate::domain::customer::{Customer, CustomerKey};
use crate::domain::delivery::DeliveryId;
use crate::domain::flow::FlowStep;
use crate::domain::name::{ChannelName, NodeIndex};
use crate::domain::state::DeliveryState;
use crate::runtime::engine::dispatch::Job;
use crate::store::deliveries::{Advanced, Decided, JourneyWait};

/// How long a batch is decided before what it gave is written: texts that take long keep neither the customers before
/// them waiting nor what becomes of these out of sight.
const TIME_MAX: Duration = Duration::from_millis(250);

/// What a batch of customers gave.
pub(super) struct StepBuilder {
    /// When it was begun.
    pub began: Instant,
    /// The same on the clock that waits are counted by.
    pub at: Timestamp,
    /// When its customers were read.
    pub read_at: Instant,
    /// Messages to hand to their channels.
    pub jobs: Vec<(ChannelName, Job)>,
    /// Messages that were skipped.
    pub decided: Vec<Decided>,
    /// Nodes behind which a journey ended.
    pub advanced: Vec<Advanced>,
    /// Journeys that begin to wait.
    pub waits: Vec<JourneyWait>,
    /// Places in the chunk whose journeys need no message, or no further one.
    pub settled: Vec<u32>,
    /// Journeys that came to their end, of those that had been begun before.
    pub ended: usize,
}

/// Where a journey stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct JourneyPosition {
    /// The customer's place in the chunk, if this is its beginning.
    pub place: Option<u32>,
    /// The node to go on from; `None` at the end.
    pub at: Option<NodeIndex>,
    /// The message node it comes from.
    pub predecessor: Option<NodeIndex>,
}

impl StepBuilder {
    /// Begun at this time by either clock, for customers that were read at this time.
    pub(super) fn begun((began, at): (Instant, Timestamp), read_at: Instant) -> Self {
        StepBuilder {
            began,
            read_at,
            at,
            jobs: Vec::new(),
            decided: Vec::new(),
            advanced: Vec::new(),
            waits: Vec::new(),
            settled: Vec::new(),
            ended: 0,
        }
    }

    /// Whether it holds something that is to be written before anything more is decided.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        let is_empty = self.jobs.is_empty()
            && self.decided.is_empty()
            && self.waits.is_empty()
            && self.settled.is_empty();
        !is_empty && now.saturating_duration_since(self.began) >= TIME_MAX
    }

    /// A journey ended behind this node, with nothing to write there.
    pub(super) fn pass(&mut self, chunk: &LiveChunk, id: DeliveryId) {
        self.advanced.push(Advanced { id, chunk: chunk.id.n, fence: chunk.fence });
    }

    /// Advances one customer to the next message, to a wait or to the end.
    pub(super) fn walk(
        &mut self,
        chunk: &Arc<LiveChunk>,
        customer: &Arc<Customer>,
        mut position: JourneyPosition,
    ) {
        let bound = &chunk.run.bound;
        let moment = Moment { now: chunk.now(), decided_at: self.at };
        while let Some(at) = position.at {
            let node = match bound.next_stop(customer, at, moment) {
                FlowStep::End => break,
                FlowStep::Message { node } => node,
                FlowStep::Wait { node, until } => {
                    self.wait(chunk, customer.key, node, until);
                    break;
                }
            };
            // Every message node has its channel; a node without one would have no message to send either.
            let Some(channel) = bound.channel(node).cloned() else { break };
            let id = DeliveryId::to_only_target(chunk.run.id, customer.key, node);
            let after = bound.after(node);
            match bound.compose(customer, node, moment.now) {
                Ok(composed) => {
                    let JourneyPosition { place, predecessor, .. } = position;
                    let job = Job::first(chunk, id, composed, after.is_none(), self.read_at);
                    let job = Job { place, predecessor, ..job };
                    self.jobs.push((channel, job));
                    return;
                }
                Err(reason) => self.decided.push(Decided {
                    id,
                    channel,
                    chunk: chunk.id.n,
                    fence: chunk.fence,
                    state: DeliveryState::Skipped,
                    maybe_sent: false,
                    reason: Some(reason),
                    retry_at: None,
                    advanced: after.is_none(),
                    predecessor: position.predecessor,
                }),
            }
            position =
                JourneyPosition { at: after, predecessor: after.is_some().then_some(node), ..position };
        }
        if let Some(node) = position.predecessor {
            self.pass(chunk, DeliveryId::to_only_target(chunk.run.id, customer.key, node));
        }
        self.end(position.place);
    }

    /// A journey waits. Its call's expiry ends the wait: what comes behind it is then too late.
    fn wait(&mut self, chunk: &LiveChunk, customer: CustomerKey, node: NodeIndex, until: Timestamp) {
        let until = chunk.run.expires_at.map_or(until, |expires_at| until.min(expires_at));
        self.waits.push(JourneyWait { chunk: chunk.id, fence: chunk.fence, customer, node, until });
    }

    /// A journey needs nothing more here.
    pub(super) fn end(&mut self, place: Option<u32>) {
        match place {
            Some(place) => self.settled.push(place),
            None => self.ended += 1,
        }
    }
}
