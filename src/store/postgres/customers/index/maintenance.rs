//! The task that fills and drops indexes in the background, a small batch a time. While other sessions are at work in the
//! database, it pauses after each batch for as long as that took.
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
use crate::store::load_of_others::LoadOfOthers;
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
/// How often other sessions are looked at.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// What sessions of other roles do is not shown, unless this one may see it.
const OTHERS_AT_WORK: &str = "SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
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
        let mut others = Others::unknown();
        while let Some(index) = first_to_fill(session).await? {
            fill(session, index, &mut others).await?;
        }
        end_graces(session, self.grace.as_secs_f64()).await?;
        while let Some(mut index) = first_dropping(session).await? {
            settle(session).await?;
            analyze(session, &index.need).await?;
            let mut pace = Pace::new(CUSTOMERS_FIRST, CUSTOMERS_MAX);
            loop {
                let customers = pace.rows();
                let began = Instant::now();
                if !pace.keep(drop_batch(session, &mut index, customers)).await? {
                    break;
                }
                tokio::time::sleep(began.elapsed()).await;
            }
        }
        Ok(())
    }
}

async fn first_to_fill(session: &mut Session) -> Result<Option<SideIndex>, StoreError> {
    let indexes = side_indexes(&session.query(KEPT, &[]).await?)?;
    Ok(indexes.into_iter().find(|index| index.needed && !index.complete))
}

async fn fill(session: &mut Session, mut index: SideIndex, others: &mut Others) -> Result<(), StoreError> {
    if index.filled_to < 0 {
        settle(session).await?;
    }
    let mut pace = Pace::new(CUSTOMERS_FIRST, CUSTOMERS_MAX);
    loop {
        let customers = pace.rows();
        let began = Instant::now();
        if !pace.keep(add_batch(session, &mut index, customers)).await? {
            break;
        }
        let worked = began.elapsed();
        if !others.are_idle(session).await? {
            tokio::time::sleep(worked).await;
        }
    }
    analyze(session, &index.need).await?;
    complete(session, &index).await
}

/// Waits until every transaction has ended that may not know of a change of the indexes which is seen here: a writer has a
/// number before it asserts which indexes there are.
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

/// The other sessions of the database, of this process and of other replicas.
struct Others {
    load: LoadOfOthers,
    at: Instant,
}

impl Others {
    fn unknown() -> Self {
        Others { load: LoadOfOthers::unknown(), at: Instant::now() }
    }

    /// Whether they hardly do anything. The server is asked now and then how many are at work at that moment.
    async fn are_idle(&mut self, session: &mut Session) -> Result<bool, StoreError> {
        let passed = self.at.elapsed();
        if passed >= ASK_EVERY {
            let working: i64 = session.one(OTHERS_AT_WORK, &[]).await?.get(0);
            self.load.note(if working > 0 { 1.0 } else { 0.0 }, passed);
            self.at = Instant::now();
        }
        Ok(self.load.is_idle())
    }
}
