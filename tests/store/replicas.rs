//! Several replicas at once: whoever is overtaken decides anew, and what one has begun another ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fanfare::domain::customer::{CustomerKey, EventNeeds};
use fanfare::domain::selection::{Comparison, IndexNeed, Selection, Test};
use fanfare::domain::value::Value;
use fanfare::store::audiences::{Access, Audiences, IndexProgress};
use fanfare::store::customers::{CustomerWrite, Customers, LineRefused};
use fanfare::store::postgres::{PostgresCustomers, PostgresDatabase, Tenant};
use serde_json::json;

use crate::customers::customer;
use crate::harness::{Postgres, Random, all_complete, until_indexes};

async fn replica(tenant: &Tenant) -> Arc<PostgresCustomers> {
    let address = Postgres::shared().url().parse().unwrap();
    let database = Arc::new(PostgresDatabase::open(&address, tenant).await.unwrap());
    Arc::new(PostgresCustomers::open(database))
}

/// A tenant, two replicas of its store, and a connection beside them.
struct World {
    tenant_name: String,
    first: Arc<PostgresCustomers>,
    second: Arc<PostgresCustomers>,
}

impl World {
    async fn new() -> Self {
        let tenant_name = Postgres::tenant_name();
        let tenant = Tenant::new(&tenant_name).unwrap();
        World { first: replica(&tenant).await, second: replica(&tenant).await, tenant_name }
    }

    /// Someone who does not keep to our ways.
    async fn outsider(&self) -> tokio_postgres::Client {
        let url = Postgres::shared().url();
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let schema = format!("fanfare_{}", self.tenant_name.replace('-', "_"));
        client.batch_execute(&format!("SET search_path = {schema}")).await.unwrap();
        client
    }

    async fn close(self) {
        self.first.close().await;
        self.second.close().await;
    }
}

fn need(name: &str) -> IndexNeed {
    IndexNeed::Attribute { path: vec![name.into()] }
}

fn city_is(city: &str) -> Selection {
    let test = Test::Compare(Comparison::Equal, Value::text(city));
    Selection::Attribute { path: vec!["city".into()], test }
}

async fn by_index(store: &PostgresCustomers, city: &str) -> Vec<CustomerKey> {
    let selected = store.select(&city_is(city)).await.unwrap();
    assert_eq!(selected.plan.access, Access::Index);
    selected.keys
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_change_the_same_customers_lose_nothing_of_each_other() {
    let world = World::new().await;
    let mut writers = Vec::new();
    for writer in 0..4 {
        let store = Arc::clone(if writer % 2 == 0 { &world.first } else { &world.second });
        writers.push(tokio::spawn(async move {
            for round in 0..12 {
                let name = format!("w{writer}r{round}");
                // Each begins elsewhere, and all go over the same customers; the first round creates them.
                let lines =
                    (0..20).map(|n| customer(&format!("c{}", (n + writer * 5) % 20), &json!({&name: 1})));
                let results = store.upsert_customers(lines.collect()).await.unwrap();
                assert!(results.iter().all(Result::is_ok));
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(world.first.count_customers().await.unwrap(), 20);
    let keys = world.second.select(&Selection::Everyone).await.unwrap().keys;
    for customer in world.first.load(&keys, &EventNeeds::default()).await.unwrap() {
        assert_eq!(customer.attributes.len(), 48, "{customer:?}");
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_two_ask_for_at_once_is_given_to_one() {
    let world = World::new().await;
    for round in 0..30 {
        let line = |registered: &str| CustomerWrite {
            other_ids: BTreeMap::from([("cookie".into(), format!("k{round}"))]),
            ..customer(&format!("{registered}{round}"), &json!({}))
        };
        let (first, second) = tokio::join!(
            world.first.upsert_customers(vec![line("ann")]),
            world.second.upsert_customers(vec![line("bob")])
        );
        let results = [first.unwrap().remove(0), second.unwrap().remove(0)];
        let owner = if results[0].is_ok() { format!("ann{round}") } else { format!("bob{round}") };
        let taken = LineRefused::IdTaken { kind: "cookie".into(), id: format!("k{round}"), owner };
        assert_eq!(results.iter().filter(|result| **result == Err(taken.clone())).count(), 1, "{results:?}");
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    }
    world.close().await;
}

/// A writer that read the registry before an index was required, and writes after.
#[tokio::test(flavor = "multi_thread")]
async fn filling_waits_for_whoever_may_not_know_of_the_index() {
    let world = World::new().await;
    let lines = vec![customer("ann", &json!({"city": "Brno"}))];
    let ann = world.first.upsert_customers(lines).await.unwrap().remove(0).unwrap();
    let outsider = world.outsider().await;
    outsider.batch_execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
    world.first.require_indexes(BTreeSet::from([need("city")])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let states = world.second.index_states().await.unwrap();
    assert!(matches!(states[0].progress, IndexProgress::Filling(_)), "{states:?}");
    let moved = r#"UPDATE customer SET attributes = '{"city":"Praha"}', revision = revision + 1; COMMIT"#;
    outsider.batch_execute(moved).await.unwrap();
    until_indexes(&*world.first, all_complete).await;
    assert_eq!(by_index(&world.second, "Praha").await, [ann]);
    assert!(by_index(&world.second, "Brno").await.is_empty());
    world.close().await;
}

/// A writer that decided before an index was required is held up until the index is complete.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_does_not_keep_a_new_index_is_decided_anew() {
    let world = World::new().await;
    let outsider = world.outsider().await;
    outsider.batch_execute("BEGIN; LOCK TABLE identity IN SHARE MODE").await.unwrap();
    let writer = {
        let store = Arc::clone(&world.first);
        let lines = vec![customer("ann", &json!({"city": "Brno"}))];
        tokio::spawn(async move { store.upsert_customers(lines).await })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.second.require_indexes(BTreeSet::from([need("city")])).await.unwrap();
    until_indexes(&*world.second, all_complete).await;
    assert!(!writer.is_finished());
    outsider.batch_execute("COMMIT").await.unwrap();
    let ann = writer.await.unwrap().unwrap().remove(0).unwrap();
    assert_eq!(by_index(&world.second, "Brno").await, [ann]);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_an_index_is_filled_stands_in_it_as_it_is() {
    const CITIES: [&str; 3] = ["Brno", "Praha", "Zlín"];
    let world = World::new().await;
    let lines = |random: &mut Random, count: u32| -> Vec<CustomerWrite> {
        let city = |random: &mut Random| CITIES.get(random.below(4) as usize).map(|city| Value::text(*city));
        let line = |_| CustomerWrite {
            attributes: [("city".into(), city(random))].into_iter().collect(),
            ..customer(&format!("c{}", random.below(6_000)), &json!({}))
        };
        (0..count).map(line).collect()
    };
    let (mut random, seed) = Random::of_seed_in("FANFARE_SEED");
    println!("seed {seed}");
    for _ in 0..4 {
        world.first.upsert_customers(lines(&mut random, 3_000)).await.unwrap();
    }
    world.first.require_indexes(BTreeSet::from([need("city")])).await.unwrap();
    let mut written = 0;
    while !all_complete(&world.first.index_states().await.unwrap()) {
        let (few, more) = (lines(&mut random, 20), lines(&mut random, 20));
        let both = tokio::join!(world.first.upsert_customers(few), world.second.upsert_customers(more));
        both.0.unwrap();
        both.1.unwrap();
        written += 40;
    }
    println!("{written} lines while the index was filled");
    let all = world.first.select(&Selection::Everyone).await.unwrap().keys;
    let customers = world.first.load(&all, &EventNeeds::default()).await.unwrap();
    for city in CITIES {
        let is_there =
            |it: &&fanfare::domain::customer::Customer| it.attributes.get("city") == Some(&Value::text(city));
        let expected: Vec<CustomerKey> = customers.iter().filter(is_there).map(|it| it.key).collect();
        assert_eq!(by_index(&world.second, city).await, expected, "seed {seed}: {city}");
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_goes_on_filling_when_one_is_killed() {
    let world = World::new().await;
    for some in 0..10 {
        let lines = (0..2_000).map(|n| customer(&format!("c{some}-{n}"), &json!({"city": "Brno"})));
        world.first.upsert_customers(lines.collect()).await.unwrap();
    }
    let outsider = world.outsider().await;
    world.first.require_indexes(BTreeSet::from([need("city")])).await.unwrap();
    let has_begun = |progress| matches!(progress, IndexProgress::Filling(share) if share > 0.0);
    until_indexes(&*world.second, |states| has_begun(states[0].progress)).await;
    // Nothing more can be added until the one who was adding is gone.
    outsider.batch_execute("BEGIN; LOCK TABLE attribute_entry IN SHARE MODE").await.unwrap();
    let states = world.second.index_states().await.unwrap();
    assert!(has_begun(states[0].progress), "it was too quick for this test: {states:?}");
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND (classid::bigint << 32 | objid::bigint) = hashtextextended(current_schema(), 2)";
    let killed: i64 = outsider.query_one(kill, &[]).await.unwrap().get(0);
    assert_eq!(killed, 1);
    drop(Arc::into_inner(world.first).unwrap());
    outsider.batch_execute("COMMIT").await.unwrap();
    until_indexes(&*world.second, all_complete).await;
    assert_eq!(by_index(&world.second, "Brno").await.len(), 20_000);
    world.second.close().await;
}

/// While replicas are replaced one by one, old and new ones need different indexes.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_needed_while_any_replica_needs_it() {
    let world = World::new().await;
    let progress = async || -> BTreeMap<IndexNeed, IndexProgress> {
        let states = world.first.index_states().await.unwrap();
        states.into_iter().map(|state| (state.need, state.progress)).collect()
    };
    world.first.require_indexes(BTreeSet::from([need("city")])).await.unwrap();
    world.second.require_indexes(BTreeSet::from([need("age")])).await.unwrap();
    until_indexes(&*world.first, |states| states.len() == 2 && all_complete(states)).await;
    world.first.require_indexes(BTreeSet::new()).await.unwrap();
    let after = progress().await;
    assert_eq!(after[&need("city")], IndexProgress::Unneeded);
    assert_eq!(after[&need("age")], IndexProgress::Complete);
    world.second.require_indexes(BTreeSet::from([need("city")])).await.unwrap();
    let after = progress().await;
    assert_eq!(after[&need("city")], IndexProgress::Complete);
    assert_eq!(after[&need("age")], IndexProgress::Unneeded);
    world.close().await;
}
