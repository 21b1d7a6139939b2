//! `make bench`: how fast the main job is, as ratios taken side by side in one run.
//!
//! The load and the sinks run in this process, the server in its own, all on one machine over loopback. `BENCH_SCALE`
//! makes everything smaller while developing; arguments name the parts to run, all if there are none.

#[path = "../../tests/harness/mod.rs"]
mod harness;

mod endpoint;
mod forgetful;
mod part;
mod report;
mod sink;
mod traffic;
mod world;

use harness::Postgres;
use report::Report;
use world::World;

const PARTS: [&str; 11] = [
    "clients",
    "ingest",
    "broad",
    "narrow",
    "far",
    "indexing",
    "postgres-ingest",
    "postgres-broad",
    "postgres-narrow",
    "postgres-far",
    "postgres-replicas",
];

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        // `cargo test --all-targets` runs this too; there it shows only that it can be built.
        println!("run it by `make bench`");
        return;
    }
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let Some(unknown) = named.iter().find(|named| !PARTS.contains(&named.as_str())) {
        eprintln!("there is no part {unknown}; the parts are {}", PARTS.join(", "));
        std::process::exit(2);
    }
    let wanted = |name: &str| named.is_empty() || named.iter().any(|wanted| wanted == name);
    let runtime = tokio::runtime::Runtime::new().expect("a machine that can run threads");
    let mut report = Report::new();
    runtime.block_on(run(&mut report, wanted));
    report.finish("summary.json");
}

async fn run(report: &mut Report, wanted: impl Fn(&str) -> bool) {
    if wanted("clients") {
        part::clients::run(report).await;
    }
    if wanted("ingest") {
        part::ingest::run(report).await;
    }
    if ["broad", "narrow", "far", "indexing"].into_iter().any(&wanted) {
        on_files(report, &wanted).await;
    }
    if PARTS.into_iter().filter(|part| part.starts_with("postgres-")).any(&wanted) {
        on_postgres(report, &wanted).await;
    }
}

async fn on_files(report: &mut Report, wanted: impl Fn(&str) -> bool) {
    let large = World::make(scaled(1_000_000)).await;
    if wanted("broad") {
        part::broad::run(report, &large).await;
    }
    if wanted("narrow") {
        let small = World::make(scaled(100_000)).await;
        part::narrow::run(report, &large, &small, "").await;
    }
    if wanted("far") {
        part::far::run(report, &large, "").await;
    }
    if wanted("indexing") {
        part::indexing::run(report, &large).await;
    }
}

/// The same parts on a PostgreSQL server of its own, which shares the machine's cores.
async fn on_postgres(report: &mut Report, wanted: impl Fn(&str) -> bool) {
    let server = tokio::task::spawn_blocking(Postgres::own).await.expect("a server starts");
    if wanted("postgres-ingest") {
        part::ingest::run_on(report, &server).await;
    }
    if ["postgres-broad", "postgres-narrow", "postgres-far"].into_iter().any(&wanted) {
        let large = World::make_on(&server, scaled(1_000_000)).await;
        if wanted("postgres-broad") {
            part::broad::run_on_postgres(report, &large).await;
        }
        if wanted("postgres-narrow") {
            let small = World::make_on(&server, scaled(100_000)).await;
            part::narrow::run(report, &large, &small, "PostgreSQL: ").await;
        }
        if wanted("postgres-far") {
            part::far::run(report, &large, "PostgreSQL: ").await;
        }
    }
    if wanted("postgres-replicas") {
        let world = World::make_on(&server, scaled(200_000)).await;
        part::replicas::run(report, &world).await;
    }
    tokio::task::spawn_blocking(move || drop(server)).await.expect("the server ends");
}

/// A number of things, as far as `BENCH_SCALE` (1 if unset) allows; at least one.
fn scaled(number: u64) -> u64 {
    let scale = std::env::var("BENCH_SCALE").ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(1.0);
    ((number as f64 * scale) as u64).max(1)
}

/// Threads of its own for a server: what the binary would have.
fn own_threads() -> tokio::runtime::Runtime {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    threads.expect("a machine that can run threads")
}
