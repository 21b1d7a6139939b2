//! Handles the events of a chunk: journeys that advance behind a delivery, and deliveries that may be retried.

use std::collections::HashMap;
use std::sync::Arc;

use super::chunk_worker::{ChunkWorker, off_the_workers};
use super::crash_markers::MarkerGuard;
use super::retry::{RetryDecision, again, withdrawn};
use super::step_builder::{JourneyPosition, StepBuilder};
use super::{ChunkEvent, LiveChunk};
use crate::domain::customer::{Customer, CustomerKey};
use crate::domain::delivery::DeliveryId;
use crate::store::StoreError;
use crate::store::deliveries::{Decided, Delivery};

impl ChunkWorker {
    /// Handles a batch of events. In a halted run journeys end and deliveries that wait are closed.
    pub(super) async fn handle_events(
        &mut self,
        events: Vec<ChunkEvent>,
        halted: bool,
    ) -> Result<(), StoreError> {
        // A delivery that a person reopened can arrive twice: found when the chunk was taken, and as an event.
        let mut seen = std::collections::HashSet::new();
        let told = events.iter().filter_map(|one| one.again());
        let (again, doubled): (Vec<DeliveryId>, Vec<DeliveryId>) = told.partition(|id| seen.insert(*id));
        self.chunk.end(doubled.len());
        let going_on: Vec<DeliveryId> = events.iter().filter_map(|one| one.going_on()).collect();
        if halted {
            self.chunk.end(going_on.len());
            return self.write_off(again).await;
        }
        let rows = if again.is_empty() { Vec::new() } else { self.context.deliveries.get(&again).await? };
        let customers = self.load(events.iter().map(|one| one.customer())).await?;
        let (builder, closed) = off_the_workers(|| {
            let (mut builder, writing) = (StepBuilder::default(), self.context.crash_markers.begin());
            for id in going_on {
                if !self.fits(&builder) {
                    self.chunk.tell(ChunkEvent::Advance(id));
                    continue;
                }
                writing.is_for(id.run, id.customer);
                self.go_on(&mut builder, id, &customers);
            }
            let closed = self.try_again((&mut builder, &writing), &again, rows, &customers);
            (builder, closed)
        });
        self.hand_over(builder, 0).await?;
        report_closed(&self.chunk, closed);
        Ok(())
    }

    fn go_on(
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
                    JourneyPosition { place: None, at, behind: Some(id.node) },
                );
            }
            None => {
                builder.pass(&self.chunk, id);
                builder.ended += 1;
            }
        }
    }

    /// Renders waiting deliveries again; gives those that came to a final state instead, and whether their
    /// journey ends there.
    fn try_again(
        &self,
        (builder, writing): (&mut StepBuilder, &MarkerGuard<'_>),
        asked: &[DeliveryId],
        rows: Vec<Delivery>,
        customers: &HashMap<CustomerKey, Arc<Customer>>,
    ) -> Vec<(DeliveryId, bool)> {
        // A row that is gone or not waiting is not ours to try.
        builder.ended += asked.len() - rows.len();
        let mut closed = Vec::new();
        for row in rows {
            if !self.fits(builder) {
                self.chunk.tell(ChunkEvent::Retry(row.id));
                continue;
            }
            writing.is_for(row.id.run, row.id.customer);
            let on_unknown = self.context.dispatchers.on_unknown(&row.channel);
            match again(&self.chunk, &row, customers.get(&row.id.customer), on_unknown) {
                RetryDecision::Send(job) => builder.jobs.push((row.channel, *job)),
                RetryDecision::Close(decided) => {
                    closed.push((decided.id, decided.passed));
                    builder.decided.push(decided);
                }
                // Its outcome came after all, from one who had lost the chunk.
                RetryDecision::NotWaiting if self.goes_on_behind(&row) => {
                    self.go_on(builder, row.id, customers);
                }
                RetryDecision::NotWaiting => builder.ended += 1,
            }
        }
        closed
    }

    /// Whether what was made leaves room, and time, for another text; what does not fit is queued as an event again.
    fn fits(&self, builder: &StepBuilder) -> bool {
        !builder.is_late() && (builder.jobs.is_empty() || self.chunk.another_text_fits())
    }

    fn goes_on_behind(&self, row: &Delivery) -> bool {
        !row.state.is_open() && !row.passed && self.chunk.run.bound.after(row.id.node).is_some()
    }

    /// Deliveries of a halted run that wait are closed with the run's reason.
    async fn write_off(&self, ids: Vec<DeliveryId>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let rows = self.context.deliveries.get(&ids).await?;
        let now = jiff::Timestamp::now();
        let halt = self.chunk.run.halt(now);
        let decided: Vec<Decided> =
            rows.iter().filter_map(|row| withdrawn(&self.chunk, row, halt?)).collect();
        self.hand_over(StepBuilder { decided, ended: ids.len(), ..StepBuilder::default() }, 0).await
    }
}

fn report_closed(chunk: &LiveChunk, closed: Vec<(DeliveryId, bool)>) {
    closed.into_iter().for_each(|(id, last)| chunk.ended(id, last));
}

impl ChunkEvent {
    fn again(self) -> Option<DeliveryId> {
        match self {
            ChunkEvent::Retry(id) => Some(id),
            ChunkEvent::Advance(_) => None,
        }
    }

    fn going_on(self) -> Option<DeliveryId> {
        match self {
            ChunkEvent::Advance(id) => Some(id),
            ChunkEvent::Retry(_) => None,
        }
    }

    fn customer(self) -> CustomerKey {
        match self {
            ChunkEvent::Retry(id) | ChunkEvent::Advance(id) => id.customer,
        }
    }
}
