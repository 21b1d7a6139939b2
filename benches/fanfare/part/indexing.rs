//! What building an index does to those who call meanwhile.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::domain::selection::IndexNeed;
use fanfare::store::audiences::{Audiences, IndexProgress};
use fanfare::store::sqlite::{Ledger, SqliteCustomers};
use http::StatusCode;

use crate::endpoint::Endpoint;
use crate::report::{Report, median};
use crate::traffic::{self, Load, Pace};
use crate::world::World;
use crate::world::base::Base;

const PER_SECOND: u64 = 1_000;
const CONNECTIONS: usize = 64;
const REPEATS: usize = 3;
const LENGTH: Duration = Duration::from_secs(5);

/// Measures ingest's p99 at a steady thousand calls a second: at rest, then while an index on every customer fills.
pub async fn run(report: &mut Report, world: &World) {
    let data = match world.base() {
        Base::Files(data) => data.clone(),
        Base::Server(_) => unreachable!("this part is about files"),
    };
    let (endpoint, store) = std::thread::spawn(move || start(&data)).join().expect("an endpoint starts");
    let alone = filling_time(&store, those_without_load()).await;
    let name = format!(
        "three indexes on attributes and one on an event of {} customers each, nobody calling",
        world.count
    );
    report.add(&name, alone.as_secs_f64(), "s");
    let (mut at_rest, mut building) = (vec![], vec![]);
    for attribute in ["last_name", "email", "phone"].into_iter().take(REPEATS) {
        let need = BTreeSet::from([IndexNeed::Attribute { path: vec![attribute.into()] }]);
        at_rest.push(load(&endpoint).await.percentile(0.99));
        let (filled, mut load) = tokio::join!(filling_time(&store, need), load(&endpoint));
        eprintln!("the index on {attribute} filled in {:.1} s", filled.as_secs_f64());
        load.samples.retain(|sample| sample.due < filled);
        building.push(load.percentile(0.99));
    }
    report.compare(
        "ingest p99 at 1,000 calls/s while an index is built",
        median(building),
        "ms",
        median(at_rest),
    );
    tokio::task::spawn_blocking(move || drop(endpoint)).await.expect("the endpoint ends");
}

async fn load(endpoint: &Endpoint) -> Load {
    let pace = Pace::Open { per_second: PER_SECOND, length: LENGTH };
    let load =
        traffic::send(endpoint.address, CONNECTIONS, pace, StatusCode::ACCEPTED, endpoint.calls()).await;
    assert!(load.others.is_empty(), "{} calls were not accepted", load.others.len());
    load
}

fn those_without_load() -> BTreeSet<IndexNeed> {
    let attributes =
        ["first_name", "city", "age"].map(|name| IndexNeed::Attribute { path: vec![name.into()] });
    let seats = IndexNeed::EventProperty { event_type: "ticket_purchased".into(), property: "seat".into() };
    attributes.into_iter().chain([seats]).collect()
}

async fn filling_time(store: &SqliteCustomers, needs: BTreeSet<IndexNeed>) -> Duration {
    let start = Instant::now();
    store.require_indexes(needs.clone()).await.expect("the store takes it");
    loop {
        let states = store.index_states().await.expect("the store answers");
        let complete = states.iter().filter(|state| state.progress == IndexProgress::Complete);
        if complete.filter(|state| needs.contains(&state.need)).count() == needs.len() {
            return start.elapsed();
        }
        assert!(start.elapsed() < Duration::from_secs(300), "the index is not complete after 5 minutes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn start(data: &Path) -> (Endpoint, Arc<SqliteCustomers>) {
    let runtime = crate::own_threads();
    let (ledger, store) = {
        let _entered = runtime.enter();
        let store = SqliteCustomers::open(&data.join("customers.db")).expect("it was made before");
        (Ledger::open(data).expect("the folder can be written"), Arc::new(store))
    };
    (Endpoint::start(runtime, Arc::new(ledger), store.clone()), store)
}
