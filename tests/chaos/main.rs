//! The chaos test: three replicas on one PostgreSQL server, and faults of every kind at random moments, while calls come
//! in, customers change and scenarios are edited. Afterwards the checker reads the sandbox's record and the database,
//! what all replicas did together, and finds every promise kept.
//!
//! `FANFARE_CHAOS_FAULTS` (20), `FANFARE_CHAOS_CUSTOMERS` (1500) and `FANFARE_CHAOS_SEED` say how many, how large, and
//! which; the seed is printed, and draws the same faults in the same order again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../checker/mod.rs"]
mod checker;
#[path = "../durability/disk.rs"]
mod disk;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../story/mod.rs"]
mod story;

mod admin;
mod doubt;
mod fault;
mod fleet;
mod full_volume;
mod hang;
mod hosts;
mod planted_rows;
mod power;
mod promotion;
mod proxy;
mod rolling;
mod server;
mod small_disk;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use checker::planted;
use fault::{Planned, schedule};
use harness::Random;
use server::Server;
use world::{Stage, World};

/// Faults that go on beside one another.
const ALONGSIDE: usize = 2;
/// Enough for what all faults of a long run leave behind.
const DISK_MIB: u32 = 768;

/// Providers are no better than the rest: some messages wait, some are tried again, of some nobody knows.
const PROVIDERS: [&str; 7] = [
    "smtp:throttle,every=29",
    "twilio:throttle,retry-after=1,every=29",
    "webhook:throttle,status=503,retry-after=1,every=29",
    "smtp:ok,delay-ms=400,every=41",
    "smtp:close,keep,every=211",
    "twilio:fail,every=211",
    "webhook:reset,keep,every=211",
];

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// One story at a time: each is about how long something takes.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn faults_lose_nothing_and_double_nothing() {
    let _alone = alone();
    let (mut random, seed) = Random::of_seed_in("FANFARE_CHAOS_SEED");
    let (faults, customers) =
        (setting("FANFARE_CHAOS_FAULTS", 20), setting("FANFARE_CHAOS_CUSTOMERS", 1_500));
    println!("seed {seed}: {faults} faults, {customers} customers");
    let planned = schedule(faults as usize, &mut random);
    let stage = Stage::with_faulty_providers(customers as u32, &PROVIDERS);
    let world = stage.behind_proxies(Server::on_small_disk(DISK_MIB));
    stage.live_through(&world, &mut random, |_| {
        let kinds = let_happen(&world, planned);
        println!("{kinds:?}");
        &world.server
    });
    let settled = stage.settle(world, faults);
    planted::are_found(&settled.claims, &settled.record, &settled.ledger);
    planted_rows::are_found(&settled);
    println!("seed {seed}: every promise was kept");
}

/// One after the other, some beside others. Returns how many there were of each kind.
fn let_happen(world: &World<'_>, planned: Vec<Planned>) -> BTreeMap<String, u32> {
    let (mut kinds, began) = (BTreeMap::new(), Instant::now());
    std::thread::scope(|threads| {
        let mut alongside = VecDeque::new();
        for Planned { after, fault } in planned {
            std::thread::sleep(after);
            let most = if fault.is_alone() { 0 } else { ALONGSIDE };
            while alongside.len() > most {
                let oldest: std::thread::ScopedJoinHandle<'_, ()> =
                    alongside.pop_front().expect("some are left");
                oldest.join().expect("its own panic has said why");
            }
            println!("  {:5.1} s {}", began.elapsed().as_secs_f64(), fault.name());
            *kinds.entry(fault.name()).or_default() += 1;
            if fault.goes_on_alongside() {
                alongside.push_back(threads.spawn(move || fault.strike(world)));
            } else {
                fault.strike(world);
            }
        }
    });
    kinds
}
