//! A store on disk, two providers, and an engine that can be killed and started again.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::domain::name::{CallId, ChannelName, TriggerName, VersionId};
use fanfare::domain::value::Value;
use fanfare::runtime::dispatch::{ChannelHandle, ChannelHandles, OnUnknown, RetryPolicy};
use fanfare::runtime::engine::{Deps, Engine, Running};
use fanfare::store::calls::{Calls, NewCall, NewRequest};
use fanfare::store::customers::{CustomerWrite, Customers};
use fanfare::store::sqlite::{Ledger, SqliteCustomers};
use jiff::Timestamp;

use crate::books::Books;
use crate::provider::{Manner, Provider, Record};

/// How many deliveries a channel of a world may have open.
pub const WINDOW: usize = 64;

pub struct World {
    pub folder: tempfile::TempDir,
    pub ledger: Ledger,
    pub customers: Arc<SqliteCustomers>,
    pub books: Arc<Books>,
    pub record: Record,
    pub channels: ChannelHandles,
}

/// Everything the ledger says about deliveries: (run, customer, node, state, reason).
pub type Row = (i64, i64, i64, i64, Option<String>);

impl World {
    pub fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        let customers = Arc::new(SqliteCustomers::open(&folder.path().join("customers.db")).unwrap());
        let channels = ChannelHandles::default();
        World { folder, ledger, customers, books: Arc::default(), record: Record::default(), channels }
    }

    /// `sms` holds unknowns, `mail` sends them again.
    pub fn connect(&self, sms: Manner, mail: Manner) {
        let handle = |name, manner, on_unknown| {
            let provider = Provider { name, record: Arc::clone(&self.record), manner };
            let retry = RetryPolicy { attempts_max: 5, retry_for: Duration::from_secs(3600), on_unknown };
            Arc::new(ChannelHandle {
                channel: Arc::new(provider),
                window: WINDOW,
                concurrency: 16,
                per_second: None,
                retry,
            })
        };
        let mut handles = HashMap::new();
        handles.insert(ChannelName::new("sms"), handle("sms", sms, OnUnknown::Hold));
        handles.insert(ChannelName::new("mail"), handle("mail", mail, OnUnknown::Resend));
        self.channels.store(Arc::new(handles));
    }

    pub fn start(&self) -> Running {
        Engine::start(Deps {
            calls: Arc::new(self.ledger.clone()),
            runs: Arc::new(self.ledger.clone()),
            log: Arc::new(self.ledger.clone()),
            replicas: Arc::new(self.ledger.clone()),
            rates: None,
            deliveries: Arc::new(self.ledger.clone()),
            customers: self.customers.clone(),
            audiences: self.customers.clone(),
            playbooks: self.books.clone(),
            channels: Arc::clone(&self.channels),
        })
    }

    /// Customers `c0…` with moods of the given function.
    pub async fn populate(&self, count: i64, mood: impl Fn(i64) -> i64) {
        let line = |n: i64| CustomerWrite {
            registered: format!("c{n}"),
            attributes: BTreeMap::from([("mood".to_owned(), Some(Value::integer(mood(n))))]),
            ..CustomerWrite::default()
        };
        self.customers.upsert_customers((0..count).map(line).collect()).await.unwrap();
    }

    pub async fn call(&self, scenarios: &str, expires_at: Option<Timestamp>) -> CallId {
        let id = CallId::new(uuid::Uuid::now_v7().to_string());
        let call = NewCall { id: id.clone(), expires_at, params: "{}".into(), deduplication: None };
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
        };
        self.ledger.accept(request).await.unwrap();
        id
    }

    /// Waits until the call is at its end; gives its state's word.
    pub async fn until_ended(&self, id: &CallId, most: Duration) -> &'static str {
        let deadline = Instant::now() + most;
        loop {
            let call = Calls::get(&self.ledger, id).await.unwrap().unwrap();
            if call.finished_at.is_some() {
                return call.state.word();
            }
            assert!(Instant::now() < deadline, "{id} is not at its end: {:?}", self.counts());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn database(&self) -> rusqlite::Connection {
        let path: PathBuf = self.folder.path().join("ledger.db");
        rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
    }

    pub fn rows(&self) -> Vec<Row> {
        let database = self.database();
        let mut statement = database
            .prepare("SELECT run, customer, node, state, reason FROM delivery ORDER BY 1, 2, 3")
            .unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Deliveries by (node, state).
    pub fn counts(&self) -> BTreeMap<(i64, i64), usize> {
        let mut counts = BTreeMap::new();
        for (_, _, node, state, _) in self.rows() {
            *counts.entry((node, state)).or_default() += 1;
        }
        counts
    }

    /// The counts of a run as its chunks tell them, and whether they equal its audience.
    pub fn journeys(&self, run: i64) -> BTreeMap<String, i64> {
        let database = self.database();
        let mut statement = database
            .prepare(
                "SELECT j.key, sum(j.value) FROM chunk, json_each(chunk.counts, '$.journeys') j
                 WHERE run = ?1 GROUP BY 1",
            )
            .unwrap();
        let rows = statement.query_map([run], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    pub fn audience(&self, run: i64) -> i64 {
        let database = self.database();
        database.query_row("SELECT audience FROM run WHERE id = ?1", [run], |row| row.get(0)).unwrap()
    }
}
