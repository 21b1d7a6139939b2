//! Migrates a tenant's schema, once, by whichever of several replicas comes first.
//!
//! Migrations only go forward, and the version before must keep working on each: replicas are replaced one by one.

use std::time::{Duration, Instant};

use super::address::PostgresAddress;
use super::database::PostgresOpenError;
use super::session::Session;
use crate::store::StoreError;

/// A step of the schema.
struct Migration {
    sql: &'static str,
    /// The oldest schema a program must know to work on this one.
    needs: i32,
}

/// The schema, step by step; it only ever grows at its end.
const MIGRATIONS: &[Migration] = &[
    Migration { sql: include_str!("migrations/ledger_1.sql"), needs: 1 },
    Migration { sql: include_str!("migrations/customers_1.sql"), needs: 2 },
    Migration { sql: include_str!("migrations/ledger_2.sql"), needs: 2 },
    Migration { sql: include_str!("migrations/ledger_3.sql"), needs: 2 },
    Migration { sql: include_str!("migrations/ledger_4.sql"), needs: 2 },
    Migration { sql: include_str!("migrations/ledger_5.sql"), needs: 2 },
    Migration { sql: include_str!("migrations/ledger_6.sql"), needs: 2 },
    Migration { sql: include_str!("migrations/ledger_7.sql"), needs: 2 },
    Migration { sql: include_str!("migrations/ledger_8.sql"), needs: 2 },
    Migration { sql: include_str!("migrations/ledger_9.sql"), needs: 2 },
    Migration { sql: include_str!("migrations/ledger_10.sql"), needs: 2 },
];

/// How often the lock is asked for: one who waits for it inside PostgreSQL would hold a snapshot meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long another replica may take to migrate.
const OTHERS_TIME_MAX: Duration = Duration::from_secs(600);

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
