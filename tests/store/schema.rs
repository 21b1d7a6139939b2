//! The schema on PostgreSQL: brought forward by one while others wait, worked on when it is newer and still serves,
//! and made so that what grows with the customers can be distributed by them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fanfare::store::customers::Customers;
use fanfare::store::postgres::{
    PostgresAddress, PostgresCustomers, PostgresDatabase, PostgresLedger, PostgresOpenError, Tenant,
};
use regex::Regex;
use serde_json::json;

use crate::customers::customer;
use crate::harness::{Postgres, until_true};

fn address() -> PostgresAddress {
    Postgres::shared().url().parse().unwrap()
}

/// A session beside Fanfare's, in the tenant's schema.
pub async fn session(tenant: &Tenant) -> tokio_postgres::Client {
    let url = Postgres::shared().url();
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("SET search_path = {}", tenant.schema())).await.unwrap();
    client
}

/// Waits until the application has asked three times the like, and never waited for a lock meanwhile.
pub async fn until_asked(session: &tokio_postgres::Client, application: &str, like: &str) {
    let asked = "SELECT max(query_start)::text, count(*) FILTER (WHERE wait_event_type = 'Lock')
        FROM pg_stat_activity WHERE application_name = $1 AND query LIKE $2";
    let (mut times, mut before) = (0, None);
    until_true("three questions", async || {
        let row = session.query_one(asked, &[&application, &like]).await.unwrap();
        assert_eq!(row.get::<_, i64>(1), 0, "it waits for the lock inside PostgreSQL");
        let last: Option<String> = row.get(0);
        if last.is_some() && last != before {
            (times, before) = (times + 1, last);
        }
        times >= 3
    })
    .await;
}

#[tokio::test]
async fn a_newer_schema_that_still_serves_is_worked_on_and_another_is_refused() {
    let tenant = Postgres::tenant();
    drop(PostgresDatabase::open(&address(), &tenant).await.unwrap());
    let session = session(&tenant).await;
    let known: i32 = session.query_one("SELECT max(version) FROM schema_version", &[]).await.unwrap().get(0);
    let newer = "INSERT INTO schema_version (version, needs) VALUES ($1, $2)";
    session.execute(newer, &[&(known + 7), &known]).await.unwrap();
    let database = Arc::new(PostgresDatabase::open(&address(), &tenant).await.unwrap());
    let store = PostgresCustomers::open(database);
    assert!(store.upsert_customers(vec![customer("ann", &json!({}))]).await.unwrap()[0].is_ok());
    store.close().await;
    session.execute(newer, &[&(known + 8), &(known + 1)]).await.unwrap();
    let refused = PostgresDatabase::open(&address(), &tenant).await.unwrap_err();
    assert!(matches!(refused, PostgresOpenError::Newer { .. }), "{refused:?}");
    let words = refused.to_string();
    for number in [known + 8, known + 1, known] {
        assert!(words.contains(&number.to_string()), "{words}");
    }
    let versions: i64 = session.query_one("SELECT count(*) FROM schema_version", &[]).await.unwrap().get(0);
    assert_eq!(versions, i64::from(known) + 2, "whoever is refused leaves it as it is");
}

/// Waiting for it inside PostgreSQL would hold a snapshot, and fail by the session's own timeouts.
#[tokio::test]
async fn who_finds_another_migrating_asks_again_until_it_is_done() {
    let tenant = Postgres::tenant();
    let session = session(&tenant).await;
    let lock = "SELECT pg_advisory_lock(hashtextextended($1, 1))";
    session.query_one(lock, &[&tenant.schema()]).await.unwrap();
    let name = format!("waits-for-{}", tenant.schema());
    let address: PostgresAddress =
        format!("{}?application_name={name}", Postgres::shared().url()).parse().unwrap();
    let opening = {
        let tenant = tenant.clone();
        tokio::spawn(async move { PostgresDatabase::open(&address, &tenant).await.map(drop) })
    };
    until_asked(&session, &name, "%pg_try_advisory_lock%").await;
    assert!(!opening.is_finished());
    session.query_one("SELECT pg_advisory_unlock_all()::text", &[]).await.unwrap();
    opening.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_open_a_new_tenant_at_once_all_succeed() {
    let (address, tenant) = (address(), Postgres::tenant());
    let opening = (0..5).map(|_| {
        let (address, tenant) = (address.clone(), tenant.clone());
        tokio::spawn(async move {
            let database = Arc::new(PostgresDatabase::open(&address, &tenant).await.unwrap());
            PostgresLedger::open(database).await.unwrap()
        })
    });
    for opened in futures_util::future::join_all(opening).await {
        opened.unwrap().close().await;
    }
}

/// Citus distributes a table by a column only if each of its unique keys has it, and nothing refers to it or from it.
#[tokio::test]
async fn deliveries_can_be_distributed_by_customer() {
    let tenant = Postgres::tenant();
    let database = Arc::new(PostgresDatabase::open(&address(), &tenant).await.unwrap());
    PostgresLedger::open(database).await.unwrap().close().await;
    let session = session(&tenant).await;
    let tables =
        "SELECT relid::regclass::text FROM pg_partition_tree('delivery') UNION ALL SELECT 'pending_delivery'";
    let tables: Vec<String> =
        session.query(tables, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(tables.len() > 3, "{tables:?}");
    let asked = "SELECT count(*) FILTER (WHERE attnum = ANY (indkey)), count(*) FILTER (WHERE NOT attnum = ANY (indkey)),
            (SELECT count(*) FROM pg_constraint
                WHERE contype = 'f' AND (conrelid = $1::text::regclass OR confrelid = $1::text::regclass))
        FROM pg_index JOIN pg_attribute ON attrelid = indrelid
        WHERE indrelid = $1::text::regclass AND attname = 'customer' AND indisunique";
    for table in tables {
        let row = session.query_one(asked, &[&table]).await.unwrap();
        let (with, without, references): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        assert!(with > 0 && without == 0 && references == 0, "{table}: {row:?}");
    }
}

/// Rows of a distributed table cannot be locked by a statement that has others in it.
#[test]
fn no_statement_locks_deliveries_by_name() {
    let clause = Regex::new(r"FOR (NO KEY UPDATE|KEY SHARE|UPDATE|SHARE)\b").unwrap();
    let deliveries = Regex::new(r"\b(pending_)?delivery(_default)?\b").unwrap();
    let comment = Regex::new(r"(?m)(^\s*//|--).*$").unwrap();
    let mut clauses = 0;
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/postgres")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let text = comment.replace_all(&text, "");
        for found in clause.find_iter(&text) {
            clauses += 1;
            let before = &text[..found.start()];
            let begins = ["SELECT", "PERFORM"].iter().filter_map(|word| before.rfind(word)).max().unwrap();
            let statement = &text[begins..found.end()];
            assert!(!deliveries.is_match(statement), "{}: {statement}", path.display());
        }
    }
    assert!(clauses > 10, "only {clauses} were looked at");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(sources(&path)) } else { found.push(path) }
    }
    found
}
