//! The one who fills and drops indexes in the background, a small batch a time, with a pause as long as the batch.
//!
//! Of several replicas it is the one that holds the lock of [`Exclusive`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::drop::{drop_batch, end_graces, first_dropping};
use super::fill::{add_batch, analyze, complete};
use super::registry::{KEPT, side_indexes};
use super::require::Needs;
use crate::store::StoreError;
use crate::store::postgres::PostgresDatabase;
use crate::store::postgres::exclusive::{Exclusive, Work};
use crate::store::postgres::pace::Pace;
use crate::store::postgres::session::Session;
use crate::store::side_index::SideIndex;

/// How often it looks for something to do, and for the lock.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How soon, and how seldom at last, it looks whether older transactions have ended.
const SETTLE_FIRST: Duration = Duration::from_millis(10);
const SETTLE_MAX: Duration = Duration::from_secs(5);
/// How many customers a batch reads at first, and at most.
const CUSTOMERS_FIRST: i64 = 200;
const CUSTOMERS_MAX: i64 = 4_000;

const IS_WORK: &str = sql!(
    "SELECT EXISTS (SELECT FROM side_index WHERE state = {side_index.dropping}
     OR state = {side_index.filling} AND unneeded_since IS NULL
     OR unneeded_since <= clock_timestamp() - make_interval(secs => $1))"
);
/// This transaction's number: every writer's that was given before is smaller.
const NUMBER: &str = "SELECT pg_current_xact_id()::text";
const ARE_OLDER_ENDED: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8";

/// Fills and drops indexes of one tenant.
pub(in crate::store::postgres::customers) struct IndexMaintenance {
    /// The database.
    pub database: Arc<PostgresDatabase>,
    /// What this replica needs.
    pub needs: Arc<Needs>,
    /// How long an index is kept that no scenario needs.
    pub grace: Duration,
    /// Rings when the needs have changed.
    pub required: Arc<Notify>,
}

impl IndexMaintenance {
    /// Renews needs, fills and drops until the database is closed.
    pub(in crate::store::postgres::customers) async fn maintain(self) {
        tokio::select! {
            () = self.needs.renew(&self.database) => {}
            () = self.look() => {}
        }
    }

    async fn look(&self) {
        loop {
            match self.work().await {
                Ok(()) => {}
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "an index could not be filled further; trying again");
                }
            }
            tokio::select! {
                () = self.required.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Does all there is to do, if there is something and no other replica does it.
    async fn work(&self) -> Result<(), StoreError> {
        let mut session = self.database.customers().await?;
        if !session.one(IS_WORK, &[&self.grace.as_secs_f64()]).await?.get::<_, bool>(0) {
            return Ok(());
        }
        let locked = Exclusive::lock(session, self.database.schema(), Work::Indexes).await?;
        let Some(mut held) = locked else { return Ok(()) };
        let worked = self.fill_and_drop(&mut held.session).await;
        held.unlock(worked.is_ok()).await;
        worked
    }

    async fn fill_and_drop(&self, session: &mut Session) -> Result<(), StoreError> {
        while let Some(index) = first_to_fill(session).await? {
            fill(session, index).await?;
        }
        end_graces(session, self.grace.as_secs_f64()).await?;
        while let Some(mut index) = first_dropping(session).await? {
            settle(session).await?;
            analyze(session, &index.need).await?;
            let mut pace = Pace::new(CUSTOMERS_FIRST, CUSTOMERS_MAX);
            loop {
                let customers = pace.rows();
                if !keep(&mut pace, drop_batch(session, &mut index, customers)).await? {
                    break;
                }
            }
        }
        Ok(())
    }
}

async fn first_to_fill(session: &mut Session) -> Result<Option<SideIndex>, StoreError> {
    let indexes = side_indexes(&session.query(KEPT, &[]).await?)?;
    Ok(indexes.into_iter().find(|index| index.needed && !index.complete))
}

async fn fill(session: &mut Session, mut index: SideIndex) -> Result<(), StoreError> {
    if index.filled_to < 0 {
        settle(session).await?;
    }
    let mut pace = Pace::new(CUSTOMERS_FIRST, CUSTOMERS_MAX);
    loop {
        let customers = pace.rows();
        if !keep(&mut pace, add_batch(session, &mut index, customers)).await? {
            break;
        }
    }
    analyze(session, &index.need).await?;
    complete(session, &index).await
}

/// Waits until every transaction has ended that may not know of a change of the indexes which is seen here: whoever
/// writes has a number before it asserts which indexes there are.
async fn settle(session: &mut Session) -> Result<(), StoreError> {
    let number: String = session.one(NUMBER, &[]).await?.get(0);
    let mut pause = SETTLE_FIRST;
    while !session.one(ARE_OLDER_ENDED, &[&number]).await?.get::<_, bool>(0) {
        tokio::time::sleep(pause).await;
        pause *= 2;
        if pause > SETTLE_MAX {
            tracing::warn!("an index waits for a transaction of this server that has been writing for long");
            pause = SETTLE_MAX;
        }
    }
    Ok(())
}

/// Waits for a batch, then as long as it took.
async fn keep(
    pace: &mut Pace,
    batch: impl Future<Output = Result<bool, StoreError>>,
) -> Result<bool, StoreError> {
    let began = Instant::now();
    let is_more = pace.keep(batch).await?;
    if is_more {
        tokio::time::sleep(began.elapsed()).await;
    }
    Ok(is_more)
}
