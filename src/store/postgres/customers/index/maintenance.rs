//! The one who fills and drops indexes in the background, a small batch a time, with a pause as long as the batch.
//!
//! Of several replicas it is the one that holds an advisory lock, on the very connection it works on: when that is
//! lost, so is the lock, and another replica goes on. Others ask for the lock again and again and never wait for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::drop::{drop_batch, end_graces, first_dropping};
use super::fill::{add_batch, analyze, complete};
use super::registry::{KEPT, side_indexes};
use super::require::Needs;
use crate::store::StoreError;
use crate::store::postgres::PostgresDatabase;
use crate::store::postgres::session::Session;
use crate::store::side_index::SideIndex;

/// How often it looks for something to do, and for the lock.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How soon, and how seldom at last, it looks whether older transactions have ended.
const SETTLE_FIRST: Duration = Duration::from_millis(10);
const SETTLE_MAX: Duration = Duration::from_secs(5);
/// How long one batch should take: half of what it may.
const BATCH_TIME: Duration = Duration::from_millis(10);
/// How many customers a batch reads at first, and at most.
const CUSTOMERS_FIRST: i64 = 200;
const CUSTOMERS_MAX: i64 = 4_000;

const IS_WORK: &str =
    "SELECT EXISTS (SELECT FROM side_index WHERE state = 2 OR state = 0 AND unneeded_since IS NULL
     OR unneeded_since <= clock_timestamp() - make_interval(secs => $1))";
const LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended($1, 2))";
const UNLOCK: &str = "SELECT pg_advisory_unlock(hashtextextended($1, 2))";
/// A replica that is stopped while it holds the lock loses it. What filling has written may be lost in a crash, because
/// how far it came is lost with it; so nobody waits for the disk while a batch holds rows.
const BEGIN: &str = "SET idle_session_timeout = '10s'; SET synchronous_commit = off";
const END: &str = "RESET idle_session_timeout; RESET synchronous_commit";
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
        let Some(mut held) = Held::lock(session, self.database.schema()).await? else { return Ok(()) };
        let worked = self.fill_and_drop(&mut held.session).await;
        held.unlock(self.database.schema(), worked.is_ok()).await;
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
            let mut pace = Pace::new();
            while pace.keep(drop_batch(session, &mut index, pace.customers)).await? {}
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
    let mut pace = Pace::new();
    while pace.keep(add_batch(session, &mut index, pace.customers)).await? {}
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

/// How many customers a batch takes, by how long the last one took.
struct Pace {
    customers: i64,
}

impl Pace {
    fn new() -> Self {
        Pace { customers: CUSTOMERS_FIRST }
    }

    /// Waits for a batch, then as long as it took.
    async fn keep(
        &mut self,
        batch: impl Future<Output = Result<bool, StoreError>>,
    ) -> Result<bool, StoreError> {
        let began = Instant::now();
        let is_more = batch.await?;
        let took = began.elapsed();
        if took > 2 * BATCH_TIME {
            self.customers = (self.customers / 2).max(1);
        } else if took < BATCH_TIME {
            self.customers = (self.customers * 2).min(CUSTOMERS_MAX);
        }
        if is_more {
            tokio::time::sleep(took).await;
        }
        Ok(is_more)
    }
}

/// A connection that holds the lock. Unless it was given back it is closed, and the lock with it.
struct Held {
    session: Session,
    is_unlocked: bool,
}

impl Held {
    async fn lock(session: Session, schema: &str) -> Result<Option<Self>, StoreError> {
        let mut held = Held { session, is_unlocked: false };
        if !held.session.one(LOCK, &[&schema]).await?.get::<_, bool>(0) {
            held.is_unlocked = true;
            return Ok(None);
        }
        held.session.run(BEGIN).await?;
        Ok(Some(held))
    }

    async fn unlock(mut self, schema: &str, is_sound: bool) {
        self.is_unlocked = is_sound
            && self.session.run(END).await.is_ok()
            && self.session.query(UNLOCK, &[&schema]).await.is_ok();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.is_unlocked {
            self.session.throw_away();
        }
    }
}
