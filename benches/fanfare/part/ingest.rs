//! Durable ingest: calls on disk before their 202, beside the same server that keeps nothing.

use std::sync::Arc;
use std::time::Duration;

use fanfare::store::calls::Calls;
use fanfare::store::postgres::{PostgresDatabase, PostgresLedger, Tenant};
use fanfare::store::sqlite::{Ledger, SqliteCustomers};
use http::StatusCode;

use crate::endpoint::Endpoint;
use crate::forgetful::Forgetful;
use crate::harness::Postgres;
use crate::report::{Report, median};
use crate::traffic::{self, Load, Pace};

const CONNECTIONS: usize = 128;
const REPEATS: usize = 5;

/// Measures on files.
pub async fn run(report: &mut Report) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let durable = endpoint(folder.path(), Kept::InFiles);
    measure(report, "durable ingest, 128 connections", durable, folder.path()).await;
    report.add("fdatasync of 4 KiB, median", fsync_time(folder.path()), "ms");
}

/// Measures on a server.
pub async fn run_on(report: &mut Report, server: &Postgres) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let durable = endpoint(folder.path(), Kept::OnServer(server.url().to_owned()));
    measure(report, "durable ingest on PostgreSQL, 128 connections", durable, folder.path()).await;
}

/// Measures by turns, so that both see the same machine.
async fn measure(report: &mut Report, name: &str, durable: Endpoint, folder: &std::path::Path) {
    let length = Duration::from_millis(crate::scaled(4_000));
    let forgetful = endpoint(folder, Kept::Nowhere);
    let (mut kept, mut unkept, mut p50, mut p99) = (vec![], vec![], vec![], vec![]);
    for _ in 0..REPEATS {
        unkept.push(closed(&forgetful, length).await.rate());
        let load = closed(&durable, length).await;
        kept.push(load.rate());
        p50.push(load.percentile(0.5));
        p99.push(load.percentile(0.99));
    }
    report.compare(name, median(kept), "calls/s", median(unkept));
    report.add(&format!("{name}, p50"), median(p50), "ms");
    report.add(&format!("{name}, p99"), median(p99), "ms");
    tokio::task::spawn_blocking(move || drop((durable, forgetful))).await.expect("endpoints end");
}

async fn closed(endpoint: &Endpoint, length: Duration) -> Load {
    let accepted = StatusCode::ACCEPTED;
    let load =
        traffic::send(endpoint.address, CONNECTIONS, Pace::For(length), accepted, endpoint.calls()).await;
    assert!(
        load.others.is_empty(),
        "{} calls were not accepted, the first with {}",
        load.others.len(),
        load.others[0]
    );
    load
}

/// Where an endpoint keeps its calls.
enum Kept {
    Nowhere,
    InFiles,
    OnServer(String),
}

async fn ledger_on(url: &str) -> Arc<dyn Calls> {
    let tenant = Tenant::new(&Postgres::tenant_name()).expect("a tenant's name");
    let database =
        PostgresDatabase::open(&url.parse().expect("a URL"), &tenant).await.expect("the server takes it");
    Arc::new(PostgresLedger::open(Arc::new(database)).await.expect("the server takes it"))
}

fn endpoint(folder: &std::path::Path, kept: Kept) -> Endpoint {
    let folder = folder.join(if matches!(kept, Kept::Nowhere) { "forgetful" } else { "durable" });
    std::fs::create_dir_all(&folder).expect("a temporary folder can be written");
    let start = move || {
        let runtime = crate::own_threads();
        let (calls, customers) = {
            let _entered = runtime.enter();
            let customers = SqliteCustomers::open(&folder.join("customers.db")).expect("a fresh file");
            let calls: Arc<dyn Calls> = match kept {
                Kept::InFiles => Arc::new(Ledger::open(&folder).expect("a fresh file")),
                Kept::OnServer(url) => runtime.block_on(ledger_on(&url)),
                Kept::Nowhere => Arc::new(Forgetful::default()),
            };
            (calls, Arc::new(customers))
        };
        Endpoint::start(runtime, calls, customers)
    };
    std::thread::spawn(start).join().expect("an endpoint starts")
}

/// What one commit waits for on this disk: 200 appends, each made durable.
fn fsync_time(folder: &std::path::Path) -> f64 {
    use std::io::Write;
    let mut file = std::fs::File::create(folder.join("append")).expect("a temporary folder can be written");
    let append = |_| {
        let start = std::time::Instant::now();
        file.write_all(&[0; 4096]).expect("there is room");
        file.sync_data().expect("the disk works");
        start.elapsed().as_secs_f64() * 1e3
    };
    median((0..200).map(append).collect())
}
