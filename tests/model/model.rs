//! The ledger of one run as it should be: plain data, one method an operation, nothing of SQL.

use std::collections::{BTreeMap, HashSet};

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::DeliveryId;
use fanfare::domain::left_out::{CountedDelivery, Reasons};
use fanfare::domain::name::{NodeIndex, RunId};
use fanfare::domain::run_counts::{JourneyEnd, JourneysElsewhere, RunCounts};
use fanfare::domain::state::{DeliveryState, RunState};
use fanfare::store::deliveries::Delivery;
use fanfare::store::runs::{ChunkId, Fence, OpenChunks, RunTotals, SelectionLease, Taken, TakenChunk};
use jiff::Timestamp;

use crate::mutants::Mistake;
use crate::operations::{Answer, Operation};
use crate::picture::{ChunkPicture, Picture};

/// What differs between the databases, and what is expected wrongly on purpose.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Whether there are several holders: on a file whoever asks is the only one.
    pub replicas: bool,
    pub mistake: Option<Mistake>,
}

/// A chunk of the audience.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    pub keys: Vec<CustomerKey>,
    pub position: usize,
    pub done: bool,
    pub owner: Option<String>,
    pub fence: i64,
    pub counts: Option<RunCounts>,
}

/// The run.
#[derive(Debug, Clone)]
pub struct Model {
    pub rules: Rules,
    pub id: RunId,
    /// The audience that is written when it is told to.
    pub audience: Vec<Vec<CustomerKey>>,
    pub state: RunState,
    pub stopping: bool,
    pub reader: Option<String>,
    pub chunks: Vec<Chunk>,
    /// Whether each process's lease runs.
    pub leases: BTreeMap<String, bool>,
    pub deliveries: BTreeMap<DeliveryId, Delivery>,
    /// By what right the last attempt of each delivery was opened.
    pub openers: BTreeMap<DeliveryId, Fence>,
}

impl Model {
    pub fn new(rules: Rules, id: RunId, reader: &str, audience: Vec<Vec<CustomerKey>>) -> Self {
        Model {
            rules,
            id,
            audience,
            state: RunState::Selecting,
            stopping: false,
            reader: rules.replicas.then(|| reader.to_owned()),
            chunks: Vec::new(),
            leases: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            openers: BTreeMap::new(),
        }
    }

    /// What the store must answer; the model is then as the store must be.
    pub fn apply(&mut self, operation: &Operation) -> Answer {
        match operation {
            Operation::Renew { owner } => Answer::Lease(self.renew(owner)),
            Operation::RunOut { owner } => {
                if let Some(runs) = self.leases.get_mut(owner) {
                    *runs = false;
                }
                Answer::Nothing
            }
            Operation::GiveBack { owner } => self.give_back(owner),
            Operation::LeaseSelection { owner } => Answer::Selection(self.lease_selection(owner)),
            Operation::SetAudience { owner } => Answer::Fence(self.set_audience(owner)),
            Operation::OpenChunks { owner } => Answer::Open(self.open_chunks(owner)),
            Operation::Take { n, owner } => Answer::Taken(self.take(*n, owner)),
            Operation::Commit(step) => Answer::Committed(self.commit(step)),
            Operation::Finish { n, fence, position, counts } => {
                Answer::Yes(self.finish(*n, *fence, *position, counts))
            }
            Operation::FinishUntouched { end } => Answer::Count(self.finish_untouched(*end)),
            Operation::Totals => Answer::Totals(self.totals()),
            Operation::End { state, .. } => Answer::Yes(self.end(*state)),
            Operation::Stop => {
                let is_under_way = self.is_under_way();
                self.stopping |= is_under_way;
                Answer::Yes(is_under_way)
            }
            Operation::Resend { id, at } => Answer::Reopened(self.resend(*id, *at)),
            Operation::Close { id, at } => Answer::Yes(self.close(*id, *at)),
        }
    }

    /// What can be seen of it.
    pub fn picture(&self) -> Picture {
        let chunk = |chunk: &Chunk| ChunkPicture {
            done: chunk.done,
            owner: chunk.owner.clone(),
            fence: chunk.fence,
            position: chunk.position,
            counts: chunk.counts.clone(),
        };
        let waits = |row: &&Delivery| {
            matches!(row.state, DeliveryState::Queued | DeliveryState::Retrying | DeliveryState::Held)
        };
        let pending = self.deliveries.values().filter(waits).map(|row| (row.id, row.state.code()));
        Picture {
            state: self.state.code(),
            stopping: self.stopping,
            call_ended: !self.is_under_way(),
            chunks: self.chunks.iter().map(chunk).collect(),
            deliveries: self.deliveries.values().cloned().collect(),
            pending: self.rules.replicas.then(|| pending.collect()),
        }
    }

    pub fn is_under_way(&self) -> bool {
        matches!(self.state, RunState::Selecting | RunState::Running)
    }

    /// The chunk a customer is in.
    pub fn chunk_of(&self, customer: CustomerKey) -> Option<u32> {
        let within = |chunk: &Chunk| chunk.keys.binary_search(&customer).is_ok();
        self.chunks.iter().position(within).map(|n| u32::try_from(n).unwrap())
    }

    /// The states of a chunk's deliveries.
    pub fn states_of(
        &self,
        n: u32,
    ) -> impl Iterator<Item = (CustomerKey, NodeIndex, DeliveryState)> + Clone + '_ {
        let keys: HashSet<CustomerKey> = self.chunks[n as usize].keys.iter().copied().collect();
        let rows = self.deliveries.values().filter(move |row| keys.contains(&row.id.customer));
        rows.map(|row| (row.id.customer, row.id.node, row.state))
    }

    fn is_mistaken(&self, mistake: Mistake) -> bool {
        self.rules.mistake == Some(mistake)
    }

    /// Whether somebody may take what the owner has.
    fn is_free(&self, owner: Option<&str>, asker: &str) -> bool {
        let Some(owner) = owner else { return true };
        let lease_runs = self.leases.get(owner).copied().unwrap_or(false);
        !self.rules.replicas || owner == asker || !lease_runs || self.is_mistaken(Mistake::LeaseIgnored)
    }

    fn renew(&mut self, owner: &str) -> Option<Vec<(ChunkId, Fence)>> {
        if !self.rules.replicas {
            return None;
        }
        let had_run = self.leases.insert(owner.to_owned(), true).unwrap_or(false);
        let owned = (0_u32..)
            .zip(&self.chunks)
            .filter(|(_, chunk)| !chunk.done && chunk.owner.as_deref() == Some(owner));
        (!had_run).then(|| owned.map(|(n, chunk)| (self.chunk_id(n), Fence(chunk.fence))).collect())
    }

    fn give_back(&mut self, owner: &str) -> Answer {
        if self.rules.replicas {
            let owned = |chunk: &&mut Chunk| !chunk.done && chunk.owner.as_deref() == Some(owner);
            self.chunks.iter_mut().filter(owned).for_each(|chunk| chunk.owner = None);
            if self.is_under_way() && self.reader.as_deref() == Some(owner) {
                self.reader = None;
            }
            self.leases.remove(owner);
        }
        Answer::Nothing
    }

    fn lease_selection(&mut self, owner: &str) -> SelectionLease {
        if !self.rules.replicas {
            return SelectionLease::Here;
        }
        if self.state != RunState::Selecting {
            return SelectionLease::Over;
        }
        if !self.is_free(self.reader.as_deref(), owner) {
            return SelectionLease::Elsewhere;
        }
        self.reader = Some(owner.to_owned());
        SelectionLease::Here
    }

    fn set_audience(&mut self, owner: &str) -> Option<Fence> {
        if self.state != RunState::Selecting {
            return None;
        }
        self.state = RunState::Running;
        self.reader = None;
        let chunks = self.audience.iter().map(|keys| Chunk { keys: keys.clone(), ..Chunk::default() });
        self.chunks = chunks.collect();
        self.chunks[0].owner = Some(owner.to_owned());
        self.chunks[0].fence = 1;
        Some(Fence(1))
    }

    fn open_chunks(&self, owner: &str) -> OpenChunks {
        let mut open = OpenChunks::default();
        for (n, chunk) in (0_u32..).zip(&self.chunks).filter(|(_, chunk)| !chunk.done) {
            if self.is_free(chunk.owner.as_deref(), owner) { open.free.push(n) } else { open.elsewhere += 1 }
        }
        open
    }

    fn take(&mut self, n: u32, owner: &str) -> Taken {
        let Some(chunk) = self.chunks.get(n as usize).filter(|chunk| !chunk.done) else { return Taken::Done };
        if !self.is_free(chunk.owner.as_deref(), owner) {
            return Taken::Elsewhere;
        }
        let chunk = &mut self.chunks[n as usize];
        chunk.owner = Some(owner.to_owned());
        chunk.fence += 1;
        let (fence, position, keys) = (Fence(chunk.fence), chunk.position, chunk.keys.clone());
        Taken::Here(TakenChunk { fence, position, keys, woken: None })
    }

    fn finish(&mut self, n: u32, fence: Fence, position: usize, counts: &RunCounts) -> bool {
        let is_open = |state: DeliveryState| state.is_open() && !self.is_mistaken(Mistake::DoneWithOpenOnes);
        let Some(chunk) = self.chunks.get(n as usize) else { return false };
        let has_open = self.states_of(n).any(|(_, _, state)| is_open(state));
        if chunk.done || chunk.fence != fence.0 || has_open {
            return false;
        }
        let chunk = &mut self.chunks[n as usize];
        (chunk.done, chunk.position, chunk.owner) = (true, position, None);
        chunk.counts = Some(counts.clone());
        true
    }

    fn finish_untouched(&mut self, end: JourneyEnd) -> u64 {
        let untouched = self.chunks.iter_mut().filter(|chunk| !chunk.done && chunk.fence == 0);
        let finished = untouched.map(|chunk| {
            let mut run_counts = RunCounts::default();
            run_counts.journeys.add(end, chunk.keys.len() as u64);
            (chunk.done, chunk.counts) = (true, Some(run_counts));
        });
        finished.count() as u64
    }

    fn totals(&self) -> RunTotals {
        let audience = self.chunks.iter().map(|chunk| chunk.keys.len() as u64).sum();
        let mut totals = RunTotals { audience, ..RunTotals::default() };
        for chunk in &self.chunks {
            match &chunk.counts {
                Some(counts) => totals.run_counts.merge(counts),
                None => totals.open_chunks += 1,
            }
        }
        for row in self.deliveries.values() {
            *totals.deliveries.entry(row.id.node.0).or_default() += 1;
        }
        totals
    }

    fn end(&mut self, state: RunState) -> bool {
        let is_left = self.chunks.iter().any(|chunk| !chunk.done);
        let ends = self.is_under_way() && (state == RunState::Failed || !is_left);
        if ends {
            self.state = state;
            self.reader = None;
        }
        ends
    }

    fn resend(&mut self, id: DeliveryId, at: Timestamp) -> Option<ChunkId> {
        let n = self.chunk_of(id.customer)?;
        let may = matches!(self.state, RunState::Running | RunState::Done) && !self.stopping;
        let row = self.deliveries.get_mut(&id)?;
        if !may || row.state != DeliveryState::Held {
            return None;
        }
        (row.state, row.maybe_sent, row.retry_at) = (DeliveryState::Queued, false, Some(at));
        (row.address, row.digest, row.first_at, row.done_at) = (None, None, None, None);
        row.reason = Some("sent again by a person's decision".into());
        let chunk = &mut self.chunks[n as usize];
        (chunk.done, chunk.counts) = (false, None);
        self.state = RunState::Running;
        Some(self.chunk_id(n))
    }

    fn close(&mut self, id: DeliveryId, at: Timestamp) -> bool {
        let Some(row) = self.deliveries.get_mut(&id) else { return false };
        if row.state != DeliveryState::Held {
            return false;
        }
        (row.state, row.done_at) = (DeliveryState::Unknown, Some(at));
        let before = row.reason.take().map_or(String::new(), |reason| format!("{reason}; "));
        row.reason = Some(format!("{before}closed by a person"));
        self.count_anew(id);
        true
    }

    /// A finished chunk is counted anew, so that its run still adds up.
    pub(super) fn count_anew(&mut self, id: DeliveryId) {
        let n = self.chunk_of(id.customer).expect("whoever has a delivery is in a chunk");
        let chunk = &self.chunks[n as usize];
        if let Some(counts) = chunk.counts.as_ref().filter(|_| chunk.done) {
            let expired = counts.journeys.expired > 0;
            let rest = if expired { JourneyEnd::Expired } else { JourneyEnd::Cancelled };
            let mut anew = RunCounts::of_chunk(
                self.states_of(n),
                &JourneysElsewhere::default(),
                &chunk.keys,
                chunk.position,
                rest,
            );
            let rows = self.deliveries.values().filter(|row| self.chunk_of(row.id.customer) == Some(n));
            let outcome = |row| {
                let Delivery { id, state, reason, .. }: &Delivery = row;
                CountedDelivery { customer: id.customer, state: *state, reason: reason.as_deref() }
            };
            anew.reasons = Reasons::of_chunk(&rows.map(outcome).collect::<Vec<_>>());
            self.chunks[n as usize].counts = Some(anew);
        }
    }

    pub fn chunk_id(&self, n: u32) -> ChunkId {
        ChunkId { run: self.id, n }
    }
}
