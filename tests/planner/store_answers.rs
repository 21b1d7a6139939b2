//! The store answers any selection as the reference does, whatever indexes there are.

use fanfare::domain::customer::{Customer, CustomerKey};
use fanfare::domain::selection::Selection;
use fanfare::store::audiences::Access;

use crate::harness::Place;
use crate::random::{Random, seeds};
use crate::reference::selects;
use crate::selections::selection;
use crate::world::{World, all_indexes};

async fn check(world: &World, seed: u64, selection: &Selection) -> Access {
    let selected = world.select(selection).await;
    let chosen = world.customers.iter().filter(|customer| selects(selection, customer));
    let chosen: Vec<CustomerKey> = chosen.map(|customer| customer.key).collect();
    if selected.keys != chosen {
        let wrong =
            |customer: &&Customer| selected.keys.contains(&customer.key) != chosen.contains(&customer.key);
        let wrong = world.customers.iter().find(wrong).unwrap();
        let verdict = if chosen.contains(&wrong.key) { "not selected" } else { "selected" };
        panic!("seed {seed}, {}: {selection:#?}\nthis one is {verdict}: {wrong:#?}", selected.plan.words);
    }
    selected.plan.access
}

/// With no index, with some, and with all.
async fn small_worlds(place: fn() -> Place, worlds: u64) {
    for seed in seeds(worlds) {
        let mut random = Random::new(seed);
        let mut indexes = all_indexes();
        indexes.retain(|_| usize::try_from(seed).unwrap() % 3 > random.below(2));
        let world = World::new(place(), &mut random, 150, &indexes).await;
        let mut scans = 0;
        for _ in 0..500 {
            let selection = selection(&mut random, 3);
            scans += usize::from(check(&world, seed, &selection).await == Access::FullScan);
        }
        println!("seed {seed}: {} indexes, {scans} of 500 by full scan", indexes.len());
        world.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_worlds_with_few_or_many_indexes() {
    small_worlds(Place::sqlite, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_worlds_with_few_or_many_indexes_on_postgres() {
    small_worlds(Place::postgres, 6).await;
}

/// So many customers that ways are raced, intersected and counted all at once.
async fn large_world(place: fn() -> Place) {
    for seed in seeds(1) {
        let mut random = Random::new(seed ^ 0xB16);
        let world = World::new(place(), &mut random, 12_000, &all_indexes()).await;
        for _ in 0..250 {
            let selection = selection(&mut random, 3);
            check(&world, seed, &selection).await;
        }
        world.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_large_enough_for_races() {
    large_world(Place::sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_large_enough_for_races_on_postgres() {
    large_world(Place::postgres).await;
}
