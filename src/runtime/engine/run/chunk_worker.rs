//! The worker of one chunk: decides about its customers in order and handles the events of their deliveries, until every
//! journey has ended.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::recover::{Recovered, recover};
use super::renderer::{Renderer, has_room};
use super::scheduler::ChunkSlot;
use super::step_builder::StepBuilder;
use super::{EngineContext, LiveChunk, LiveRun};
use crate::domain::customer::{Customer, CustomerKey};
use crate::domain::permit::Permit;
use crate::store::StoreError;
use crate::store::deliveries::Step;
use crate::store::runs::{ChunkId, Taken};

/// How many customers are read and decided at once.
const BATCH: usize = 256;
/// How long a worker sleeps at most, so that it notices an expiry.
const NAP: std::time::Duration = std::time::Duration::from_millis(500);

/// The worker of one chunk.
pub(super) struct ChunkWorker {
    pub context: EngineContext,
    pub chunk: Arc<LiveChunk>,
    /// All its customers.
    pub keys: Vec<CustomerKey>,
    /// The customers not yet decided, each with its place.
    pub undecided: std::vec::IntoIter<(u32, CustomerKey)>,
    /// The slot of the scheduler, released as soon as nothing is left to decide.
    pub slot: Option<ChunkSlot>,
}

/// Customers as they were at one time.
pub(super) struct LoadedCustomers {
    pub by_key: HashMap<CustomerKey, Arc<Customer>>,
    /// When reading them began.
    pub read_at: Instant,
}

/// How the work on a chunk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkEnd {
    /// The chunk is done, or nothing of it is left to do here.
    Done,
    /// Another process has the chunk.
    Elsewhere,
    /// Its run was paused: the chunk was left as after a crash, and is taken again when the run goes on.
    Paused,
}

/// Leaves the chunk when the worker ends, also by a panic.
struct Leaving(Arc<LiveChunk>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Takes a chunk and works on it until it is done.
///
/// # Errors
/// The store refused something; the chunk can be taken again.
pub(super) async fn run_chunk(
    context: EngineContext,
    run: Arc<LiveRun>,
    id: ChunkId,
    slot: ChunkSlot,
) -> Result<ChunkEnd, StoreError> {
    let held = if id.n == 0 { run.take_first() } else { None };
    let taken = match held {
        Some(taken) => taken,
        None => match context.runs.take_chunk(id, &context.owner).await? {
            Taken::Here(taken) => taken,
            Taken::Elsewhere => return Ok(ChunkEnd::Elsewhere),
            Taken::Done => return Ok(ChunkEnd::Done),
        },
    };
    let chunk = Arc::new(LiveChunk::new(run, id, &taken));
    let _leaving = Leaving(Arc::clone(&chunk));
    slot.announce(&chunk);
    // A chunk that was never taken has no deliveries.
    let known = if taken.fence.0 > 1 {
        context.dispatchers.metrics().ledger.took_over();
        context.deliveries.of_chunk(id).await?
    } else {
        Vec::new()
    };
    let Recovered { undecided } = recover(&context, &chunk, &taken, known).await?;
    let undecided = undecided.into_iter();
    let mut worker = ChunkWorker { context, chunk, keys: taken.keys, undecided, slot: Some(slot) };
    worker.run().await
}

impl ChunkWorker {
    async fn run(&mut self) -> Result<ChunkEnd, StoreError> {
        loop {
            if self.chunk.is_lost() {
                return Ok(ChunkEnd::Elsewhere);
            }
            let permit = self.chunk.permit(self.context.clock.now());
            if let Permit::WaitUntil(..) = permit {
                return Ok(ChunkEnd::Paused);
            }
            let halted = permit != Permit::Send;
            if halted || self.undecided.as_slice().is_empty() {
                self.slot = None;
            }
            // Handling an event may render a message again, which needs room too; a halted run renders nothing.
            let may_render = halted || self.chunk.another_text_fits();
            let events = if may_render { self.chunk.take_events(BATCH) } else { Vec::new() };
            if !events.is_empty() {
                self.handle_events(events, halted).await?;
            } else if self.slot.is_some() && has_room(&self.chunk) {
                self.decide_some().await?;
            } else if self.slot.is_none() && self.chunk.is_quiet() {
                return self.finish().await;
            } else {
                let _woken_or_napped = tokio::time::timeout(NAP, self.chunk.woken()).await;
            }
        }
    }

    async fn decide_some(&mut self) -> Result<(), StoreError> {
        let some: Vec<(u32, CustomerKey)> = self.undecided.as_slice().iter().take(BATCH).copied().collect();
        let customers = self.load(some.iter().map(|(_, key)| *key)).await?;
        let renderer = self.renderer();
        let (builder, decided) =
            self.context.render_pool.run(move || renderer.decide(&some, customers)).await;
        self.undecided.by_ref().take(decided).for_each(drop);
        let fresh = builder.jobs.len();
        self.hand_over(builder, fresh).await
    }

    /// What decides about customers of the chunk, on another thread.
    pub(super) fn renderer(&self) -> Renderer {
        Renderer { context: self.context.clone(), chunk: Arc::clone(&self.chunk) }
    }

    pub(super) async fn load(
        &self,
        keys: impl Iterator<Item = CustomerKey>,
    ) -> Result<LoadedCustomers, StoreError> {
        let mut keys: Vec<CustomerKey> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        let (read_at, needs) = (self.context.clock.instant(), self.chunk.run.bound.flow_needs());
        let customers = self.context.customers.load(&keys, needs).await?;
        let by_key = customers.into_iter().map(|customer| (customer.key, Arc::new(customer))).collect();
        Ok(LoadedCustomers { by_key, read_at })
    }

    /// Commits what needs no window, then hands the messages to their channels; `fresh` of them are new.
    pub(super) async fn hand_over(&self, builder: StepBuilder, fresh: usize) -> Result<(), StoreError> {
        let step = Step {
            at: self.context.clock.now(),
            decided: builder.decided,
            advanced: builder.advanced,
            waits: builder.waits,
            ..Step::default()
        };
        if !step.is_empty() {
            let step = Arc::new(step);
            let committed = self.context.deliveries.commit(Arc::clone(&step)).await?;
            if committed.lost {
                self.chunk.lose();
                return Ok(());
            }
            self.context.dispatchers.metrics().decided(&step.decided);
            if !step.waits.is_empty() {
                self.context.waits_begun.notify_one();
            }
        }
        self.chunk.settle(builder.settled);
        self.chunk.end(builder.ended);
        self.chunk.hand_over(builder.jobs.len(), fresh);
        let mut by_channel: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (channel, job) in builder.jobs {
            by_channel.entry(channel).or_default().push(job);
        }
        for (channel, jobs) in by_channel {
            self.context.dispatchers.queue(&channel).push(jobs);
        }
        Ok(())
    }
}
