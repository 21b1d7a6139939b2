//! The trait [`RetentionStore`] on the ledger's file: calls that are at their end and old, then what is left of their runs.
//!
//! What is to go is looked for by a reader; the writer looks at each again in the transaction that removes it. A file has one
//! holder and one writer, so nothing comes between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::Ledger;
use super::rows::timestamp;
use crate::store::StoreError;
use crate::store::retention::{Removal, RemovalBounds, RemovedBatch, RetentionStore, RowKind};
use crate::store::sqlite::SqliteDatabase;
use crate::store::sqlite::database::{CHECKPOINT_PAGES, PAGES_A_SMALL_CHECKPOINT};
use crate::store::sqlite::removal_time::batch_time;

/// How many calls are looked at a time.
const CALLS_A_LOOK: i64 = 512;
/// How many runs one batch takes at most.
const RUNS_A_BATCH: i64 = 256;
/// How many rows are removed between looks at the clock.
const ROWS_A_LOOK: i64 = 64;
/// How many keys of chunks are removed between looks at the clock: some kilobytes each.
const CHUNKS_A_LOOK: i64 = 8;
/// How many counts of refusals one batch removes.
const COUNTS_A_BATCH: i64 = 500;

/// Whether a call `c` may go: it is old, at its end, and so is every run of it. One in a state that this version does not
/// know stays.
macro_rules! may_go {
    () => {
        "c.received_at < ?2 AND c.state IN {call.ended}
         AND NOT EXISTS (SELECT 1 FROM run o WHERE o.call = c.seq AND o.state NOT IN {run.ended})"
    };
}

const CALLS_AFTER: &str = sql!(
    "SELECT c.seq, c.received_at < ?2, ",
    may_go!(),
    " FROM call c WHERE c.seq > ?1 ORDER BY c.seq LIMIT ?3"
);
const MAY_GO: &str = sql!("SELECT EXISTS (SELECT 1 FROM call c WHERE c.seq = ?1 AND ", may_go!(), ")");
const KEEP_NUMBERS: &str = "UPDATE number_given SET call = max(call, ?1),
    run = max(run, (SELECT coalesce(max(id), 0) FROM run WHERE call = ?1))";
const REMEMBER_RUNS: &str = "INSERT INTO removed_run (run) SELECT id FROM run WHERE call = ?1";
const REMOVE_CHUNKS: &str = "DELETE FROM chunk WHERE run IN (SELECT id FROM run WHERE call = ?1)";
const REMOVE_RUNS: &str = sql!("DELETE FROM run WHERE call = ?1 AND state IN {run.ended}");
const REMOVE_PAUSE: &str =
    "DELETE FROM pause WHERE kind = 'call' AND name = (SELECT id FROM call WHERE seq = ?1)";
/// A run that is still there keeps its call, and the whole batch is undone.
const REMOVE_CALL: &str = sql!("DELETE FROM call AS c WHERE c.seq = ?1 AND ", may_go!());

const NEXT_REMOVED: &str = "SELECT run FROM removed_run ORDER BY run LIMIT ?1";
const REMOVE_DELIVERIES: &str = "DELETE FROM delivery
    WHERE run = ?1 AND customer <= coalesce((SELECT customer FROM delivery WHERE run = ?1 ORDER BY customer, node
        LIMIT 1 OFFSET ?2), 9223372036854775807)
        AND NOT EXISTS (SELECT 1 FROM run WHERE id = ?1)";
const REMOVE_CHUNK_CUSTOMERS: &str = "DELETE FROM chunk_customers
    WHERE run = ?1 AND n <= coalesce((SELECT n FROM chunk_customers WHERE run = ?1 ORDER BY n LIMIT 1 OFFSET ?2),
        9223372036854775807)
        AND NOT EXISTS (SELECT 1 FROM run WHERE id = ?1)";
const REMOVE_WAITS: &str = "DELETE FROM waiting_journey
    WHERE run = ?1 AND (chunk, customer) IN (SELECT chunk, customer FROM waiting_journey WHERE run = ?1 LIMIT ?2)
        AND NOT EXISTS (SELECT 1 FROM run WHERE id = ?1)";
const REMOVE_CRASHES: &str =
    "DELETE FROM ending WHERE run = ?1 AND NOT EXISTS (SELECT 1 FROM run WHERE id = ?1)";
const FORGET_RUN: &str = "DELETE FROM removed_run WHERE run = ?1";

/// One look into the key a trigger.
const OLD_COUNTS: &str = "
    WITH RECURSIVE triggers (name) AS (
        SELECT min(trigger_name) FROM refusal_count
        UNION ALL
        SELECT (SELECT min(trigger_name) FROM refusal_count WHERE trigger_name > t.name)
            FROM triggers t WHERE t.name IS NOT NULL)
    SELECT r.trigger_name, r.minute, r.http_status, r.reason
    FROM triggers t CROSS JOIN refusal_count r ON r.trigger_name = t.name AND r.minute < ?1 LIMIT ?2";
const REMOVE_COUNT: &str =
    "DELETE FROM refusal_count WHERE trigger_name = ?1 AND minute = ?2 AND http_status = ?3 AND reason = ?4";

/// `created_at` is when a version was in force last, as far as that was told. None that a call needs goes: one that is not
/// at its end, or has a delivery that a person may let be sent again.
const OLD_VERSIONS: &str = sql!(
    "SELECT v.id FROM version v WHERE v.created_at < ?1
    AND v.id NOT IN (SELECT version FROM in_force)
    AND v.id NOT IN (SELECT c.version FROM call c WHERE c.state IN {call.open} AND c.version IS NOT NULL)
    AND v.id NOT IN (SELECT c.version FROM run r JOIN call c ON c.seq = r.call
        WHERE (r.state IN {run.under_way} OR r.state = {run.waiting}) AND c.version IS NOT NULL)
    AND v.id NOT IN (SELECT c.version FROM run r JOIN call c ON c.seq = r.call
        WHERE r.id IN (SELECT run FROM delivery WHERE state = {delivery.held}) AND c.version IS NOT NULL)"
);
const REMOVE_VERSION: &str = sql!(
    "DELETE FROM version AS v WHERE v.id = ?1 AND v.created_at < ?2
    AND v.id NOT IN (SELECT version FROM in_force)
    AND NOT EXISTS (SELECT 1 FROM call c WHERE c.state IN {call.open} AND c.version = v.id)
    AND NOT EXISTS (SELECT 1 FROM run r JOIN call c ON c.seq = r.call
        WHERE (r.state IN {run.under_way} OR r.state = {run.waiting}) AND c.version = v.id)"
);

#[async_trait]
impl RetentionStore for Ledger {
    async fn begin_removal(&self, bounds: RemovalBounds) -> Result<Option<Box<dyn Removal>>, StoreError> {
        let database = Arc::clone(&self.database);
        let stage = Stage::Calls { after: i64::MIN };
        Ok(Some(Box::new(LedgerRemoval { database, bounds, stage, time: batch_time(false) })))
    }

    async fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        let oldest = |connection: &Connection| {
            let mut first = connection.prepare_cached("SELECT received_at FROM call ORDER BY seq LIMIT 1")?;
            first.query_row([], |row| timestamp(row.get(0)?)).optional()
        };
        self.database.read(oldest).await
    }
}

/// What is removed next.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Calls behind this one.
    Calls { after: i64 },
    /// What is left of runs that went.
    Runs,
    /// Counts of refusals.
    Counts,
    /// Versions that nothing needs.
    Versions,
    /// All is gone.
    Over,
}

struct LedgerRemoval {
    database: Arc<SqliteDatabase>,
    bounds: RemovalBounds,
    stage: Stage,
    /// How long the next batch may take.
    time: Duration,
}

#[async_trait]
impl Removal for LedgerRemoval {
    async fn next_batch(&mut self, others_write: bool) -> Result<RemovedBatch, StoreError> {
        self.time = batch_time(others_write);
        let bounds = self.bounds;
        match (self.stage, bounds.before, bounds.versions_before) {
            (Stage::Calls { after }, Some(before), _) => self.calls(after, before).await,
            (Stage::Runs, ..) => self.runs().await,
            (Stage::Counts, Some(before), _) => self.counts(before).await,
            (Stage::Versions, _, Some(before)) => self.versions(before).await,
            (Stage::Over, ..) => Ok(RemovedBatch::default()),
            (Stage::Calls { .. } | Stage::Counts | Stage::Versions, ..) => Ok(self.go_on()),
        }
    }

    async fn end(self: Box<Self>) {
        let usual =
            |connection: &Connection| connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES);
        if let Err(error) = self.database.write(usual).await {
            tracing::debug!(%error, "the log of the ledger's file goes on being copied in small steps");
        }
    }
}

impl LedgerRemoval {
    fn go_on(&mut self) -> RemovedBatch {
        self.stage = match self.stage {
            Stage::Calls { .. } => Stage::Runs,
            Stage::Runs => Stage::Counts,
            Stage::Counts => Stage::Versions,
            Stage::Versions | Stage::Over => Stage::Over,
        };
        RemovedBatch::none_yet()
    }

    /// Calls have ascending numbers: behind so many of which none is old there is hardly one that is.
    async fn calls(&mut self, after: i64, before: Timestamp) -> Result<RemovedBatch, StoreError> {
        let before = before.as_microsecond();
        let look = move |connection: &Connection| {
            let mut select = connection.prepare_cached(CALLS_AFTER)?;
            let rows = select.query_map(params![after, before, CALLS_A_LOOK], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<(i64, bool, bool)>>>()
        };
        let seen = self.database.read(look).await?;
        let Some((last, ..)) = seen.last().copied().filter(|_| seen.iter().any(|(_, is_old, _)| *is_old))
        else {
            return Ok(self.go_on());
        };
        let calls: Vec<i64> = seen.into_iter().filter(|(.., may_go)| *may_go).map(|(seq, ..)| seq).collect();
        if calls.is_empty() {
            self.stage = Stage::Calls { after: last };
            return Ok(RemovedBatch::none_yet());
        }
        let time = self.time;
        let remove = move |connection: &Connection| remove_calls(connection, &calls, before, time);
        let gone = self.database.write(remove).await?;
        self.stage = Stage::Calls { after: gone.up_to.unwrap_or(last) };
        Ok(RemovedBatch::of_calls(gone.calls, gone.runs))
    }

    async fn runs(&mut self) -> Result<RemovedBatch, StoreError> {
        let next = |connection: &Connection| {
            let mut select = connection.prepare_cached(NEXT_REMOVED)?;
            select.query_map([RUNS_A_BATCH], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()
        };
        let runs = self.database.read(next).await?;
        if runs.is_empty() {
            return Ok(self.go_on());
        }
        let time = self.time;
        let remove = move |connection: &Connection| remove_rest(connection, &runs, time);
        let deliveries = self.database.write(remove).await?;
        Ok(RemovedBatch::of(RowKind::Deliveries, deliveries))
    }

    async fn counts(&mut self, before: Timestamp) -> Result<RemovedBatch, StoreError> {
        let minute = before.as_second().div_euclid(60);
        let look = move |connection: &Connection| {
            let mut select = connection.prepare_cached(OLD_COUNTS)?;
            let rows = select.query_map(params![minute, COUNTS_A_BATCH], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<(String, i64, i64, String)>>>()
        };
        let old = self.database.read(look).await?;
        if old.is_empty() {
            return Ok(self.go_on());
        }
        let remove = move |connection: &Connection| {
            let mut delete = connection.prepare_cached(REMOVE_COUNT)?;
            old.into_iter().map(|count| delete.execute(count)).sum::<rusqlite::Result<usize>>()
        };
        let gone = self.database.write(remove).await?;
        Ok(RemovedBatch::of(RowKind::RefusalCounts, gone as u64))
    }

    /// There are few: each is an edit of what is declared.
    async fn versions(&mut self, before: Timestamp) -> Result<RemovedBatch, StoreError> {
        let before = before.as_microsecond();
        let look = move |connection: &Connection| {
            let mut select = connection.prepare_cached(OLD_VERSIONS)?;
            select.query_map([before], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
        };
        let old = self.database.read(look).await?;
        self.stage = Stage::Over;
        if old.is_empty() {
            return Ok(RemovedBatch::default());
        }
        let remove = move |connection: &Connection| {
            let mut delete = connection.prepare_cached(REMOVE_VERSION)?;
            old.iter().map(|id| delete.execute(params![id, before])).sum::<rusqlite::Result<usize>>()
        };
        let gone = self.database.write(remove).await?;
        Ok(RemovedBatch::of(RowKind::Versions, gone as u64))
    }
}

/// What became of calls that were to go.
#[derive(Debug, Default)]
struct Gone {
    calls: u64,
    runs: u64,
    /// The last call that was looked at, where there was no time for all.
    up_to: Option<i64>,
}

/// Removes calls with their runs and chunks, each whole, until the time is over.
fn remove_calls(
    connection: &Connection,
    calls: &[i64],
    before: i64,
    time: Duration,
) -> rusqlite::Result<Gone> {
    let deadline = Instant::now() + time;
    connection.pragma_update(None, "wal_autocheckpoint", PAGES_A_SMALL_CHECKPOINT)?;
    let mut gone = Gone::default();
    for seq in calls {
        if gone.calls > 0 && Instant::now() >= deadline {
            return Ok(gone);
        }
        gone.up_to = Some(*seq);
        if !connection.prepare_cached(MAY_GO)?.query_row([*seq, before], |row| row.get(0))? {
            continue;
        }
        for statement in [KEEP_NUMBERS, REMEMBER_RUNS, REMOVE_CHUNKS] {
            connection.prepare_cached(statement)?.execute([*seq])?;
        }
        gone.runs += connection.prepare_cached(REMOVE_RUNS)?.execute([*seq])? as u64;
        connection.prepare_cached(REMOVE_PAUSE)?.execute([*seq])?;
        gone.calls += connection.prepare_cached(REMOVE_CALL)?.execute([*seq, before])? as u64;
    }
    gone.up_to = None;
    Ok(gone)
}

/// Removes what is left of runs until the time is over, and forgets each of which nothing is. Gives how many deliveries
/// went.
fn remove_rest(connection: &Connection, runs: &[i64], time: Duration) -> rusqlite::Result<u64> {
    let deadline = Instant::now() + time;
    connection.pragma_update(None, "wal_autocheckpoint", PAGES_A_SMALL_CHECKPOINT)?;
    let mut deliveries = 0;
    for run in runs {
        let (gone, is_all) = remove_in_steps(connection, REMOVE_DELIVERIES, (*run, ROWS_A_LOOK), deadline)?;
        deliveries += gone;
        if !is_all
            || !remove_in_steps(connection, REMOVE_WAITS, (*run, ROWS_A_LOOK), deadline)?.1
            || !remove_in_steps(connection, REMOVE_CHUNK_CUSTOMERS, (*run, CHUNKS_A_LOOK), deadline)?.1
        {
            return Ok(deliveries);
        }
        for statement in [REMOVE_CRASHES, FORGET_RUN] {
            connection.prepare_cached(statement)?.execute([*run])?;
        }
        if Instant::now() >= deadline {
            return Ok(deliveries);
        }
    }
    Ok(deliveries)
}

/// How many rows went, and whether none is left.
fn remove_in_steps(
    connection: &Connection,
    statement: &str,
    step: (i64, i64),
    deadline: Instant,
) -> rusqlite::Result<(u64, bool)> {
    let mut delete = connection.prepare_cached(statement)?;
    let mut removed = 0;
    loop {
        match delete.execute(step)? as u64 {
            0 => return Ok((removed, true)),
            gone => removed += gone,
        }
        if Instant::now() >= deadline {
            return Ok((removed, false));
        }
    }
}
