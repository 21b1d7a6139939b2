//! A store, two providers, and an engine that can be killed and started again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::domain::name::{CallId, ChannelName, TriggerName, VersionId};
use fanfare::domain::state::CallState;
use fanfare::domain::value::Value;
use fanfare::runtime::engine::dispatch::{ChannelHandle, ChannelHandles, OnUnknown, RetryPolicy};
use fanfare::runtime::engine::live::VersionSource;
use fanfare::runtime::engine::run::RenderPool;
use fanfare::runtime::engine::{Clock, Deps, Engine, RunningEngine};
use fanfare::store::calls::{CallFilter, NewCall, NewRequest};
use fanfare::store::customers::CustomerWrite;
use jiff::Timestamp;

use crate::books::Books;
use crate::harness::{Ledger, Place, Store};
use crate::provider::{Manner, Provider, Record};

/// How many deliveries a channel of a world may have open.
pub const WINDOW: usize = 64;

pub struct World {
    pub place: Place,
    pub ledger: Ledger,
    pub customers: Arc<dyn Store>,
    pub books: Arc<Books>,
    pub record: Record,
    pub channels: ChannelHandles,
}

/// Channels by name.
pub type Providers = HashMap<ChannelName, Arc<ChannelHandle>>;

/// Some deliveries that are not at their end, with what they wait for.
const OPEN: &str = "SELECT run, customer, node, state, attempt, last_at, retry_at, reason, c.n, c.owner
    FROM delivery d LEFT JOIN chunk c USING (run) WHERE d.state IN (0, 1, 2) AND c.state = 0 LIMIT 8";

/// Everything the ledger says about deliveries: (run, customer, node, state, reason).
pub type Row = (i64, i64, i64, i64, Option<String>);

/// What an engine on these works with.
pub fn deps(
    ledger: &Ledger,
    customers: &Arc<dyn Store>,
    versions: Arc<dyn VersionSource>,
    channels: ChannelHandles,
) -> Deps {
    let ledger = ledger.clone();
    Deps {
        calls: ledger.calls,
        runs: ledger.runs,
        log: ledger.log,
        replicas: ledger.replicas,
        pauses: ledger.pauses,
        rates: ledger.rates,
        deliveries: ledger.deliveries,
        customers: customers.clone(),
        audiences: customers.clone(),
        versions,
        channels,
        metrics: Arc::default(),
        crash_markers: Arc::default(),
        render_pool: RenderPool::default(),
        owner: uuid::Uuid::now_v7().to_string().into(),
        clock: Clock::system(),
    }
}

impl World {
    pub async fn new(place: Place) -> World {
        let (ledger, customers) = place.open_both().await;
        let (books, record, channels) = (Arc::default(), Record::default(), ChannelHandles::default());
        World { place, ledger, customers, books, record, channels }
    }

    /// `sms` holds unknowns, `mail` sends them again.
    pub fn connect(&self, sms: Manner, mail: Manner) {
        self.channels.store(Arc::new(self.providers(["sms", "mail"], sms, mail)));
    }

    /// The same with windows and concurrency left out, the latter up to this.
    pub fn connect_adaptive(&self, sms: Manner, mail: Manner, concurrency_max: usize) {
        let mut handles = self.providers(["sms", "mail"], sms, mail);
        for handle in handles.values_mut() {
            let (channel, retry) = (Arc::clone(&handle.channel), handle.retry);
            *handle = Arc::new(ChannelHandle {
                provider_health: Default::default(),
                channel,
                window: None,
                concurrency: None,
                concurrency_max,
                per_second: None,
                retry,
            });
        }
        self.channels.store(Arc::new(handles));
    }

    /// The two channels, whose providers write these names into the record.
    pub fn providers(&self, names: [&'static str; 2], sms: Manner, mail: Manner) -> Providers {
        let handle = |name, manner, on_unknown| {
            let provider = Provider { name, record: Arc::clone(&self.record), manner };
            let retry = RetryPolicy { attempts_max: 5, retry_for: Duration::from_secs(3600), on_unknown };
            Arc::new(ChannelHandle {
                provider_health: Default::default(),
                channel: Arc::new(provider),
                window: Some(WINDOW),
                concurrency: Some(16),
                concurrency_max: 16,
                per_second: None,
                retry,
            })
        };
        let mut handles = HashMap::new();
        handles.insert(ChannelName::new("sms"), handle(names[0], sms, OnUnknown::Hold));
        handles.insert(ChannelName::new("mail"), handle(names[1], mail, OnUnknown::Resend));
        handles
    }

    pub fn start(&self) -> RunningEngine {
        self.start_on(&self.ledger, &self.customers, &self.channels)
    }

    /// An engine on a ledger, customers and channels that may be a replica's own.
    pub fn start_on(
        &self,
        ledger: &Ledger,
        customers: &Arc<dyn Store>,
        channels: &ChannelHandles,
    ) -> RunningEngine {
        Engine::start(deps(ledger, customers, self.books.clone(), Arc::clone(channels)))
    }

    /// Customers `c0…` with moods of the given function.
    pub async fn populate(&self, count: i64, mood: impl Fn(i64) -> i64) {
        let line = |n: i64| CustomerWrite {
            registered: format!("c{n}"),
            attributes: [("mood".to_owned(), Some(Value::integer(mood(n))))].into_iter().collect(),
            ..CustomerWrite::default()
        };
        self.customers.upsert_customers((0..count).map(line).collect()).await.unwrap();
    }

    pub async fn call(&self, scenarios: &str, expires_at: Option<Timestamp>) -> CallId {
        self.call_with("{}".into(), scenarios, expires_at).await
    }

    /// A call whose params are kept as this text.
    pub async fn call_with(&self, params: String, scenarios: &str, expires_at: Option<Timestamp>) -> CallId {
        let id = CallId::new(uuid::Uuid::now_v7().to_string());
        let call = NewCall { id: id.clone(), expires_at, params, deduplication: None };
        let request = NewRequest {
            trigger: TriggerName::new(scenarios),
            credential: "test".into(),
            received_at: Timestamp::now(),
            version: VersionId::new("v"),
            body_digest: [0; 32],
            request: None,
            idempotency: None,
            calls: vec![call],
            gate: None,
            rate: None,
            trace: None,
        };
        self.ledger.calls.accept(request).await.unwrap();
        id
    }

    /// Waits until the call is at its end; gives its state's word.
    pub async fn until_ended(&self, id: &CallId, most: Duration) -> &'static str {
        let deadline = Instant::now() + most;
        loop {
            let call = self.ledger.calls.get(id).await.unwrap().unwrap();
            if call.finished_at.is_some() {
                return call.state.word();
            }
            assert!(
                Instant::now() < deadline,
                "{id} is not at its end: {:?}; of what is open at {}: {:?}",
                self.counts(),
                Timestamp::now().as_microsecond(),
                self.place.look(OPEN),
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The calls that are found in a state, newest first.
    pub async fn listed_as(&self, state: CallState) -> Vec<CallId> {
        let filter = CallFilter { state: Some(state), limit: 100, ..CallFilter::default() };
        self.ledger.calls.list(filter).await.unwrap().into_iter().map(|call| call.id).collect()
    }

    pub fn rows(&self) -> Vec<Row> {
        let sql = "SELECT run, customer, node, state, reason FROM delivery ORDER BY 1, 2, 3";
        let number = |cell: &Option<String>| cell.as_ref().unwrap().parse().unwrap();
        let row = |row: &Vec<Option<String>>| {
            (number(&row[0]), number(&row[1]), number(&row[2]), number(&row[3]), row[4].clone())
        };
        self.place.look(sql).iter().map(row).collect()
    }

    /// Deliveries by (node, state).
    pub fn counts(&self) -> BTreeMap<(i64, i64), usize> {
        let mut counts = BTreeMap::new();
        for (_, _, node, state, _) in self.rows() {
            *counts.entry((node, state)).or_default() += 1;
        }
        counts
    }

    /// The counts of a run as its chunks tell them.
    pub fn journeys(&self, run: i64) -> BTreeMap<String, i64> {
        let mut sums = BTreeMap::new();
        for row in
            self.place.look(&format!("SELECT counts FROM chunk WHERE run = {run} AND counts IS NOT NULL"))
        {
            let counts: serde_json::Value = serde_json::from_str(row[0].as_ref().unwrap()).unwrap();
            for (end, count) in counts["journeys"].as_object().unwrap() {
                *sums.entry(end.clone()).or_default() += count.as_i64().unwrap();
            }
        }
        sums
    }

    pub fn audience(&self, run: i64) -> i64 {
        self.place.count(&format!("SELECT audience FROM run WHERE id = {run}"))
    }
}
