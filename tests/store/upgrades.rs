//! What the version before wrote is brought forward in place, and on PostgreSQL its replicas go on beside the new ones.

use std::sync::Arc;

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::DeliveryId;
use fanfare::domain::name::{NodeIndex, RunId};
use fanfare::domain::state::DeliveryState::{self, Held, Retrying, Sent};
use fanfare::store::deliveries::{Deliveries, Delivery};
use fanfare::store::postgres::{PostgresAddress, PostgresDatabase, PostgresLedger};
use fanfare::store::run_log::{DeliveryFilter, RunLog};
use fanfare::store::sqlite::Ledger;

use crate::harness::Postgres;
use crate::schema::session;

/// The schema of PostgreSQL as the version before made it.
const POSTGRES_BEFORE: [&str; 11] = [
    include_str!("../../src/store/postgres/migrations/ledger_1.sql"),
    include_str!("../../src/store/postgres/migrations/customers_1.sql"),
    include_str!("../../src/store/postgres/migrations/ledger_2.sql"),
    include_str!("../../src/store/postgres/migrations/ledger_3.sql"),
    include_str!("../../src/store/postgres/migrations/ledger_4.sql"),
    include_str!("../../src/store/postgres/migrations/ledger_5.sql"),
    include_str!("../../src/store/postgres/migrations/ledger_6.sql"),
    include_str!("../../src/store/postgres/migrations/ledger_7.sql"),
    include_str!("../../src/store/postgres/migrations/ledger_8.sql"),
    include_str!("../../src/store/postgres/migrations/ledger_9.sql"),
    include_str!("../../src/store/postgres/migrations/ledger_10.sql"),
];

/// The same of the ledger's file.
const SQLITE_BEFORE: [&str; 8] = [
    include_str!("../../src/store/sqlite/migrations/ledger_1.sql"),
    include_str!("../../src/store/sqlite/migrations/ledger_2.sql"),
    include_str!("../../src/store/sqlite/migrations/ledger_3.sql"),
    include_str!("../../src/store/sqlite/migrations/ledger_4.sql"),
    include_str!("../../src/store/sqlite/migrations/ledger_5.sql"),
    include_str!("../../src/store/sqlite/migrations/ledger_6.sql"),
    include_str!("../../src/store/sqlite/migrations/ledger_7.sql"),
    include_str!("../../src/store/sqlite/migrations/ledger_8.sql"),
];

/// A call with one run, which `run` writes, and one chunk of four customers; the second's delivery waits, the third's is held,
/// the fourth has none.
fn call(run: &str) -> String {
    format!(
        "INSERT INTO call (id, trigger_name, received_at, state, http_status) VALUES ('a', 't', 1, 1, 202);
        {run};
        INSERT INTO chunk (run, n, first_key, last_key, size, position, state, fence) VALUES (1, 0, 1, 4, 4, 3, 0, 7);"
    )
}

fn id(customer: i64) -> DeliveryId {
    DeliveryId::to_only_target(RunId(1), CustomerKey(customer), NodeIndex(0))
}

/// Customers with the states of their deliveries.
fn states(rows: &[Delivery]) -> Vec<(i64, DeliveryState)> {
    rows.iter().map(|row| (row.id.customer.0, row.state)).collect()
}

async fn assert_kept(deliveries: &dyn Deliveries, log: &dyn RunLog) {
    let rows = deliveries.get(&[1, 2, 3, 4].map(id)).await.unwrap();
    assert_eq!(states(&rows), [(1, Sent), (2, Retrying), (3, Held)]);
    assert_eq!(rows[0].segments, Some(2));
    let held = log.deliveries(DeliveryFilter { state: Some(Held), after: None, limit: 9 }).await.unwrap();
    let held: Vec<Delivery> = held.into_iter().map(|record| record.delivery).collect();
    assert_eq!(states(&held), [(3, Held)]);
}

#[tokio::test]
async fn a_ledger_in_a_file_keeps_its_deliveries() {
    let folder = tempfile::tempdir().unwrap();
    let file = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
    SQLITE_BEFORE.iter().for_each(|migration| file.execute_batch(migration).unwrap());
    file.pragma_update(None, "user_version", 8).unwrap();
    let run = "INSERT INTO run (id, call, scenario, state, audience, started_at) VALUES (1, 1, 's', 1, 4, 1)";
    let deliveries = "INSERT INTO delivery (run, customer, node, channel, state, attempt, segments)
        VALUES (1, 3, 0, 'sms', 6, 1, 1), (1, 1, 0, 'sms', 3, 1, 2), (1, 2, 0, 'sms', 2, 1, 1)";
    file.execute_batch(&format!("{}{deliveries}", call(run))).unwrap();
    drop(file);
    let ledger = Ledger::open(folder.path()).unwrap();
    assert_kept(&ledger, &ledger).await;
    ledger.close().await;
}

/// Rows of another run, so many that their index is built ahead of the migration.
const MANY: i64 = 200_000;

#[tokio::test]
async fn a_ledger_on_a_server_keeps_its_deliveries_and_serves_replicas_of_before() {
    let (address, tenant): (PostgresAddress, _) =
        (Postgres::shared().url().parse().unwrap(), Postgres::tenant());
    let before = session(&tenant).await;
    let schema = tenant.schema();
    before
        .batch_execute(&format!(
            "CREATE SCHEMA {schema}; CREATE TABLE schema_version (
                version int PRIMARY KEY, needs int NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
            INSERT INTO schema_version (version, needs) SELECT n, 2 FROM generate_series(1, 11) n;"
        ))
        .await
        .unwrap();
    for migration in POSTGRES_BEFORE {
        before.batch_execute(migration).await.unwrap();
    }
    let run = "INSERT INTO run (id, call, accepted_at, scenario, state, audience, started_at)
        OVERRIDING SYSTEM VALUE VALUES (1, 1, 1, 's', 1, 4, 1)";
    let deliveries = format!(
        "INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt, segments)
            VALUES (1, 3, 0, 1, 'sms', 6, 1, 1), (1, 1, 0, 1, 'sms', 3, 1, 2), (1, 2, 0, 1, 'sms', 2, 1, 1);
        INSERT INTO pending_delivery (run, customer, node, accepted_at, channel, state)
            VALUES (1, 3, 0, 1, 'sms', 6), (1, 2, 0, 1, 'sms', 2);
        INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt, address)
            SELECT 2, n, 0, 1, 'sms', 3, 1, repeat('4', 60) FROM generate_series(1, {MANY}) n;"
    );
    before.batch_execute(&format!("{}{deliveries}", call(run))).await.unwrap();
    // One that was interrupted while it built the index ahead of the migration.
    before
        .batch_execute(
            "ALTER TABLE delivery ADD COLUMN target int NOT NULL DEFAULT 0;
            CREATE INDEX delivery_default_by_target ON delivery_default (run);
            UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'delivery_default_by_target'::regclass;",
        )
        .await
        .unwrap();

    let database = Arc::new(PostgresDatabase::open(&address, &tenant).await.unwrap());
    let ledger = PostgresLedger::open(database).await.unwrap();
    assert_kept(&ledger, &ledger).await;
    let keys = "SELECT c.conrelid::regclass::text, pg_get_constraintdef(c.oid) FROM pg_constraint c
        WHERE c.contype = 'p' AND c.conrelid IN (SELECT relid FROM pg_partition_tree('delivery'))";
    for row in before.query(keys, &[]).await.unwrap() {
        let (table, key): (String, String) = (row.get(0), row.get(1));
        assert_eq!(key, "PRIMARY KEY (run, customer, node, target, accepted_at)", "{table}");
    }
    let left_over = "SELECT count(*) FROM pg_class
        WHERE relname LIKE '%by_target' AND relnamespace = current_schema()::regnamespace";
    assert_eq!(before.query_one(left_over, &[]).await.unwrap().get::<_, i64>(0), 0);

    assert_replicas_of_before_are_served(&before).await;
    let rows = ledger.get(&[2, 3, 4].map(id)).await.unwrap();
    assert_eq!(states(&rows), [(2, Sent), (3, Sent), (4, Retrying)]);
    let waiting = "SELECT customer, state FROM pending_delivery ORDER BY customer";
    let waiting: Vec<(i64, i16)> =
        before.query(waiting, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(waiting, [(4, 2)]);
    ledger.close().await;
}

/// The calls of the functions that a step of the version before makes: it opens the second's delivery again and writes what
/// came of it, decides about the fourth's, twice, and has the outcome of the third's after all.
async fn assert_replicas_of_before_are_served(before: &tokio_postgres::Client) {
    let held = "hold_chunks_1('{1}', '{0}') AS h (held)";
    before
        .execute("UPDATE delivery SET doubtful = true, fence = 7 WHERE customer = 3 AND run = 1", &[])
        .await
        .unwrap();
    let open = format!(
        "SELECT open_again_1(h.held, 2, false, 1, 1, '{{1}}', '{{2}}', '{{0}}', '{{0}}', '{{7}}', '{{2}}', '{{+43}}',
            ARRAY[decode(repeat('07', 16), 'hex')], ARRAY[NULL::smallint], '{{NULL}}') FROM {held}"
    );
    assert_eq!(before.query_one(&open, &[]).await.unwrap().get::<_, Vec<i16>>(0), [0]);
    let first = format!(
        "SELECT open_first_1(h.held, 2, false, 1, 1, '{{1}}', '{{4}}', '{{0}}', '{{0}}', '{{7}}', '{{1}}', '{{sms}}', '{{1}}',
            '{{+43}}', ARRAY[decode(repeat('07', 16), 'hex')], ARRAY[NULL::smallint], '{{NULL}}') FROM {held}"
    );
    assert_eq!(before.query_one(&first, &[]).await.unwrap().get::<_, Vec<i16>>(0), [0]);
    assert_eq!(
        before.query_one(&first, &[]).await.unwrap().get::<_, Vec<i16>>(0),
        [2],
        "it was opened before"
    );
    let outcomes =
        "SELECT write_outcomes_1(3, 1, 1, '{1,1}', '{2,3}', '{0,0}', '{2,1}', '{7,7}', '{2,1}', '{3,3}',
        '{f,f}', '{p,q}', '{NULL,NULL}', '{NULL,NULL}', '{t,t}')";
    assert!(before.query_one(outcomes, &[]).await.unwrap().get::<_, bool>(0), "one was held");
    let decided = format!(
        "SELECT write_decided_1(h.held, 4, 1, 1, '{{1}}', '{{4}}', '{{0}}', '{{0}}', '{{7}}', '{{1}}', '{{sms}}', '{{2}}',
            '{{t}}', '{{later}}', '{{9}}', '{{f}}') FROM {held}"
    );
    for _ in 0..2 {
        assert!(before.query_one(&decided, &[]).await.unwrap().get::<_, bool>(0));
    }
}
