//! The same ledger from a PostgreSQL server: plain SQL of the checker's own, over a connection of its own.

use std::collections::BTreeMap;

use tokio_postgres::{Client, Row};

use super::ledger::{Call, Delivery, Ledger, Run, add_counts, distances};

const CALLS: &str =
    "SELECT c.id, c.state, v.content FROM call c LEFT JOIN version v ON v.id = c.version WHERE c.state <> 6";
const RUNS: &str = "SELECT r.id, c.id, r.scenario, r.state, r.audience, r.error
    FROM run r JOIN call c ON c.seq = r.call ORDER BY r.id";
const CHUNKS: &str =
    "SELECT c.run, CASE WHEN c.from_chunk IS NULL THEN k.customers ELSE '' END, c.state, c.counts
    FROM chunk c JOIN chunk_customers k ON k.run = c.run AND k.n = c.n ORDER BY c.run, c.n";
const DELIVERIES: &str =
    "SELECT run, customer, node, channel, state, reason FROM delivery ORDER BY run, customer, node";

/// Every index of the schema against its table, every entry of it, and every row of every table.
const INTEGRITY: &str = "
    SELECT bt_index_check(i.indexrelid, true)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
    WHERE c.relnamespace = current_schema()::regnamespace AND a.amname = 'btree' AND c.relkind = 'i'";
const ROWS: &str = "
    SELECT c.relname::text || ': ' || v.msg FROM pg_class c, verify_heapam(c.oid) v
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'";

impl Ledger {
    /// Reads the schema that the connection's search path names, as one moment shows it. Nobody may be writing to it,
    /// unless within the connection's own transaction.
    pub async fn read_from(client: &Client) -> Self {
        let customers: BTreeMap<i64, String> = query(client, "SELECT key, registered FROM customer")
            .await
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        let calls = query(client, CALLS).await;
        let call = |row: &Row| Call { state: row.get::<_, i16>(1).into(), sources: row.get(2) };
        let mut runs: Vec<(i64, Run)> = query(client, RUNS).await.iter().map(run).collect();
        let places: BTreeMap<i64, usize> =
            runs.iter().enumerate().map(|(place, (id, _))| (*id, place)).collect();
        let registered = |key: i64| customers.get(&key).cloned().unwrap_or_else(|| format!("key {key}"));
        for row in query(client, CHUNKS).await {
            // What belongs to no run is not anybody's; messages that do are found by the record.
            let Some(place) = places.get(&row.get(0)) else { continue };
            add_chunk(&mut runs[*place].1, &row, &registered);
        }
        for row in query(client, DELIVERIES).await {
            let Some(place) = places.get(&row.get(0)) else { continue };
            runs[*place].1.deliveries.push(Delivery {
                customer: registered(row.get(1)),
                node: u16::try_from(row.get::<_, i32>(2)).unwrap(),
                channel: row.get(3),
                state: row.get::<_, i16>(4).into(),
                reason: row.get(5),
            });
        }
        Self {
            calls: calls.iter().map(|row| (row.get(0), call(row))).collect(),
            runs: runs.into_iter().map(|(_, run)| run).collect(),
        }
    }

    /// A damaged database proves nothing. Needs the rights of a superuser.
    pub async fn assert_intact(client: &Client) {
        let extension = "CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA pg_catalog";
        client.batch_execute(extension).await.unwrap();
        let indexes = query(client, INTEGRITY).await;
        assert!(!indexes.is_empty(), "there is nothing to check");
        let damaged: Vec<String> = query(client, ROWS).await.iter().map(|row| row.get(0)).collect();
        assert!(damaged.is_empty(), "{damaged:#?}");
    }
}

async fn query(client: &Client, sql: &str) -> Vec<Row> {
    client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
}

fn run(row: &Row) -> (i64, Run) {
    let run = Run {
        call: row.get(1),
        scenario: row.get(2),
        state: row.get::<_, i16>(3).into(),
        audience: row.get(4),
        error: row.get(5),
        members: Vec::new(),
        open_chunks: 0,
        journeys: 0,
        counted: BTreeMap::new(),
        deliveries: Vec::new(),
    };
    (row.get(0), run)
}

fn add_chunk(run: &mut Run, row: &Row, registered: &impl Fn(i64) -> String) {
    run.members.extend(distances(row.get(1)).into_iter().map(registered));
    run.open_chunks += i64::from(row.get::<_, i16>(2) == 0);
    if let Some(counts) = row.get::<_, Option<String>>(3) {
        add_counts(run, &serde_json::from_str(&counts).unwrap());
    }
}
