//! Statements that take long, and whoever waits for them no longer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::store::calls::{CallFilter, Calls};
use fanfare::store::customers::Customers;
use fanfare::store::postgres::{PostgresCustomers, PostgresDatabase, PostgresLedger};
use serde_json::json;
use tokio::time::timeout;

use crate::customers::{customer, event};
use crate::harness::Place;

/// How many statements the server works on that read a slow table.
const AT_WORK: &str = "SELECT count(*)::text FROM pg_stat_activity
    WHERE state = 'active' AND wait_event = 'PgSleep' AND application_name = $1";

/// Whoever reads the table from now on waits.
async fn slow_down(place: &Place, table: &str) {
    let slow = format!(
        "ALTER TABLE {table} RENAME TO {table}_kept;
         CREATE VIEW {table} AS SELECT k.* FROM pg_sleep(60) s LEFT JOIN {table}_kept k ON true OFFSET 0"
    );
    place.session().await.batch_execute(&slow).await.unwrap();
}

async fn open(name: &str) -> (Place, Arc<PostgresDatabase>) {
    let place = Place::postgres();
    let Place::Postgres(url, tenant) = &place else { unreachable!("it is one") };
    let address = format!("{url}?application_name={name}").parse().unwrap();
    let database = Arc::new(PostgresDatabase::open(&address, tenant).await.unwrap());
    (place, database)
}

#[tokio::test]
async fn a_statement_ends_when_whoever_asked_hangs_up() {
    let (place, database) = open("hangs-up").await;
    let store = PostgresCustomers::open(database);
    slow_down(&place, "customer").await;
    for _ in 0..12 {
        assert!(timeout(Duration::from_millis(200), store.count_customers()).await.is_err());
    }
    let session = place.session().await;
    let began = Instant::now();
    loop {
        let at_work: String = session.query_one(AT_WORK, &[&"hangs-up"]).await.unwrap().get(0);
        if at_work == "0" {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{at_work} are at work for nobody");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    store.close().await;
}

#[tokio::test]
async fn readers_of_the_log_leave_connections_to_customers() {
    let (place, database) = open("reads-the-log").await;
    let ledger = Arc::new(PostgresLedger::open(Arc::clone(&database)).await.unwrap());
    let store = PostgresCustomers::open(database);
    slow_down(&place, "call").await;
    let read = || {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { ledger.list(CallFilter { limit: 10, ..CallFilter::default() }).await })
    };
    let mut reads: Vec<_> = (0..10).map(|_| read()).collect();
    let began = Instant::now();
    // Those that find no place are told so before long, and none of them has a connection that others need.
    let refused = loop {
        assert!(began.elapsed() < Duration::from_secs(10), "nobody is refused");
        store.count_customers().await.unwrap();
        if let Some(place) = reads.iter().position(tokio::task::JoinHandle::is_finished) {
            break reads.swap_remove(place).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(refused.as_ref().is_err_and(|error| error.is_transient()), "{refused:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    reads.iter().for_each(tokio::task::JoinHandle::abort);
    store.close().await;
}

/// Whoever brings a batch is told to come back after this at most, as docs/choose-a-store.md says, and a busy machine is
/// given a little more.
const REFUSED_WITHIN: Duration = Duration::from_secs(8 + 3);

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_wait_for_others_are_refused_in_time_however_many_there_are() {
    let (place, database) = open("waits").await;
    let store = Arc::new(PostgresCustomers::open(database));
    store.upsert_customers(vec![customer("ann", &json!({}))]).await.unwrap();
    let other = place.session().await;
    other
        .batch_execute("BEGIN; LOCK TABLE customer, event, identity IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    // More than there are connections, so that some wait for one.
    let batches = (0..24).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(timeout(REFUSED_WITHIN, async move {
            let name = format!("c{n}");
            match n % 2 {
                0 => store.upsert_customers(vec![customer(&name, &json!({}))]).await,
                _ => store.insert_events(vec![event(&name, "view", 1, &json!({}))]).await,
            }
        }))
    });
    for batch in futures_util::future::join_all(batches).await {
        let answer = batch.unwrap().expect("an answer in time");
        assert!(answer.as_ref().is_err_and(|error| error.is_transient()), "{answer:?}");
    }
    other.batch_execute("ROLLBACK").await.unwrap();
    let again = async || store.insert_events(vec![event("late", "view", 1, &json!({}))]).await.is_ok();
    crate::harness::until_true("a batch that is taken", again).await;
    store.close().await;
}
