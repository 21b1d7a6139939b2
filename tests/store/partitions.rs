//! Deliveries by the day their call was accepted: made ahead, landed in, and dropped whole.

use std::sync::Arc;

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::{DeliveryId, MessageDigest};
use fanfare::domain::name::{CallId, ChannelName, NodeIndex, RunId, ScenarioName, TriggerName, VersionId};
use fanfare::domain::run_counts::RunCounts;
use fanfare::domain::state::{DeliveryState, RunState};
use fanfare::store::calls::{Calls, NewCall, NewRequest};
use fanfare::store::deliveries::{Deliveries, Opened, Outcome, SendIntent, Step};
use fanfare::store::postgres::{PostgresDatabase, PostgresLedger, Tenant};
use fanfare::store::runs::{ChunkId, Fence, Matched, Runs};
use jiff::{Timestamp, ToSpan};

use crate::harness::Postgres;
use crate::schema::{session, until_asked};

struct World {
    tenant: Tenant,
    ledger: PostgresLedger,
    /// Noon of the day on which the ledger was opened: all days are counted from there, should another begin meanwhile.
    noon: Timestamp,
    session: tokio_postgres::Client,
}

async fn open(tenant: &Tenant) -> PostgresLedger {
    open_as(tenant, "partitions").await
}

async fn open_as(tenant: &Tenant, application: &str) -> PostgresLedger {
    let url = format!("{}?application_name={application}", Postgres::shared().url());
    let address = url.parse().unwrap();
    PostgresLedger::open(Arc::new(PostgresDatabase::open(&address, tenant).await.unwrap())).await.unwrap()
}

/// Noon of the day in UTC.
fn noon_of(at: Timestamp) -> Timestamp {
    let days = at.as_second().div_euclid(86_400);
    Timestamp::from_second(days * 86_400 + 43_200).unwrap()
}

fn name(at: Timestamp) -> String {
    format!("delivery_{}", at.strftime("%Y%m%d"))
}

impl World {
    async fn new() -> World {
        let tenant = Postgres::tenant();
        let before = Timestamp::now();
        let ledger = open(&tenant).await;
        let after = Timestamp::now();
        let session = session(&tenant).await;
        let mut world = World { tenant, ledger, session, noon: noon_of(before) };
        if !world.partitions().await.contains(&name(before)) {
            world.noon = noon_of(after);
        }
        world
    }

    fn day(&self, days: i64) -> Timestamp {
        self.noon + (24 * days).hours()
    }

    async fn partitions(&self) -> Vec<String> {
        let asked = "SELECT inhrelid::regclass::text FROM pg_inherits
            WHERE inhparent = 'delivery'::regclass ORDER BY 1";
        self.session.query(asked, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// A run with one delivery under way, of a call accepted then.
    async fn run(&self, at: Timestamp) -> DeliveryId {
        let id = CallId::new(uuid::Uuid::now_v7().to_string());
        let call = NewCall { id: id.clone(), expires_at: None, params: "{}".into(), deduplication: None };
        let request = NewRequest {
            trigger: TriggerName::new("hook"),
            credential: "test".into(),
            received_at: at,
            version: VersionId::new("v"),
            body_digest: [0; 32],
            request: None,
            idempotency: None,
            calls: vec![call],
            gate: None,
            rate: None,
            trace: None,
        };
        self.ledger.accept(request).await.unwrap();
        let seq = self.ledger.get_call(&id).await;
        let matched = Matched { fired: vec![ScenarioName::new("alert")], not_fired: Vec::new() };
        let run = self.ledger.begin_runs(seq, matched, "one", Timestamp::now()).await.unwrap()[0];
        let chunks = Arc::new(vec![vec![CustomerKey(1)]]);
        self.ledger.set_audience(run, chunks, "by hand".into(), "one").await.unwrap();
        let id = DeliveryId::to_only_target(run, CustomerKey(1), NodeIndex(0));
        let opening = SendIntent {
            id,
            channel: ChannelName::new("sms"),
            chunk: 0,
            fence: Fence(1),
            attempt: 1,
            is_retry: false,
            address: "+43".into(),
            digest: MessageDigest([7; 16]),
            predecessor: None,
            segments: None,
        };
        let step = Step { at: Timestamp::now(), openings: vec![opening], ..Step::default() };
        assert_eq!(self.ledger.commit(Arc::new(step)).await.unwrap().opened, [Opened::Yes]);
        id
    }

    /// The delivery comes to this state, and its run to its end.
    async fn end(&self, id: DeliveryId, state: DeliveryState) {
        let outcome = Outcome {
            id,
            attempt: 1,
            fence: Fence(1),
            attempts_counted: 1,
            state,
            maybe_sent: state == DeliveryState::Held,
            provider_id: None,
            reason: None,
            retry_at: None,
            advanced: true,
        };
        let step = Step { at: Timestamp::now(), outcomes: vec![outcome], ..Step::default() };
        self.ledger.commit(Arc::new(step)).await.unwrap();
        let chunk = ChunkId { run: id.run, n: 0 };
        assert!(self.ledger.finish_chunk(chunk, Fence(1), 1, &RunCounts::default()).await.unwrap());
        assert!(self.ledger.end_run(id.run, RunState::Done, None, Timestamp::now()).await.unwrap());
    }

    /// Where a run's deliveries are kept.
    async fn kept_in(&self, run: RunId) -> Vec<String> {
        let asked = "SELECT tableoid::regclass::text FROM delivery WHERE run = $1";
        self.session.query(asked, &[&run.0]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }
}

/// The number of a call, which the trait for reading gives.
trait ByCall {
    async fn get_call(&self, id: &CallId) -> i64;
}

impl ByCall for PostgresLedger {
    async fn get_call(&self, id: &CallId) -> i64 {
        Calls::get(self, id).await.unwrap().unwrap().seq
    }
}

#[tokio::test]
async fn there_are_partitions_for_today_and_days_to_come_and_deliveries_land_in_them() {
    let world = World::new().await;
    let partitions = world.partitions().await;
    for days in 0..=2 {
        assert!(partitions.contains(&name(world.day(days))), "{partitions:?}");
    }
    assert!(partitions.contains(&"delivery_default".to_owned()), "{partitions:?}");
    for days in [0, 1] {
        let id = world.run(world.day(days)).await;
        assert_eq!(world.kept_in(id.run).await, [name(world.day(days))]);
    }
    world.ledger.close().await;
}

/// Nobody could make the partition in time: its deliveries came to the default, and stay there.
#[tokio::test]
async fn a_day_whose_deliveries_came_to_the_default_goes_on_there() {
    let world = World::new().await;
    let tomorrow = name(world.day(1));
    world.session.batch_execute(&format!("DROP TABLE {tomorrow}")).await.unwrap();
    let first = world.run(world.day(1)).await;
    assert_eq!(world.kept_in(first.run).await, ["delivery_default"]);
    world.ledger.close().await;

    let world = World { ledger: open(&world.tenant).await, ..world };
    assert!(!world.partitions().await.contains(&tomorrow));
    let second = world.run(world.day(1)).await;
    assert_eq!(world.kept_in(second.run).await, ["delivery_default"]);
    world.end(second, DeliveryState::Sent).await;
    world.ledger.close().await;
}

#[tokio::test]
async fn who_finds_another_making_a_day_waits_for_it() {
    let world = World::new().await;
    let tomorrow = name(world.day(1));
    world.session.batch_execute(&format!("DROP TABLE {tomorrow}")).await.unwrap();
    let lock = "SELECT pg_advisory_lock(hashtextextended($1, 2))";
    world.session.query_one(lock, &[&format!("{}.{tomorrow}", world.tenant.schema())]).await.unwrap();
    let name = format!("waits-for-{}", world.tenant.schema());
    let opening = {
        let (tenant, name) = (world.tenant.clone(), name.clone());
        tokio::spawn(async move { open_as(&tenant, &name).await })
    };
    until_asked(&world.session, &name, "%to_regclass($1)%").await;
    assert!(!opening.is_finished());
    world.session.query_one("SELECT pg_advisory_unlock_all()::text", &[]).await.unwrap();
    opening.await.unwrap().close().await;
    assert!(world.partitions().await.contains(&tomorrow));
    world.ledger.close().await;
}
