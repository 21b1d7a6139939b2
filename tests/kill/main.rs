//! The kill test: SIGKILL at random moments of a large run, while customers change, events arrive and scenarios are
//! edited. Afterwards the checker reads the sandbox's record and the database and finds every promise kept.
//!
//! `FANFARE_KILLS` (50), `FANFARE_KILL_CUSTOMERS` (20000) and `FANFARE_KILL_SEED` say how often, how large, and
//! which moments; the seed is printed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../checker/mod.rs"]
mod checker;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../story/mod.rs"]
mod story;

mod server;

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use checker::{Claims, Ledger, Record, check, planted, say_what_was_at_stake};
use harness::{Random, Sandbox, until};
use server::Server;
use story::{Customers, Manifests, Traffic, is_done};

const WINDOW: u32 = 128;
/// What is left to send when the kills are over takes no longer.
const END_DEADLINE: Duration = Duration::from_secs(300);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn kills_lose_nothing_and_double_nothing() {
    let (mut random, seed) = Random::of_seed_in("FANFARE_KILL_SEED");
    let kills = setting("FANFARE_KILLS", 50);
    let customers = Customers { north: setting("FANFARE_KILL_CUSTOMERS", 20_000) as u32 };
    println!("seed {seed}: {kills} kills, {} customers", customers.north);

    let folder = tempfile::tempdir().unwrap();
    // Kept when an assertion fails, for whoever looks for the reason; removed at the end of a good run.
    let folder = folder.keep();
    println!("in {}", folder.display());
    let claims = run(&folder, customers, kills, &mut random);
    let (record, ledger) = (Record::read(&folder.join("sandbox.ndjson")), Ledger::read(&folder.join("data")));
    let violations = check(&claims, &record, &ledger);
    assert!(violations.is_empty(), "seed {seed}, in {}: {violations:#?}", folder.display());
    say_what_was_at_stake(&record, &ledger);
    planted::are_found(&claims, &record, &ledger);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Lets the world go on while the server is killed, waits until everything has come to its end, and returns what
/// the driver was answered.
fn run(folder: &Path, customers: Customers, kills: u64, random: &mut Random) -> Claims {
    let manifests = Manifests::write(&folder.join("manifests"), customers, WINDOW, "retry: {attempts: 20}");
    manifests.add_follow_up();
    let sandbox = Sandbox::start(folder, &[]);
    let server = Server::start(&manifests.folder, &folder.join("data"), &sandbox);

    let (traffic, started, mut killed) = (Traffic::default(), Instant::now(), 0);
    std::thread::scope(|threads| {
        let (changes, events) = (random.fork(), random.fork());
        threads.spawn(|| traffic.call(&server));
        threads.spawn(|| traffic.change_customers(&server, customers, changes));
        threads.spawn(|| traffic.send_events(&server, customers, events));
        threads.spawn(|| traffic.edit(&manifests, Duration::from_millis(300)));
        killed = (0..kills).map(|_| kill_once(&server, random)).sum();
        traffic.over.store(true, Relaxed);
    });
    let killing = started.elapsed();
    let acknowledged: Vec<String> = traffic.acknowledged.into_inner().unwrap().into_iter().collect();
    for id in &acknowledged {
        until("the end of every call", END_DEADLINE, || is_done(&server, id).then_some(()));
    }
    server.stop();
    let taken = sandbox.messages().len();
    println!(
        "{} calls, {taken} messages, {} changes, {} batches of events, {} edits; {killing:.1?} of kills, {:.1?} in all",
        acknowledged.len(),
        traffic.changes.load(Relaxed),
        traffic.events.load(Relaxed),
        traffic.edits.load(Relaxed),
        started.elapsed(),
    );
    assert!(traffic.changes.load(Relaxed) > 0 && traffic.events.load(Relaxed) > 0, "the world stood still");
    Claims {
        acknowledged,
        faults: killed,
        replicas: 1,
        window: WINDOW.into(),
        stories: Manifests::stories_with_follow_up(customers),
        calls_max: traffic.calls.load(Relaxed) as usize,
    }
}

/// Most kills come while messages leave, some while the server is still starting. Returns how many there were.
fn kill_once(server: &Server<'_>, random: &mut Random) -> u64 {
    let while_it_serves = Duration::from_millis(u64::from(20 + random.below(800)));
    std::thread::sleep(while_it_serves);
    server.kill();
    let again = random.below(5) == 0;
    if again {
        server.start_and_kill(Duration::from_millis(u64::from(random.below(150))));
    }
    server.restart();
    1 + u64::from(again)
}
