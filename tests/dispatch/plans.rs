//! How PostgreSQL carries out the ledger's statements: arrays lead, and keys are looked up, whatever its statistics say. The plans are
//! those the server itself wrote down while a run of some thousand deliveries went through.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Place, Postgres};
use crate::provider::{Manner, busy, sent};
use crate::world::World;

const SETTINGS: &str = "
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_analyze = off
auto_explain.log_format = json
";

/// Tables that grow with calls and customers; partitions begin with the name of theirs.
const LARGE: [&str; 5] = ["delivery", "customer", "event", "call", "chunk"];

/// Calls of the past, with runs, chunks and deliveries in every partition: where a table is a page or two, reading all
/// of it is right.
const PAST: &str = "
    SET auto_explain.log_min_duration = -1;
    INSERT INTO call (id, trigger_name, received_at, state, http_status)
        SELECT 'past ' || n, 'past', (extract(epoch FROM now()) * 1000000)::bigint, 2, 202 FROM generate_series(1, 2000) n;
    INSERT INTO run (call, accepted_at, scenario, state, started_at) SELECT seq, received_at, 'past', 2, 0 FROM call;
    INSERT INTO chunk (run, n, first_key, last_key, size, state, fence, counts)
        SELECT id, n, 1, 10, 10, 1, 1, '{}' FROM run, generate_series(0, 4) n;
    INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt)
        SELECT id, customer, 0, accepted_at + 86400000000 * day, 'sms', 3, 1
        FROM run, generate_series(1, 10) customer, unnest(ARRAY[-9, 0, 1, 2, 3]) day";

/// What plans must not do, with the statements that do it.
type Faults = BTreeMap<String, BTreeSet<String>>;

/// The plans in a server's log.
fn plans(log: &str) -> Vec<Value> {
    let mut plans = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.ends_with("plan:") {
            continue;
        }
        let mut json = String::new();
        while let Some(more) = lines.next_if(|line| line.starts_with('\t')) {
            json.push_str(more);
        }
        plans.push(serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}")));
    }
    plans
}

fn children(node: &Value) -> &[Value] {
    node["Plans"].as_array().map_or(&[], Vec::as_slice)
}

/// Whether a scan of an array is carried out anew each time the node is; a hash of it is made once.
fn reads_an_array(node: &Value) -> bool {
    match node["Node Type"].as_str() {
        Some("Function Scan") => node["Function Name"] == "unnest",
        Some("Hash") => false,
        _ => children(node).iter().any(reads_an_array),
    }
}

/// Whether rows come from a table, as many as there are.
fn reads_a_table(node: &Value) -> bool {
    node["Relation Name"].is_string() || children(node).iter().any(reads_a_table)
}

const WALKS_A_RUN: &str = "walks all deliveries of a run";
/// Who counts a run's deliveries walks them; who makes a partition looks into the default, which is empty.
const WALKERS: [&str; 2] =
    ["SELECT node, count(*) FROM delivery", "SELECT EXISTS (SELECT FROM delivery_default"];

fn find_faults(node: &Value, found: &mut Vec<String>) {
    let relation = node["Relation Name"].as_str().unwrap_or_default();
    let is_large = LARGE.iter().any(|name| relation == *name || relation.starts_with(&format!("{name}_2")))
        || relation == "delivery_default";
    match node["Node Type"].as_str() {
        Some("Seq Scan") if is_large => found.push(format!("reads all of {relation}")),
        Some("Nested Loop")
            if children(node).first().is_some_and(reads_a_table)
                && children(node).get(1).is_some_and(reads_an_array) =>
        {
            found.push("reads an array again for each row of a table".into());
        }
        Some("Index Scan" | "Index Only Scan")
            if is_large
                && relation.starts_with("delivery")
                && !node["Index Cond"].as_str().unwrap_or_default().contains("customer") =>
        {
            found.push(WALKS_A_RUN.into());
        }
        _ => {}
    }
    children(node).iter().for_each(|child| find_faults(child, found));
}

/// Fails now and then, so that deliveries wait and are tried again.
fn now_and_then() -> Manner {
    Arc::new(|n, _| match n % 50 {
        0 => (false, busy(), Duration::ZERO),
        _ => (true, sent(), Duration::ZERO),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_find_rows_by_their_keys() {
    let server = Postgres::with(SETTINGS);
    let world = World::new(Place::postgres_at(server.url())).await;
    world.populate(4_000, |n| n).await;
    let session = world.place.session().await;
    session.batch_execute(PAST).await.unwrap();
    world.connect(now_and_then(), now_and_then());
    let engine = world.start();
    let call = world.call("narrow+wide", None).await;
    assert_eq!(world.until_ended(&call, Duration::from_secs(40)).await, "done");
    // Once more with statistics of what is there.
    session.batch_execute("ANALYZE").await.unwrap();
    let call = world.call("narrow+wide", None).await;
    assert_eq!(world.until_ended(&call, Duration::from_secs(40)).await, "done");
    world.ledger.log.runs_of_call(&call).await.unwrap();
    engine.stop(Duration::from_secs(1)).await;

    let log = std::fs::read_to_string(server.folder().join("log")).unwrap();
    let (mut faults, mut seen) = (Faults::new(), BTreeSet::new());
    for logged in plans(&log) {
        let statement = logged["Query Text"].as_str().unwrap().to_owned();
        let mut found = Vec::new();
        find_faults(&logged["Plan"], &mut found);
        let may_walk = WALKERS.iter().any(|walker| statement.contains(walker));
        found.retain(|fault| fault != WALKS_A_RUN || !may_walk);
        for fault in found {
            faults.entry(fault).or_default().insert(statement.clone());
        }
        seen.insert(statement);
    }
    for part in [
        "INSERT INTO delivery",
        "UPDATE delivery",
        "DELETE FROM pending_delivery",
        "UPDATE chunk",
        "SELECT accept_calls_1",
    ] {
        assert!(seen.iter().any(|statement| statement.contains(part)), "no plan of {part}: {seen:#?}");
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn planted_faults_are_found() {
    let scan = |name: &str| serde_json::json!({"Node Type": "Seq Scan", "Relation Name": name});
    let array = serde_json::json!({"Node Type": "Function Scan", "Function Name": "unnest"});
    let hash = serde_json::json!({"Node Type": "Hash", "Plans": [array]});
    let join = |outer: &Value, inner: &Value| serde_json::json!({"Node Type": "Nested Loop", "Plans": [outer, inner]});
    let count = |plan: &Value| {
        let mut found = Vec::new();
        find_faults(plan, &mut found);
        found.len()
    };
    assert_eq!(count(&scan("delivery_20261125")), 1);
    assert_eq!(count(&scan("replica")), 0);
    assert_eq!(count(&join(&array, &scan("chunk"))), 1);
    assert_eq!(count(&join(&scan("replica"), &array)), 1);
    assert_eq!(count(&join(&array, &hash)), 0);
    assert_eq!(plans("x LOG:  duration: 1 ms  plan:\n\t{\"Plan\":\n\t{}}\nother\n").len(), 1);
}
