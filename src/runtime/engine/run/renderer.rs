//! Decides about customers of a chunk and renders their messages. This is the CPU-bound half of a chunk worker; it does no
//! I/O but the crash markers and runs in the [`RenderPool`](super::render_pool::RenderPool).

use std::collections::HashMap;
use std::sync::Arc;

use super::chunk_worker::LoadedCustomers;
use super::crash_markers::MarkerGuard;
use super::retry::{RetryDecision, decide_retry};
use super::step_builder::{JourneyPosition, StepBuilder};
use super::{ChunkEvent, EngineContext, LiveChunk};
use crate::domain::customer::{Customer, CustomerKey};
use crate::domain::delivery::DeliveryId;
use crate::domain::permit::Permit;
use crate::store::deliveries::Delivery;

/// How many messages of a chunk may wait for their channels; beyond it the worker waits.
const UNOPENED_MAX: usize = 512;

/// Whether more messages of the chunk may be rendered.
pub(super) fn has_room(chunk: &LiveChunk) -> bool {
    chunk.unopened() < UNOPENED_MAX && chunk.another_text_fits()
}

/// Renders for one chunk.
pub(super) struct Renderer {
    pub context: EngineContext,
    pub chunk: Arc<LiveChunk>,
}

impl Renderer {
    /// Decides about customers at the beginning of their journeys, in order. Returns what is to be committed, and how many
    /// are decided.
    pub(super) fn decide(
        &self,
        some: &[(u32, CustomerKey)],
        mut customers: LoadedCustomers,
    ) -> (StepBuilder, usize) {
        let mut builder = StepBuilder::begun(self.context.clock.both(), customers.read_at);
        let writing = self.context.crash_markers.begin();
        for (decided, (place, key)) in some.iter().enumerate() {
            if !self.goes_on(&builder) {
                return (builder, decided);
            }
            writing.is_for(self.chunk.run.id, *key);
            match customers.by_key.remove(key) {
                Some(customer) => {
                    let at = self.chunk.start();
                    builder.walk(
                        &self.chunk,
                        &customer,
                        JourneyPosition { place: Some(*place), at, predecessor: None },
                    );
                }
                // Deleted since the audience was read: the journey ends without a message.
                None => builder.end(Some(*place)),
            }
        }
        (builder, some.len())
    }

    /// Advances journeys behind deliveries that ended, and renders deliveries again that are due. Returns what is to be
    /// committed, and the deliveries that came to a final state, each with whether its journey ends there.
    pub(super) fn handle(
        &self,
        going_on: &[DeliveryId],
        retried: &[DeliveryId],
        rows: Vec<Delivery>,
        customers: &LoadedCustomers,
    ) -> (StepBuilder, Vec<(DeliveryId, bool)>) {
        let mut builder = StepBuilder::begun(self.context.clock.both(), customers.read_at);
        let writing = self.context.crash_markers.begin();
        let customers = &customers.by_key;
        for id in going_on {
            if !self.fits(&builder) {
                self.chunk.tell(ChunkEvent::Advance(*id));
                continue;
            }
            writing.is_for(id.run, id.customer);
            self.advance(&mut builder, *id, customers);
        }
        let closed = self.retry((&mut builder, &writing), retried, rows, customers);
        (builder, closed)
    }

    /// Whether deciding goes on: until the run is stopped or paused, the chunk is another process's, its texts fill what they
    /// may, or what is decided is to be written.
    fn goes_on(&self, builder: &StepBuilder) -> bool {
        let filled = !builder.jobs.is_empty() && !has_room(&self.chunk);
        let is_over = filled || builder.is_late(self.context.clock.instant()) || self.chunk.is_lost();
        !is_over && self.chunk.permit(self.context.clock.now()) == Permit::Send
    }

    fn advance(
        &self,
        builder: &mut StepBuilder,
        id: DeliveryId,
        customers: &HashMap<CustomerKey, Arc<Customer>>,
    ) {
        let at = self.chunk.run.bound.after(id.node);
        match customers.get(&id.customer) {
            Some(customer) => {
                builder.walk(
                    &self.chunk,
                    customer,
                    JourneyPosition { place: None, at, predecessor: Some(id.node) },
                );
            }
            None => {
                builder.pass(&self.chunk, id);
                builder.ended += 1;
            }
        }
    }

    /// Renders waiting deliveries again. Returns those that came to a final state instead, and whether their journey ends
    /// there.
    fn retry(
        &self,
        (builder, writing): (&mut StepBuilder, &MarkerGuard<'_>),
        asked: &[DeliveryId],
        rows: Vec<Delivery>,
        customers: &HashMap<CustomerKey, Arc<Customer>>,
    ) -> Vec<(DeliveryId, bool)> {
        // A row that is gone, or does not wait, is not retried.
        builder.ended += asked.len() - rows.len();
        let mut closed = Vec::new();
        for row in rows {
            if !self.fits(builder) {
                self.chunk.tell(ChunkEvent::Retry(row.id));
                continue;
            }
            writing.is_for(row.id.run, row.id.customer);
            let on_unknown = self.context.dispatchers.on_unknown(&row.channel);
            let customer = customers.get(&row.id.customer).map(|customer| (customer, builder.read_at));
            match decide_retry(&self.chunk, &row, customer, on_unknown, self.context.clock.now()) {
                RetryDecision::Send(job) => builder.jobs.push((row.channel, *job)),
                RetryDecision::Close(decided) => {
                    closed.push((decided.id, decided.advanced));
                    builder.decided.push(decided);
                }
                // Its outcome came after all, from one who had lost the chunk.
                RetryDecision::NotWaiting if self.goes_on_behind(&row) => {
                    self.advance(builder, row.id, customers);
                }
                RetryDecision::NotWaiting => builder.ended += 1,
            }
        }
        closed
    }

    /// Whether what was made leaves room, and time, for another text; what does not fit is queued as an event again.
    fn fits(&self, builder: &StepBuilder) -> bool {
        !builder.is_late(self.context.clock.instant())
            && (builder.jobs.is_empty() || self.chunk.another_text_fits())
    }

    fn goes_on_behind(&self, row: &Delivery) -> bool {
        !row.state.is_open() && !row.advanced && self.chunk.run.bound.after(row.id.node).is_some()
    }
}
