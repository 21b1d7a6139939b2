//! Two replicas of which one is killed, or stops, at random moments again and again: what holds after crashes of one
//! process holds over both.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::runtime::engine::RunningEngine;
use tokio_postgres::Client;

use crate::crashes::{CUSTOMERS, Dice, check, moody, until_attempts};
use crate::harness::{Ledger, Place, Store};
use crate::world::World;

/// A replica at work, with the name its lease has.
struct Working {
    ledger: Ledger,
    customers: Arc<dyn Store>,
    engine: RunningEngine,
    owner: String,
}

impl Working {
    async fn start(world: &World, session: &Client) -> Working {
        let (ledger, customers) = world.place.open_both().await;
        let before = owners(session).await;
        let engine = world.start_on(&ledger, &customers, &world.channels);
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(owner) = owners(session).await.difference(&before).next() {
                return Working { ledger, customers, engine, owner: owner.clone() };
            }
            assert!(Instant::now() < deadline, "it has no lease");
        }
    }

    async fn stop(self) {
        self.engine.stop(Duration::ZERO).await;
        self.ledger.close().await;
        self.customers.close().await;
    }

    /// Ends it as a kill does. Nobody has to wait for its lease, because it is certain that nothing of it is left.
    async fn kill(self, session: &Client) {
        drop(self.engine);
        drop(self.ledger);
        let end = "UPDATE replica SET lease_until = clock_timestamp() WHERE owner = $1";
        session.execute(end, &[&self.owner]).await.unwrap();
    }
}

async fn owners(session: &Client) -> BTreeSet<String> {
    let rows = session.query("SELECT owner FROM replica", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn kill_again_and_again(seed: u64) {
    let mut dice = Dice(seed | 1);
    let world = World::new(Place::postgres()).await;
    world.populate(CUSTOMERS, |n| n).await;
    world.connect(moody(seed), moody(seed + 1));
    let session = world.place.session().await;
    let mut working = Vec::new();
    for _ in 0..2 {
        working.push(Working::start(&world, &session).await);
    }
    let mut kills = 0;
    let mut calls = Vec::new();
    for scenario in ["narrow", "wide", "waits"] {
        calls.push(world.call(scenario, None).await);
    }
    for _ in 0..8 {
        until_attempts(&world, dice.roll(180)).await;
        if world.place.count("SELECT count(*) FROM call WHERE finished_at IS NULL") == 0 {
            break;
        }
        let one = working.swap_remove(usize::try_from(dice.roll(2)).unwrap());
        if dice.roll(4) == 0 {
            one.stop().await;
        } else {
            one.kill(&session).await;
        }
        kills += 1;
        let shift = i64::try_from(dice.roll(50)).unwrap();
        world.populate(CUSTOMERS / 3, |n| n + shift).await;
        working.push(Working::start(&world, &session).await);
    }
    for call in &calls {
        assert_eq!(world.until_ended(call, Duration::from_secs(60)).await, "done", "seed {seed}");
    }
    for one in working {
        one.stop().await;
    }
    assert!(kills > 2, "seed {seed}: {kills} kills prove nothing");
    check(&world, kills, seed);
    let waiting = world.place.count("SELECT count(*) FROM pending_delivery WHERE state <> 6");
    assert_eq!(waiting, 0, "seed {seed}: nothing waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_decided_twice_over_replicas() {
    let seeds: Vec<u64> = match std::env::var("FANFARE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=3).map(|n| n * 6361).collect(),
    };
    let worlds: Vec<_> = seeds.into_iter().map(|seed| tokio::spawn(kill_again_and_again(seed))).collect();
    for world in worlds {
        world.await.unwrap();
    }
}
