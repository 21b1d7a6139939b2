//! Lease, window and outcome: the store held against a small model of them, operation by operation.
//!
//! Sequences are drawn from seeds, which a failure prints with what led to it; `FANFARE_SEED` runs one alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod actors;
mod doubled;
mod drawn_steps;
mod history;
mod model;
mod mutants;
mod operations;
mod picture;
mod real;
mod sequence;
mod steps;

use crate::harness::{Place, Random};
use crate::mutants::Mistake;
use crate::real::Real;
use crate::sequence::Sequence;

/// How many operations a database is asked for at least; `FANFARE_OPERATIONS` says otherwise.
const OPERATIONS: usize = 4_000;
/// How many sequences may go by until a mistake is seen.
const SEQUENCES_A_MISTAKE: usize = 400;

/// Seeds from a seed; the one that is asked for comes first, and alone.
struct Seeds {
    random: Random,
    first: Option<u64>,
}

impl Seeds {
    fn new() -> Self {
        let asked = std::env::var("FANFARE_SEED").is_ok();
        let (random, seed) = Random::of_seed_in("FANFARE_SEED");
        Seeds { random, first: asked.then_some(seed) }
    }

    fn is_one(&self) -> bool {
        self.first.is_some()
    }

    fn next(&mut self) -> u64 {
        self.first.unwrap_or_else(|| self.random.number())
    }
}

async fn holds(place: Place) {
    let real = Real::open(place).await;
    let asked = std::env::var("FANFARE_OPERATIONS").map_or(OPERATIONS, |number| number.parse().unwrap());
    let (mut seeds, mut operations) = (Seeds::new(), 0);
    while operations < asked {
        let seed = seeds.next();
        match Sequence::run(&real, seed, None).await {
            Ok(done) => operations += done,
            Err(difference) => panic!("FANFARE_SEED={seed}: {difference}"),
        }
        if seeds.is_one() {
            break;
        }
    }
    println!("{operations} operations");
    real.close().await;
}

async fn is_seen(place: Place) {
    let real = Real::open(place).await;
    let mut seeds = Seeds::new();
    for mistake in Mistake::ALL {
        if !real.has_replicas() && !mistake.is_seen_on_a_file() {
            continue;
        }
        let mut seen = None;
        for sequence in 1..=SEQUENCES_A_MISTAKE {
            if Sequence::run(&real, seeds.next(), Some(mistake)).await.is_err() {
                seen = Some(sequence);
                break;
            }
        }
        println!("{mistake:?} is seen by sequence {seen:?}");
        assert!(seen.is_some(), "{mistake:?} is not seen");
    }
    real.close().await;
}

#[tokio::test]
async fn the_ledger_in_a_file_does_what_the_model_does() {
    holds(Place::sqlite()).await;
}

#[tokio::test]
async fn the_ledger_on_postgres_does_what_the_model_does() {
    holds(Place::postgres()).await;
}

#[tokio::test]
async fn a_mistake_is_seen_in_a_file() {
    is_seen(Place::sqlite()).await;
}

#[tokio::test]
async fn a_mistake_is_seen_on_postgres() {
    is_seen(Place::postgres()).await;
}
