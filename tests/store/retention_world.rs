//! A ledger with calls of any age, for the stories of what is removed, and what must hold of it at every moment.

use std::sync::Arc;
use std::time::Duration;

use fanfare::domain::admission::Answer;
use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::{DeliveryId, MessageDigest};
use fanfare::domain::name::{CallId, ChannelName, NodeIndex, RunId, ScenarioName, TriggerName, VersionId};
use fanfare::domain::run_counts::{JourneyEnd, RunCounts};
use fanfare::domain::state::{DeliveryState, RunState};
use fanfare::store::calls::{Admitted, NewCall, NewKey, NewRequest};
use fanfare::store::deliveries::{Opened, Outcome, SendIntent, Step};
use fanfare::store::retention::{RemovalBounds, RemovedBatch, RetentionStore, RowKind};
use fanfare::store::runs::{ChunkId, Fence, Matched};
use jiff::{Timestamp, ToSpan};

use crate::harness::{Ledger, Place, Store};

/// How many customers a chunk has.
const A_CHUNK: usize = 3;

pub struct World {
    pub place: Place,
    pub ledger: Ledger,
    pub customers: Arc<dyn Store>,
    /// Noon of a day, from which all ages are counted.
    pub now: Timestamp,
}

/// A run that was begun.
#[derive(Debug, Clone)]
pub struct Begun {
    pub call: CallId,
    pub seq: i64,
    pub run: RunId,
    pub customers: Vec<i64>,
}

impl World {
    pub async fn in_place(place: Place) -> World {
        let (ledger, customers) = place.open_both().await;
        let days = Timestamp::now().as_second().div_euclid(86_400);
        World { place, ledger, customers, now: Timestamp::from_second(days * 86_400 + 43_200).unwrap() }
    }

    /// As a process that was killed leaves it to the next one.
    pub async fn open_again(&mut self) {
        self.close().await;
        (self.ledger, self.customers) = self.place.open_both().await;
    }

    pub async fn close(&self) {
        self.ledger.close().await;
        self.customers.close().await;
    }

    pub fn hours_ago(&self, hours: i64) -> Timestamp {
        self.now - hours.hours()
    }

    /// Whatever is older than so many hours may go.
    pub fn older_than(&self, hours: i64) -> RemovalBounds {
        let before = self.hours_ago(hours);
        RemovalBounds { before: Some(before), versions_before: Some(before) }
    }

    pub fn request(&self, at: Timestamp, version: &str) -> NewRequest {
        let id = CallId::new(uuid::Uuid::now_v7().to_string());
        NewRequest {
            trigger: TriggerName::new("hook"),
            credential: "test".into(),
            received_at: at,
            version: VersionId::new(version),
            body_digest: [0; 32],
            request: None,
            idempotency: None,
            calls: vec![NewCall { id, expires_at: None, params: "{}".into(), deduplication: None }],
            gate: None,
            rate: None,
            trace: None,
        }
    }

    /// A call of then, which nobody has matched yet.
    pub async fn call(&self, at: Timestamp, version: &str) -> (CallId, i64) {
        let admitted = self.ledger.calls.accept(self.request(at, version)).await.unwrap();
        let Admitted::Accepted(Answer { id, .. }) = admitted else { panic!("it is new: {admitted:?}") };
        let seq = self.ledger.calls.get(&id).await.unwrap().unwrap().seq;
        (id, seq)
    }

    /// A call of then, with a run that has opened a delivery for each of its customers.
    pub async fn run(&self, at: Timestamp, version: &str, customers: &[i64]) -> Begun {
        let (call, seq) = self.call(at, version).await;
        let matched = Matched { fired: vec![ScenarioName::new("alert")], not_fired: Vec::new() };
        let run = self.ledger.runs.begin_runs(seq, matched, "one", at).await.unwrap()[0];
        let begun = Begun { call, seq, run, customers: customers.to_vec() };
        let chunks: Vec<Vec<CustomerKey>> = customers
            .chunks(A_CHUNK)
            .map(|some| some.iter().map(|key| CustomerKey(*key)).collect())
            .collect();
        let audience = self.ledger.runs.set_audience(run, Arc::new(chunks), "by hand".into(), "one");
        audience.await.unwrap();
        for n in 1..begun.chunks() {
            self.ledger.runs.take_chunk(ChunkId { run, n }, "one").await.unwrap();
        }
        let openings = begun.customers.iter().enumerate().map(|(place, key)| SendIntent {
            id: begun.delivery(*key),
            channel: ChannelName::new("sms"),
            chunk: u32::try_from(place / A_CHUNK).unwrap(),
            fence: Fence(1),
            attempt: 1,
            is_retry: false,
            address: "+43".into(),
            digest: MessageDigest([7; 16]),
            predecessor: None,
            segments: None,
        });
        let step = Step { at, openings: openings.collect(), ..Step::default() };
        let committed = self.ledger.deliveries.commit(Arc::new(step)).await.unwrap();
        assert!(committed.opened.iter().all(|opened| *opened == Opened::Yes), "{committed:?}");
        begun
    }

    pub async fn bring(&self, begun: &Begun, state: DeliveryState) {
        let outcomes = begun.customers.iter().map(|key| Outcome {
            id: begun.delivery(*key),
            attempt: 1,
            fence: Fence(1),
            attempts_counted: 1,
            state,
            maybe_sent: state == DeliveryState::Held,
            provider_id: None,
            reason: None,
            retry_at: None,
            advanced: true,
        });
        let step = Step { at: self.now, outcomes: outcomes.collect(), ..Step::default() };
        self.ledger.deliveries.commit(Arc::new(step)).await.unwrap();
    }

    /// All its deliveries come to this state, and the run to its end.
    pub async fn end(&self, begun: &Begun, state: DeliveryState) {
        self.bring(begun, state).await;
        for (n, some) in (0..).zip(begun.customers.chunks(A_CHUNK)) {
            let chunk = ChunkId { run: begun.run, n };
            let mut counts = RunCounts::default();
            counts.journeys.add(JourneyEnd::Messaged, some.len() as u64);
            counts.add_deliveries(NodeIndex(0), state, some.len() as u64);
            let finished = self.ledger.runs.finish_chunk(chunk, Fence(1), some.len(), &counts);
            assert!(finished.await.unwrap());
        }
        assert!(self.ledger.runs.end_run(begun.run, RunState::Done, None, self.now).await.unwrap());
    }

    /// A call of then that came to its end.
    pub async fn done(&self, at: Timestamp, version: &str, customers: &[i64]) -> Begun {
        let begun = self.run(at, version, customers).await;
        self.end(&begun, DeliveryState::Sent).await;
        begun
    }

    /// Goes over all that is old; gives how many rows of which kinds went.
    pub async fn remove(&self, bounds: RemovalBounds) -> Vec<(RowKind, u64)> {
        all_removed(self.ledger.retention.as_ref(), bounds).await
    }

    pub async fn knows(&self, call: &CallId) -> bool {
        self.ledger.calls.get(call).await.unwrap().is_some()
    }

    pub fn count(&self, sql: &str) -> i64 {
        self.place.count(sql)
    }

    /// What must hold whenever somebody looks: whatever is found is whole, and adds up.
    pub async fn assert_whole(&self, calls: &[Begun]) {
        for (what, sql) in [
            (
                "a run without its call",
                "SELECT count(*) FROM run r WHERE NOT EXISTS (SELECT 1 FROM call c WHERE c.seq = r.call)",
            ),
            (
                "a call without its run",
                "SELECT count(*) FROM call c WHERE c.state = 2 AND NOT EXISTS (SELECT 1 FROM run r WHERE r.call = c.seq)",
            ),
            (
                "an audience that is not its chunks",
                "SELECT count(*) FROM run r WHERE r.audience <> (SELECT coalesce(sum(k.size), 0) FROM chunk k WHERE k.run = r.id)",
            ),
            (
                "an audience that is not its deliveries",
                "SELECT count(*) FROM run r WHERE r.audience <> (SELECT count(*) FROM delivery d WHERE d.run = r.id)",
            ),
            (
                "a chunk without its customers",
                "SELECT count(*) FROM chunk k WHERE NOT EXISTS (SELECT 1 FROM chunk_customers s WHERE s.run = k.run AND s.n = k.n)",
            ),
        ] {
            assert_eq!(self.count(sql), 0, "{what}");
        }
        for begun in calls {
            let runs = self.ledger.log.runs_of_call(&begun.call).await.unwrap();
            let is_known = self.knows(&begun.call).await;
            assert_eq!(runs.len(), usize::from(is_known), "a call with its run, or neither");
            for run in runs {
                let deliveries: u64 = run.run_counts.by_state().values().sum();
                assert_eq!(run.audience, Some(begun.customers.len() as u64));
                assert_eq!(deliveries, begun.customers.len() as u64, "{run:?}");
            }
        }
    }
}

impl Begun {
    pub fn delivery(&self, customer: i64) -> DeliveryId {
        DeliveryId::to_only_target(self.run, CustomerKey(customer), NodeIndex(0))
    }

    pub fn chunks(&self) -> u32 {
        u32::try_from(self.customers.len().div_ceil(A_CHUNK)).unwrap()
    }
}

/// Goes over all that is old in a store.
pub async fn all_removed(store: &dyn RetentionStore, bounds: RemovalBounds) -> Vec<(RowKind, u64)> {
    let mut removal = store.begin_removal(bounds).await.unwrap().expect("nobody else removes");
    let mut removed = std::collections::BTreeMap::new();
    for _ in 0..10_000 {
        let RemovedBatch { rows, is_more } = removal.next_batch(false).await.unwrap();
        for (kind, rows) in rows {
            *removed.entry(kind).or_insert(0) += rows;
        }
        if !is_more {
            removal.end().await;
            return removed.into_iter().collect();
        }
    }
    panic!("it never ends: {removed:?}");
}

/// A key that is valid for so long.
pub fn key(key: &str, at: Timestamp, valid: Duration) -> NewKey {
    NewKey { scope: "hook".into(), key: key.into(), expires_at: at + valid }
}

impl World {
    /// The only number that a statement gives from the customers' tables.
    pub fn count_of_customers(&self, sql: &str) -> i64 {
        match &self.place {
            Place::Postgres(..) => self.count(sql),
            Place::Sqlite(folder) => {
                let database = rusqlite::Connection::open(folder.path().join("customers.db")).unwrap();
                crate::harness::rows_of(&database, sql)[0][0].as_ref().unwrap().parse().unwrap()
            }
        }
    }

    /// Writes past the traits.
    pub async fn execute(&self, sql: &str) {
        match &self.place {
            Place::Postgres(..) => self.place.session().await.batch_execute(sql).await.unwrap(),
            Place::Sqlite(folder) => {
                let database = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
                database.busy_timeout(Duration::from_secs(5)).unwrap();
                database.execute_batch(sql).unwrap();
            }
        }
    }
}
