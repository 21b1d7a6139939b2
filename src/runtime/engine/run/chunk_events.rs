//! Handles the events of a chunk: journeys that advance behind a delivery, and deliveries that may be retried.

use super::chunk_worker::ChunkWorker;
use super::retry::withdrawn;
use super::step_builder::StepBuilder;
use super::{ChunkEvent, LiveChunk};
use crate::domain::customer::CustomerKey;
use crate::domain::delivery::DeliveryId;
use crate::domain::permit::Permit;
use crate::store::StoreError;
use crate::store::deliveries::Decided;

impl ChunkWorker {
    /// Handles a batch of events. In a halted run journeys end and deliveries that wait are closed.
    pub(super) async fn handle_events(
        &mut self,
        events: Vec<ChunkEvent>,
        halted: bool,
    ) -> Result<(), StoreError> {
        // A delivery that a person reopened can arrive twice: found when the chunk was taken, and as an event.
        let mut seen = std::collections::HashSet::new();
        let told = events.iter().filter_map(|one| one.retried());
        let (retried, doubled): (Vec<DeliveryId>, Vec<DeliveryId>) = told.partition(|id| seen.insert(*id));
        self.chunk.end(doubled.len());
        let going_on: Vec<DeliveryId> = events.iter().filter_map(|one| one.going_on()).collect();
        if halted {
            self.chunk.end(going_on.len());
            return self.write_off(retried).await;
        }
        let rows =
            if retried.is_empty() { Vec::new() } else { self.context.deliveries.get(&retried).await? };
        let customers = self.load(events.iter().map(|one| one.customer())).await?;
        let renderer = self.renderer();
        let (builder, closed) = self
            .context
            .render_pool
            .run(move || renderer.handle(&going_on, &retried, rows, &customers))
            .await;
        self.hand_over(builder, 0).await?;
        report_closed(&self.chunk, closed);
        Ok(())
    }

    /// Deliveries of a halted run that wait are closed with the run's reason.
    async fn write_off(&self, ids: Vec<DeliveryId>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let rows = self.context.deliveries.get(&ids).await?;
        let (instant, now) = self.context.clock.both();
        let decided: Vec<Decided> = match self.chunk.permit(now) {
            Permit::Skip(reason) => {
                rows.iter().filter_map(|row| withdrawn(&self.chunk, row, &reason)).collect()
            }
            Permit::Send | Permit::WaitUntil(..) => Vec::new(),
        };
        let nothing = StepBuilder::begun((instant, now), instant);
        self.hand_over(StepBuilder { decided, ended: ids.len(), ..nothing }, 0).await
    }
}

fn report_closed(chunk: &LiveChunk, closed: Vec<(DeliveryId, bool)>) {
    closed.into_iter().for_each(|(id, is_terminal)| chunk.ended(id, is_terminal));
}

impl ChunkEvent {
    fn retried(self) -> Option<DeliveryId> {
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
