//! The walk of one chunk: decides about its customers in order, and sees to what comes back, until all are at
//! their end.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::board::Slot;
use super::draft::{Draft, Standing};
use super::recover::{Recovered, recover};
use super::{Desk, LiveChunk, LiveRun};
use crate::domain::customer::{Customer, CustomerKey};
use crate::domain::name::NodeIndex;
use crate::store::StoreError;
use crate::store::deliveries::Step;
use crate::store::runs::{ChunkId, Taken};

/// How many customers are read and decided at once.
const BATCH: usize = 256;
/// How many messages of a chunk may wait for their channels; beyond it the walk waits.
const UNOPENED_MAX: usize = 512;
/// How long a walk sleeps at most, so that an expiry is seen.
const NAP: std::time::Duration = std::time::Duration::from_millis(500);

/// The walk of one chunk.
pub(super) struct Walk {
    pub desk: Desk,
    pub chunk: Arc<LiveChunk>,
    /// All its customers.
    pub keys: Vec<CustomerKey>,
    /// The customers not yet decided, each with its place.
    pub undecided: std::vec::IntoIter<(u32, CustomerKey)>,
    /// The place at the board, given back as soon as nothing is left to decide.
    pub slot: Option<Slot>,
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WalkEnd {
    /// The chunk is done, or nothing of it is left to do here.
    Done,
    /// Another process has the chunk.
    Elsewhere,
    /// Its run was paused: the chunk was left as after a crash, and is taken again when the run goes on.
    Paused,
}

/// Leaves the chunk when the walk ends, by a panic too.
struct Leaving(Arc<LiveChunk>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Takes a chunk and walks it to its end.
///
/// # Errors
/// The store refused something; the chunk can be taken again.
pub(super) async fn walk_chunk(
    desk: Desk,
    run: Arc<LiveRun>,
    id: ChunkId,
    slot: Slot,
) -> Result<WalkEnd, StoreError> {
    let held = if id.n == 0 { run.take_first() } else { None };
    let taken = match held {
        Some(taken) => taken,
        None => match desk.runs.take_chunk(id, &desk.owner).await? {
            Taken::Here(taken) => taken,
            Taken::Elsewhere => return Ok(WalkEnd::Elsewhere),
            Taken::Done => return Ok(WalkEnd::Done),
        },
    };
    let chunk = Arc::new(LiveChunk::new(run, id, taken.fence, taken.keys.len(), taken.position));
    let _leaving = Leaving(Arc::clone(&chunk));
    slot.announce(&chunk);
    // A chunk that was never taken has no deliveries.
    let known = if taken.fence.0 > 1 {
        desk.post.metrics().ledger.took_over();
        desk.deliveries.of_chunk(id).await?
    } else {
        Vec::new()
    };
    let Recovered { undecided } = recover(&desk, &chunk, &taken, known).await?;
    let undecided = undecided.into_iter();
    let mut walk = Walk { desk, chunk, keys: taken.keys, undecided, slot: Some(slot) };
    walk.run().await
}

impl Walk {
    async fn run(&mut self) -> Result<WalkEnd, StoreError> {
        loop {
            if self.chunk.is_lost() {
                return Ok(WalkEnd::Elsewhere);
            }
            let halted = self.chunk.run.halt(Timestamp::now()).is_some();
            if self.chunk.run.is_paused() && !halted {
                return Ok(WalkEnd::Paused);
            }
            if halted || self.undecided.as_slice().is_empty() {
                self.slot = None;
            }
            // What is told may be rendered again, which needs room too; a halted run renders nothing.
            let may_render = halted || self.chunk.another_text_fits();
            let news = if may_render { self.chunk.take_news(BATCH) } else { Vec::new() };
            if !news.is_empty() {
                self.see_to(news, halted).await?;
            } else if self.slot.is_some() && self.has_room() {
                self.decide_some().await?;
            } else if self.slot.is_none() && self.chunk.is_quiet() {
                return self.finish().await;
            } else {
                let _bell_or_nap = tokio::time::timeout(NAP, self.chunk.rung()).await;
            }
        }
    }

    fn has_room(&self) -> bool {
        self.chunk.unopened() < UNOPENED_MAX && self.chunk.another_text_fits()
    }

    /// Whether deciding goes on: until the run is stopped or paused, the chunk is another's, its texts fill what they
    /// may, or what is decided is to be written.
    fn goes_on(&self, draft: &Draft) -> bool {
        let run = &self.chunk.run;
        let filled = !draft.jobs.is_empty() && !self.has_room();
        !(filled
            || draft.is_late()
            || self.chunk.is_lost()
            || run.is_paused()
            || run.halt(Timestamp::now()).is_some())
    }

    async fn decide_some(&mut self) -> Result<(), StoreError> {
        let some: Vec<(u32, CustomerKey)> = self.undecided.as_slice().iter().take(BATCH).copied().collect();
        let mut customers = self.load(some.iter().map(|(_, key)| *key)).await?;
        let (draft, decided) = off_the_workers(|| {
            let (mut draft, writing) = (Draft::default(), self.desk.marks.begin());
            for (decided, (place, key)) in some.iter().enumerate() {
                if !self.goes_on(&draft) {
                    return (draft, decided);
                }
                writing.is_for(self.chunk.run.id, *key);
                match customers.remove(key) {
                    Some(customer) => {
                        let at = Some(NodeIndex(0));
                        draft.walk(
                            &self.chunk,
                            &customer,
                            Standing { place: Some(*place), at, behind: None },
                        );
                    }
                    // Deleted since the audience was read: the journey ends without a message.
                    None => draft.end(Some(*place)),
                }
            }
            (draft, some.len())
        });
        self.undecided.by_ref().take(decided).for_each(drop);
        let fresh = draft.jobs.len();
        self.hand_over(draft, fresh).await
    }

    pub(super) async fn load(
        &self,
        keys: impl Iterator<Item = CustomerKey>,
    ) -> Result<HashMap<CustomerKey, Arc<Customer>>, StoreError> {
        let mut keys: Vec<CustomerKey> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        let needs = self.chunk.run.script.flow_needs();
        let customers = self.desk.customers.load(&keys, needs).await?;
        Ok(customers.into_iter().map(|customer| (customer.key, Arc::new(customer))).collect())
    }

    /// Commits what needs no window, then hands the messages to their channels; `fresh` of them are new.
    pub(super) async fn hand_over(&self, draft: Draft, fresh: usize) -> Result<(), StoreError> {
        let step =
            Step { at: Timestamp::now(), decided: draft.decided, passed: draft.passed, ..Step::default() };
        if !step.is_empty() {
            let step = Arc::new(step);
            let committed = self.desk.deliveries.commit(Arc::clone(&step)).await?;
            if committed.lost {
                self.chunk.lose();
                return Ok(());
            }
            self.desk.post.metrics().decided(&step.decided);
        }
        self.chunk.settle(draft.settled);
        self.chunk.end(draft.ended);
        self.chunk.hand_over(draft.jobs.len(), fresh);
        let mut by_channel: HashMap<_, Vec<_>> = HashMap::new();
        for (channel, job) in draft.jobs {
            by_channel.entry(channel).or_default().push(job);
        }
        for (channel, jobs) in by_channel {
            self.desk.post.outbox(&channel).push(jobs);
        }
        Ok(())
    }
}

/// Does what takes a core for a while, rendering above all, where it keeps no other task waiting.
pub(super) fn off_the_workers<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // There is no other thread that could do the rest meanwhile.
        _ => work(),
    }
}
