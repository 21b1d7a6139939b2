//! The real engine and the real store in simulated time: replicas that crash at any request, stores that refuse, stall
//! and lose answers, providers that throttle, lie and hang. Afterwards every promise must have been kept.
//!
//! A seed says everything that happens; the same seed gives the same trace.
//!
//! What it is kinder in than reality: of what was given up only commits on a server arrive late; methods of several
//! statements are atomic; a file stays open over a crash, and what a server has queued is finished. Not drawn are a
//! provider's refusal of everyone, expiry, withdrawn consents, runs that people stop, rates that replicas share, and crash
//! markers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../checker/mod.rs"]
mod checker;
mod clock;
mod crash;
mod database;
#[path = "../harness/mod.rs"]
mod harness;
mod mutants;
mod plan;
mod provider;
mod replica;
mod rights;
mod simulation;
mod store;
mod trace;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use mutants::{Mutant, Planted};
use plan::{Plan, contested};
use simulation::{Simulated, simulate};

/// How many replicas share a store at most.
const REPLICAS_MAX: usize = 5;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// A simulation that takes longer than this does not move any more.
const STANDS_STILL_AFTER: Duration = Duration::from_secs(240);

/// Simulates, and says which plan it was if that panics or does not come to its end.
fn run(plan: &Plan, planted: Planted) -> Simulated {
    let (ended, has_ended) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if has_ended.recv_timeout(STANDS_STILL_AFTER) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{plan:#?}\nit does not come to its end");
                std::process::abort();
            }
        });
        let _ends_the_watch = ended;
        let simulated = catch_unwind(AssertUnwindSafe(|| simulate(plan, planted)));
        simulated.unwrap_or_else(|panic| {
            eprintln!("{plan:#?}\nit panicked");
            resume_unwind(panic)
        })
    })
}

#[track_caller]
fn assert_kept(plan: &Plan, simulated: &Simulated) {
    let complaints = simulated.complaints();
    if complaints.is_empty() {
        return;
    }
    let path = std::env::temp_dir().join(format!("fanfare-simulation-{}.txt", plan.seed));
    std::fs::write(&path, simulated.trace.last().join("\n")).unwrap();
    panic!("{complaints:#?}\n{plan:#?}\nthe end of its trace is in {}", path.display());
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let shared = (0..).map(|seed| Plan::of_seed(seed, REPLICAS_MAX)).filter(|plan| plan.replicas > 1).take(2);
    let plans = (0..4).map(|seed| Plan::of_seed(seed, 1)).chain(shared).chain([contested(1)]);
    for plan in plans {
        let [first, second] = [0, 1].map(|_| run(&plan, Planted::default()));
        if first.digest != second.digest {
            let (first, second) = (first.trace.last(), second.trace.last());
            let place = first.iter().zip(&second).position(|(one, other)| one != other);
            let differ = place.map(|place| (&first[place], &second[place]));
            panic!("{plan:?}: {differ:#?}; none if they differ in what is no longer kept");
        }
    }
}

#[test]
fn replicas_that_stop_beyond_their_leases_send_nothing_twice() {
    for seed in 0..4 {
        let plan = contested(seed);
        assert_kept(&plan, &run(&plan, Planted::default()));
    }
}

/// `FANFARE_SIMULATION_SECONDS` says for how long, `FANFARE_SIMULATION_SEEDS` how many, `FANFARE_SIMULATION_SEED` the first.
#[test]
fn every_promise_is_kept_whatever_happens() {
    let began = Instant::now();
    let (seconds, seeds) = (setting("FANFARE_SIMULATION_SECONDS"), setting("FANFARE_SIMULATION_SEEDS"));
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let first = setting("FANFARE_SIMULATION_SEED").unwrap_or(clock);
    let (mut runs, mut faults, mut time, mut messages) = (0_u64, 0, Duration::ZERO, 0);
    println!("the first seed is {first}");
    let seeds = seeds.unwrap_or(if seconds.is_some() { u64::MAX } else { 20 });
    while runs < seeds && seconds.is_none_or(|seconds| began.elapsed().as_secs() < seconds) {
        let most = setting("FANFARE_SIMULATION_REPLICAS").map_or(REPLICAS_MAX, |most| most as usize);
        let plan = Plan::of_seed(first.wrapping_add(runs), most);
        let simulated = run(&plan, Planted::default());
        assert_kept(&plan, &simulated);
        runs += 1;
        faults += simulated.faults;
        time += simulated.time;
        messages += simulated.messages;
    }
    println!(
        "simulated: {runs} runs from seed {first}, {faults} faults, {messages} messages, {:.1} hours in {:.0} s",
        time.as_secs_f64() / 3600.0,
        began.elapsed().as_secs_f64()
    );
}

/// A fault of the engine is found by one of a few seeds.
#[test]
fn faults_that_are_planted_are_found() {
    let (half, other) = Mutant::ALL.split_at(Mutant::ALL.len() / 2);
    let missed = |mutants: &[Mutant]| -> Vec<Mutant> {
        mutants.iter().copied().filter(|mutant| !is_found(*mutant)).collect()
    };
    let missed = std::thread::scope(|scope| {
        let beside = scope.spawn(|| missed(half));
        [missed(other), beside.join().unwrap()].concat()
    });
    assert!(missed.is_empty(), "{missed:?}");
}

fn is_found(mutant: Mutant) -> bool {
    let plans = (0..40).map(|seed| Plan::of_seed(seed, 1)).chain((0..12).map(contested));
    for plan in plans {
        let simulated = run(&plan, Planted::new(mutant));
        if let Some(complaint) = simulated.complaints().first() {
            println!("{mutant:?} is found by seed {} of {} replicas: {complaint}", plan.seed, plan.replicas);
            return true;
        }
    }
    false
}
