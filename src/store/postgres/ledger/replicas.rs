//! The trait [`Replicas`]: leases on the server's clock, one row a process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::PostgresLedger;
use super::rows::{get, small};
use crate::domain::name::RunId;
use crate::store::StoreError;
use crate::store::replicas::{Lease, Replicas, Told};
use crate::store::runs::{ChunkId, Fence};

/// How long a lease runs: a replica that ended is followed by others after at most this and their next look.
const LEASE: Duration = Duration::from_secs(8);

/// `ran_out` says that others may have taken what was owned. The comparison is made when the row is held, so that
/// a replica that takes over just then is either seen here or sees this.
const RENEW: &str = "
    INSERT INTO replica AS r (owner, lease_until, ran_out)
    VALUES ($1, clock_timestamp() + $2 * interval '1 microsecond', true)
    ON CONFLICT (owner) DO UPDATE
        SET ran_out = r.lease_until <= clock_timestamp(), lease_until = excluded.lease_until
    RETURNING ran_out";

const OWNED: &str = sql!("SELECT run, n, fence FROM chunk WHERE owner = $1 AND state = {chunk.open}");

const GIVE_BACK: &str = sql!(
    "
    WITH chunks AS (UPDATE chunk SET owner = NULL WHERE owner = $1 AND state = {chunk.open}),
    runs AS (UPDATE run SET owner = NULL WHERE state IN {run.under_way} AND owner = $1)
    DELETE FROM replica WHERE owner = $1"
);

/// Long enough that nothing of it is owned any more: whatever it had was free from the end of its lease on.
const FORGET: &str = sql!(
    "
    DELETE FROM replica p WHERE p.lease_until < clock_timestamp() - interval '1 hour'
        AND NOT EXISTS (SELECT 1 FROM chunk c WHERE c.owner = p.owner AND c.state = {chunk.open})"
);

#[async_trait]
impl Replicas for PostgresLedger {
    async fn renew(&self, owner: &str) -> Result<Lease, StoreError> {
        let asked = Instant::now();
        let length = i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX) as f64;
        let mut session = self.database.ledger().await?;
        let row = session.one(RENEW, &[&owner, &length]).await?;
        let mut lease = Lease { until: asked + LEASE, lost: None };
        if get(&row, 0)? {
            let owned = session.query(OWNED, &[&owner]).await?;
            let owned = owned.iter().map(|row| {
                let chunk = ChunkId { run: RunId(get(row, 0)?), n: small(get::<i32>(row, 1)?.into())? };
                Ok((chunk, Fence(get(row, 2)?)))
            });
            lease.lost = Some(owned.collect::<Result<_, StoreError>>()?);
        }
        Ok(lease)
    }

    fn renew_every(&self) -> Duration {
        LEASE / 4
    }

    async fn give_back(&self, owner: &str) -> Result<(), StoreError> {
        {
            let mut session = self.database.ledger().await?;
            session.query(GIVE_BACK, &[&owner]).await?;
        }
        self.ring().await
    }

    fn work(&self) -> Arc<Notify> {
        Arc::clone(&self.work)
    }

    async fn told(&self) -> Told {
        match self.hears.lock().await.recv().await {
            Some(told) => told,
            None => std::future::pending().await,
        }
    }
}

impl PostgresLedger {
    /// Forgets processes that ended long ago.
    pub(super) async fn forget_replicas(
        database: &crate::store::postgres::PostgresDatabase,
    ) -> Result<(), StoreError> {
        database.ledger().await?.query(FORGET, &[]).await.map(drop)
    }
}
