//! How PostgreSQL runs the very statements of a store, with their values bound: as the server itself logs them.
//!
//! Nothing but a full scan reads a table from its beginning to its end, with statistics or without.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fanfare::domain::customer::{CustomerKey, EventNeeds};
use fanfare::domain::selection::{Comparison, ConsentStates, EventCount, IndexNeed, Selection, Test};
use fanfare::domain::value::Value;
use fanfare::store::audiences::{Access, Audiences};
use fanfare::store::customers::Customers;
use fanfare::store::postgres::{PostgresCustomers, PostgresDatabase, Tenant};
use serde_json::json;

use crate::customers::{customer, event};
use crate::harness::{Postgres, all_complete, until_indexes};

const CUSTOMERS: i64 = 20_000;
const TABLES: [&str; 5] = ["customer", "identity", "event", "attribute_entry", "event_entry"];

/// A server that logs how it runs each statement, and a store on it.
struct World {
    server: Postgres,
    store: PostgresCustomers,
}

impl World {
    async fn new() -> Self {
        let server = Postgres::own();
        let logging = "options=-c%20session_preload_libraries=auto_explain%20-c%20auto_explain.log_min_duration=0\
            %20-c%20auto_explain.log_nested_statements=on";
        let address = format!("{}?{logging}", server.url()).parse().unwrap();
        let database = Arc::new(PostgresDatabase::open(&address, &Postgres::tenant()).await.unwrap());
        let world = World { server, store: PostgresCustomers::open(database) };
        // What the server analyses by itself would come too late or too early for a test.
        world.run("ALTER SYSTEM SET autovacuum = off").await;
        world.run("SELECT pg_reload_conf()").await;
        world
    }

    async fn run(&self, sql: &str) {
        let asked = tokio_postgres::connect(self.server.url(), tokio_postgres::NoTls).await;
        let (client, connection) = asked.unwrap();
        tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
    }

    /// Gives every table its statistics.
    async fn analyze(&self) {
        self.run("VACUUM ANALYZE").await;
    }

    async fn fill(&self) {
        for from in (0..CUSTOMERS).step_by(2_000) {
            let numbers = from..from + 2_000;
            let line = |n| {
                customer(&format!("c{n}"), &json!({"zip": format!("{n:05}"), "age": n % 90, "vip": true}))
            };
            self.store.upsert_customers(numbers.clone().map(line).collect()).await.unwrap();
            let buy = |n| event(&format!("c{}", n / 2), "buy", n, &json!({"sku": n % 1_000, "shop": "Brno"}));
            self.store.insert_events(numbers.map(buy).collect()).await.unwrap();
        }
        let attribute = |name: &str| IndexNeed::Attribute { path: vec![name.into()] };
        let property = IndexNeed::EventProperty { event_type: "buy".into(), property: "sku".into() };
        let needs = BTreeSet::from([attribute("zip"), attribute("age"), attribute("vip"), property]);
        self.store.require_indexes(needs).await.unwrap();
        until_indexes(&self.store, all_complete).await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.server.folder().join("log")).unwrap()
    }

    /// The log once nothing more is written: a statement's plan comes when its session is done with it.
    async fn log_at_rest(&self) -> String {
        let mut log = self.log();
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let later = self.log();
            if later.len() == log.len() {
                return log;
            }
            log = later;
        }
    }

    /// The plans of what is run meanwhile.
    async fn plans(&self, running: impl Future<Output = ()>) -> Vec<String> {
        let before = self.log().len();
        running.await;
        let log = self.log_at_rest().await[before..].to_owned();
        let plans = log.split("LOG:  duration:").filter(|entry| entry.contains("plan:"));
        let plans: Vec<String> = plans.map(ToOwned::to_owned).collect();
        assert!(!plans.is_empty(), "nothing was logged:\n{log}");
        plans
    }

    /// Runs a selection that is answered by index, and looks at each of its statements.
    async fn by_index(&self, selection: Selection) -> Vec<String> {
        let plans = self
            .plans(async {
                let selected = self.store.select(&selection).await.unwrap();
                assert_eq!(selected.plan.access, Access::Index, "{}", selected.plan.words);
                assert!(!selected.keys.is_empty());
            })
            .await;
        no_table_is_read(&plans);
        plans
    }
}

fn no_table_is_read(plans: &[String]) {
    for plan in plans {
        for table in TABLES {
            let is_read = plan.contains(&format!("Seq Scan on {table} "))
                || plan.contains(&format!("Seq Scan on {table}\n"));
            assert!(!is_read, "{plan}");
        }
    }
}

/// The plan of the statement that has this in its text.
fn plan_of<'a>(plans: &'a [String], text: &str) -> &'a str {
    let found = plans.iter().find(|plan| plan.contains(text));
    found.unwrap_or_else(|| panic!("no statement has {text:?}: {plans:#?}"))
}

fn has(plan: &str, parts: &[&str]) {
    for part in parts {
        assert!(plan.contains(part), "no {part:?} in {plan}");
    }
}

fn attribute(name: &str, test: Test) -> Selection {
    Selection::Attribute { path: vec![name.into()], test }
}

fn bought(properties: &[(&str, Value)], count: i64) -> Selection {
    Selection::Events(EventCount {
        event_type: "buy".into(),
        properties: properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        from: None,
        before: Some(jiff::Timestamp::from_second(900).unwrap()),
        comparison: Comparison::GreaterOrEqual,
        count,
    })
}

async fn attributes_are_stepped_into(world: &World) {
    let one = attribute("zip", Test::Compare(Comparison::Equal, Value::text("00700")));
    let plans = world.by_index(one).await;
    let plan = plan_of(&plans, "text_value = ANY");
    has(plan, &["Index Only Scan using attribute_entry_by_value", "(text_value = ANY ('{00700}'"]);
    let zips = (0..3_000).map(|n| Value::text(format!("{:05}", n * 5)));
    let plans = world.by_index(attribute("zip", Test::OneOf(zips.collect()))).await;
    let long: Vec<&String> = plans.iter().filter(|plan| plan.contains("text_value = ANY")).collect();
    assert_eq!(long.len(), 6, "as many statements as arrays of 500");
    for plan in long {
        has(plan, &["Index Cond: ((idx = ", "AND (text_value = ANY ("]);
        assert!(!plan.contains("Filter:"), "{plan}");
    }
    let old = attribute("age", Test::Compare(Comparison::GreaterOrEqual, Value::integer(88)));
    let plans = world.by_index(old).await;
    has(plan_of(&plans, "number_value >= $3"), &["Index Only Scan", "(number_value >= '88'::numeric)"]);
    let ages = (0..40).map(|n| Value::integer(n * 2));
    let plans = world.by_index(attribute("age", Test::OneOf(ages.collect()))).await;
    has(plan_of(&plans, "number_value = ANY"), &["Index Cond", "(number_value = ANY ('{0,2,"]);
}

async fn events_are_stepped_into(world: &World) {
    let plans = world.by_index(bought(&[("sku", Value::integer(7))], 1)).await;
    has(plan_of(&plans, "FROM event_entry"), &["Index Only Scan using event_entry_pkey", "(\"time\" < "]);
    let plans = world.by_index(bought(&[("sku", Value::integer(7)), ("shop", Value::text("Brno"))], 1)).await;
    let both = plan_of(&plans, "event_entry JOIN event");
    has(
        both,
        &[
            "Nested Loop",
            "event_entry_pkey",
            "Index Scan using event_pkey",
            "(customer = event_entry.customer)",
        ],
    );
    let plans = world.by_index(bought(&[], 2)).await;
    has(plan_of(&plans, "WHERE type = $1"), &["Index Only Scan using event_by_type"]);
}

async fn candidates_are_read_by_key(world: &World) {
    let old = attribute("age", Test::Compare(Comparison::Equal, Value::integer(3)));
    let unrecorded = ConsentStates { given: false, withdrawn: false, unrecorded: true };
    let consent = Selection::Consent { category: "sms".into(), accepted: unrecorded };
    let history = Selection::Any(vec![
        bought(&[], 1),
        Selection::Events(EventCount {
            event_type: "buy".into(),
            properties: vec![("shop".into(), Value::text("Brno"))],
            from: None,
            before: None,
            comparison: Comparison::Less,
            count: 1,
        }),
    ]);
    let plans = world.by_index(Selection::All(vec![old, consent, history])).await;
    has(plan_of(&plans, "FROM customer WHERE key = ANY"), &["customer_pkey", "(key = ANY ("]);
    has(plan_of(&plans, "SELECT customer FROM event\n"), &["event_pkey", "(customer = ANY ("]);
    has(plan_of(&plans, "properties FROM event\n"), &["event_pkey", "(customer = ANY ("]);
    let keys: Vec<CustomerKey> = (500..1_500).map(CustomerKey).collect();
    let needs = EventNeeds { types: BTreeSet::from(["buy".to_owned()]) };
    let plans = world.plans(async { drop(world.store.load(&keys, &needs).await.unwrap()) }).await;
    no_table_is_read(&plans);
}

async fn writes_follow_their_arrays(world: &World, round: i64) {
    let lines = (0..1_000).map(|n| customer(&format!("c{}", n * 3), &json!({"age": n + round, "zip": null})));
    let plans =
        world.plans(async { drop(world.store.upsert_customers(lines.collect()).await.unwrap()) }).await;
    no_table_is_read(&plans);
    has(plan_of(&plans, "FROM identity WHERE id = ANY"), &["identity_pkey", "(id = ANY ("]);
    let update = plan_of(&plans, "UPDATE customer SET");
    has(update, &["Function Scan on decided", "Index Scan using customer_pkey", "(key = decided.key)"]);
    let delete = plan_of(&plans, "DELETE FROM attribute_entry");
    has(delete, &["Function Scan on gone", "attribute_entry_pkey"]);
    let line = |n| event(&format!("n{round}-{n}"), "buy", 5, &json!({"sku": n}));
    let plans =
        world.plans(async { drop(world.store.insert_events((0..500).map(line).collect()).await.unwrap()) });
    no_table_is_read(&plans.await);
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_statements_go_by_index_with_statistics_and_without() {
    let world = World::new().await;
    world.fill().await;
    for round in 1..=2 {
        attributes_are_stepped_into(&world).await;
        events_are_stepped_into(&world).await;
        candidates_are_read_by_key(&world).await;
        writes_follow_their_arrays(&world, round * 1_000).await;
        world.analyze().await;
    }
    let unindexed = attribute("city", Test::Missing);
    let plans = world.plans(async { drop(world.store.select(&unindexed).await.unwrap()) }).await;
    has(plan_of(&plans, "FROM customer"), &["Seq Scan on customer"]);
    world.store.close().await;
}

/// Citus distributes a table by a column only if each of its unique keys has it, and nothing refers to what is not
/// distributed likewise.
#[tokio::test(flavor = "multi_thread")]
async fn what_grows_with_the_customers_can_be_distributed_by_them() {
    let name = Postgres::tenant_name();
    let (url, tenant) = (Postgres::shared().url(), Tenant::new(&name).unwrap());
    PostgresDatabase::open(&url.parse().unwrap(), &tenant).await.unwrap();
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let schema = format!("fanfare_{}", name.replace('-', "_"));
    client.batch_execute(&format!("SET search_path = {schema}")).await.unwrap();
    let asked = "SELECT count(*) FILTER (WHERE attnum = ANY (indkey)),
            count(*) FILTER (WHERE NOT attnum = ANY (indkey)), (SELECT count(*) FROM pg_constraint
                WHERE contype = 'f' AND (conrelid = $1::text::regclass OR confrelid = $1::text::regclass))
        FROM pg_index JOIN pg_attribute ON attrelid = indrelid
        WHERE indrelid = $1::text::regclass AND attname = $2 AND indisunique";
    for (table, column) in [
        ("customer", "key"),
        ("event", "customer"),
        ("attribute_entry", "customer"),
        ("event_entry", "customer"),
    ] {
        let row = client.query_one(asked, &[&table, &column]).await.unwrap();
        let (with, without, references): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        assert!(with > 0 && without == 0 && references == 0, "{table}: {row:?}");
    }
}
