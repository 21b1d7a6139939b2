//! Migrates a tenant's schema, once, by whichever of several replicas comes first.
//!
//! Migrations only go forward, and the version before must keep working on each: replicas are replaced one by one.

use std::time::{Duration, Instant};

use super::address::PostgresAddress;
use super::database::PostgresOpenError;
use super::session::Session;
use super::settings::{CUSTOMERS, to_make_again};
use crate::store::StoreError;

/// A step of the schema.
struct Migration {
    sql: &'static str,
    /// The oldest schema a program must know to work on this one.
    needs: i32,
    /// What takes long and is done before it, beside replicas that work.
    ahead: Option<IndexAhead>,
}

impl Migration {
    const fn new(sql: &'static str, needs: i32) -> Self {
        Migration { sql, needs, ahead: None }
    }
}

/// Indexes that large partitions of a table get before a migration makes them the table's, each by a statement of its own
/// that lets others write. A start that is interrupted meanwhile goes on behind those that are there.
struct IndexAhead {
    /// Adds what is indexed.
    column: &'static str,
    /// Gives the partitions of more than `$1` bytes that have no such index, named by the suffix `$2`, and whether one that was
    /// not finished stands there.
    partitions: &'static str,
    /// What follows a partition's name in the index's.
    suffix: &'static str,
    columns: &'static str,
}

const DELIVERY_BY_TARGET: IndexAhead = IndexAhead {
    column: "ALTER TABLE delivery ADD COLUMN IF NOT EXISTS target int NOT NULL DEFAULT 0",
    partitions: "
        SELECT c.relname::text, n.indexrelid IS NOT NULL
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        LEFT JOIN pg_index n ON n.indexrelid = to_regclass(c.relname || $2)
        WHERE i.inhparent = 'delivery'::regclass AND pg_relation_size(c.oid) > $1 AND n.indisvalid IS NOT true
        ORDER BY c.relname",
    suffix: "_by_target",
    columns: "run, customer, node, target, accepted_at",
};

/// A partition of fewer bytes is indexed by the migration itself, in well under a second.
const SMALL_PARTITION_BYTES: i64 = 16 * 1024 * 1024;
/// An index that is built beside writers waits until each transaction that began before is over, and takes as long as the
/// partition is large.
const WAIT_FOR_TRANSACTIONS: &str = "SET lock_timeout = '10min'; SET statement_timeout = 0";
/// How long the index of one partition may take.
const INDEX_TIME_MAX: Duration = Duration::from_secs(3_600);

/// The schema, step by step; it only ever grows at its end.
const MIGRATIONS: &[Migration] = &[
    Migration::new(include_str!("migrations/ledger_1.sql"), 1),
    Migration::new(include_str!("migrations/customers_1.sql"), 2),
    Migration::new(include_str!("migrations/ledger_2.sql"), 2),
    Migration::new(include_str!("migrations/ledger_3.sql"), 2),
    Migration::new(include_str!("migrations/ledger_4.sql"), 2),
    Migration::new(include_str!("migrations/ledger_5.sql"), 2),
    Migration::new(include_str!("migrations/ledger_6.sql"), 2),
    Migration::new(include_str!("migrations/ledger_7.sql"), 2),
    Migration::new(include_str!("migrations/ledger_8.sql"), 2),
    Migration::new(include_str!("migrations/ledger_9.sql"), 2),
    Migration::new(include_str!("migrations/ledger_10.sql"), 2),
    Migration {
        ahead: Some(DELIVERY_BY_TARGET),
        ..Migration::new(include_str!("migrations/ledger_11.sql"), 2)
    },
];

/// How often the lock is asked for: one who waits for it inside PostgreSQL would hold a snapshot meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long another replica may take to migrate.
const OTHERS_TIME_MAX: Duration = Duration::from_secs(7_200);

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (
    version int PRIMARY KEY, needs int NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
const IS_THERE: &str = "SELECT to_regclass('schema_version') IS NOT NULL";
const FOUND: &str = "SELECT version, needs FROM schema_version ORDER BY version DESC LIMIT 1";

pub(super) async fn migrate(
    session: &mut Session,
    schema: &str,
    address: &PostgresAddress,
) -> Result<(), PostgresOpenError> {
    let failed = |source| PostgresOpenError::Store { address: address.to_string(), source };
    if is_known(session, address).await? {
        return Ok(());
    }
    lock(session, schema).await.map_err(failed)?;
    let migrated = forward(session, schema, address).await;
    let unlocked = session.query("SELECT pg_advisory_unlock(hashtextextended($1, 1))", &[&schema]).await;
    migrated?;
    unlocked.map(drop).map_err(failed)
}

/// Whether nothing is to be done.
async fn is_known(session: &mut Session, address: &PostgresAddress) -> Result<bool, PostgresOpenError> {
    let failed = |source| PostgresOpenError::Store { address: address.to_string(), source };
    if !session.one(IS_THERE, &[]).await.map_err(failed)?.get::<_, bool>(0) {
        return Ok(false);
    }
    let Some(row) = session.first(FOUND, &[]).await.map_err(failed)? else { return Ok(false) };
    let (found, needed, known): (i32, i32, i32) = (row.get(0), row.get(1), known());
    if needed > known {
        return Err(PostgresOpenError::Newer { address: address.to_string(), found, needed, known });
    }
    Ok(found >= known)
}

fn known() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("migrations are written by hand, one at a time")
}

async fn lock(session: &mut Session, schema: &str) -> Result<(), StoreError> {
    let deadline = Instant::now() + OTHERS_TIME_MAX;
    loop {
        let asked = session.one("SELECT pg_try_advisory_lock(hashtextextended($1, 1))", &[&schema]).await?;
        if asked.get(0) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(StoreError::Unavailable("another replica has been migrating for too long".into()));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn forward(
    session: &mut Session,
    schema: &str,
    address: &PostgresAddress,
) -> Result<(), PostgresOpenError> {
    let failed = |source| PostgresOpenError::Store { address: address.to_string(), source };
    session.run(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await.map_err(failed)?;
    session.run(TABLE).await.map_err(failed)?;
    if is_known(session, address).await? {
        return Ok(());
    }
    let found = session.first(FOUND, &[]).await.map_err(failed)?.map_or(0, |row| row.get::<_, i32>(0));
    for (number, migration) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
        if let Some(ahead) = &migration.ahead {
            build_ahead(session, ahead).await.map_err(failed)?;
        }
        // One batch without a parameter is one transaction: a schema is never half of two.
        let sql = format!(
            "{}\n;INSERT INTO schema_version (version, needs) VALUES ({number}, {});",
            migration.sql, migration.needs
        );
        session.run(&sql).await.map_err(failed)?;
        tracing::info!(%address, schema, version = number, "the schema was brought forward");
    }
    Ok(())
}

async fn build_ahead(session: &mut Session, ahead: &IndexAhead) -> Result<(), StoreError> {
    session.run(ahead.column).await?;
    let partitions = session.query(ahead.partitions, &[&SMALL_PARTITION_BYTES, &ahead.suffix]).await?;
    if partitions.is_empty() {
        return Ok(());
    }
    session.run(WAIT_FOR_TRANSACTIONS).await?;
    for row in partitions {
        let (partition, is_unfinished): (String, bool) = (row.get(0), row.get(1));
        let index = format!("{partition}{}", ahead.suffix);
        tracing::info!(partition, index, "an index is built before the schema is brought forward");
        if is_unfinished {
            session.run_long(&format!("DROP INDEX CONCURRENTLY {index}"), INDEX_TIME_MAX).await?;
        }
        let columns = ahead.columns;
        let create = format!("CREATE UNIQUE INDEX CONCURRENTLY {index} ON {partition} ({columns})");
        session.run_long(&create, INDEX_TIME_MAX).await?;
    }
    session.run(&to_make_again(CUSTOMERS, &["lock_timeout", "statement_timeout"])).await
}
