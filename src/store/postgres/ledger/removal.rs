//! The trait [`RetentionStore`] on PostgreSQL: calls that are at their end and old, then what is left of their runs. Their
//! deliveries go with the whole day, once it is old and no call of it is left.
//!
//! Of several replicas one does it at a time, on the connection that holds the lock. Each batch is one statement, which looks
//! itself at what it removes.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::PostgresLedger;
use super::partitions::{self, Day};
use super::rows::{get, timestamp, unreadable};
use crate::store::StoreError;
use crate::store::postgres::exclusive::{Exclusive, Work};
use crate::store::postgres::pace::Pace;
use crate::store::postgres::session::Params;
use crate::store::retention::{Removal, RemovalBounds, RemovedBatch, RetentionStore, RowKind};

/// How many calls are looked at a time, and how many chunks the calls of one batch have at most, if there are several.
const CALLS_A_LOOK: i64 = 256;
const CHUNKS_A_BATCH: i64 = 256;
/// How many runs one batch is about.
const RUNS_A_BATCH: i64 = 64;
/// How many chunks' keys one batch removes: some kilobytes each.
const KEYS_A_BATCH: i64 = 64;
/// How many deliveries one batch removes at first, and at most.
const ROWS_FIRST: i64 = 200;
const ROWS_MAX: i64 = 4_000;
/// How often it is tried to drop a day that is in use, in one passage.
const DROPS_MAX: u32 = 5;

const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// A call in a state that this version does not know stays.
const CALLS_AFTER: &str = sql!(
    "
    SELECT c.seq, c.received_at < $2, c.received_at < $2 AND c.state IN {call.ended}
            AND NOT EXISTS (SELECT FROM run r WHERE r.call = c.seq AND r.state NOT IN {run.ended}),
        (SELECT count(*) FROM run r JOIN chunk k ON k.run = r.id WHERE r.call = c.seq AND c.received_at < $2)
    FROM (SELECT seq, received_at, state FROM call WHERE seq > $1 ORDER BY seq LIMIT $3) c ORDER BY c.seq"
);
const REMOVE_CALLS: &str = "SELECT remove_calls_1($1, $2)";

const REMOVE_REST: &str = "
    WITH few AS (SELECT run FROM removed_run WHERE NOT only_deliveries ORDER BY run LIMIT $1),
    pending AS (
        DELETE FROM pending_delivery p USING (
            SELECT w.run, w.customer, w.node, w.target FROM few s CROSS JOIN LATERAL (
                SELECT w.run, w.customer, w.node, w.target FROM pending_delivery w WHERE w.run = s.run LIMIT $2) w
            LIMIT $2) g
        WHERE p.run = g.run AND p.customer = g.customer AND p.node = g.node AND p.target = g.target
            AND NOT EXISTS (SELECT FROM run r WHERE r.id = p.run)
        RETURNING 1),
    keys AS (
        DELETE FROM chunk_customers k USING (
            SELECT w.run, w.n FROM few s CROSS JOIN LATERAL (
                SELECT w.run, w.n FROM chunk_customers w WHERE w.run = s.run LIMIT $3) w LIMIT $3) g
        WHERE k.run = g.run AND k.n = g.n AND NOT EXISTS (SELECT FROM run r WHERE r.id = k.run)
        RETURNING 1),
    waits AS (
        DELETE FROM waiting_journey j USING (
            SELECT w.run, w.chunk, w.customer FROM few s CROSS JOIN LATERAL (
                SELECT w.run, w.chunk, w.customer FROM waiting_journey w WHERE w.run = s.run LIMIT $2) w LIMIT $2) g
        WHERE j.run = g.run AND j.chunk = g.chunk AND j.customer = g.customer
            AND NOT EXISTS (SELECT FROM run r WHERE r.id = j.run)
        RETURNING 1),
    crashes AS (
        DELETE FROM ending e USING few s
        WHERE e.run = s.run AND NOT EXISTS (SELECT FROM run r WHERE r.id = e.run))
    SELECT (SELECT array_agg(run) FROM few), (SELECT count(*) FROM pending) + (SELECT count(*) FROM keys)
        + (SELECT count(*) FROM waits)";
const REST_IS_GONE: &str = "UPDATE removed_run SET only_deliveries = true WHERE run = ANY ($1)";

/// Runs whose deliveries are gone with their day are forgotten many at a time.
const FORGET_RUNS: &str = "
    WITH few AS (
        SELECT run, accepted_at FROM removed_run WHERE only_deliveries AND accepted_at < $1
        ORDER BY accepted_at, run LIMIT $2),
    pending AS (
        DELETE FROM pending_delivery p USING few s
        WHERE p.run = s.run AND NOT EXISTS (SELECT FROM run r WHERE r.id = p.run))
    DELETE FROM removed_run t USING few s WHERE t.run = s.run
        AND NOT EXISTS (SELECT FROM delivery d WHERE d.accepted_at = s.accepted_at AND d.run = s.run)
    RETURNING 1";
const RUNS_WITH_DELIVERIES: &str = "
    SELECT run, accepted_at FROM removed_run WHERE only_deliveries AND accepted_at < $1
    ORDER BY accepted_at, run LIMIT $2";
const REMOVE_DELIVERIES: &str = "
    DELETE FROM delivery d USING (
        SELECT w.run, w.customer, w.node, w.target, w.accepted_at
        FROM unnest($1::bigint[], $2::bigint[]) AS s (run, accepted_at)
        CROSS JOIN LATERAL (
            SELECT w.run, w.customer, w.node, w.target, w.accepted_at FROM delivery w
            WHERE w.accepted_at = s.accepted_at AND w.run = s.run LIMIT $3) w LIMIT $3) g
    WHERE d.run = g.run AND d.customer = g.customer AND d.node = g.node AND d.target = g.target
        AND d.accepted_at = g.accepted_at
        AND d.accepted_at BETWEEN $4 AND $5 AND NOT EXISTS (SELECT FROM run r WHERE r.id = d.run)
    RETURNING 1";

/// One look into the key a trigger.
const REMOVE_COUNTS: &str = "
    WITH RECURSIVE triggers (name) AS (
        SELECT min(trigger_name) FROM refusal_count
        UNION ALL
        SELECT (SELECT min(c.trigger_name) FROM refusal_count c WHERE c.trigger_name > t.name)
            FROM triggers t WHERE t.name IS NOT NULL),
    old AS (
        SELECT c.trigger_name, c.minute, c.http_status, c.reason
        FROM triggers t JOIN refusal_count c ON c.trigger_name = t.name AND c.minute < $1 LIMIT $2)
    DELETE FROM refusal_count c USING old o
    WHERE c.trigger_name = o.trigger_name AND c.minute = o.minute AND c.http_status = o.http_status
        AND c.reason = o.reason AND c.minute < $1
    RETURNING 1";

/// `created_at` is when a version was in force last, as far as replicas have told. None that a call needs goes: one that is
/// not at its end, or has a delivery that a person may let be sent again.
const REMOVE_VERSIONS: &str = sql!("
    DELETE FROM version v WHERE v.created_at < $1
        AND NOT EXISTS (SELECT FROM in_force f WHERE f.version = v.id)
        AND NOT EXISTS (SELECT FROM call c WHERE c.state IN {call.open} AND c.version = v.id)
        AND NOT EXISTS (SELECT FROM run r JOIN call c ON c.seq = r.call
            WHERE (r.state IN {run.under_way} OR r.state = {run.waiting}) AND c.version = v.id)
        AND NOT EXISTS (SELECT FROM pending_delivery p JOIN run r ON r.id = p.run JOIN call c ON c.seq = r.call
            WHERE c.version = v.id)
    RETURNING 1");

#[async_trait]
impl RetentionStore for PostgresLedger {
    async fn begin_removal(&self, bounds: RemovalBounds) -> Result<Option<Box<dyn Removal>>, StoreError> {
        let session = self.database.customers_soon().await?;
        let locked = Exclusive::lock(session, self.database.schema(), Work::Removal).await?;
        Ok(locked.map(|held| -> Box<dyn Removal> {
            let pace = Pace::new(ROWS_FIRST, ROWS_MAX);
            Box::new(LedgerRemoval {
                held,
                bounds,
                stage: Stage::Calls { after: i64::MIN },
                is_sound: true,
                pace,
            })
        }))
    }

    async fn clock(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut session = self.database.ledger().await?;
        let row = session.one(CLOCK, &[]).await?;
        timestamp(get(&row, 0)?).map(Some)
    }

    async fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut session = self.database.ledger().await?;
        let first = session.first("SELECT received_at FROM call ORDER BY seq LIMIT 1", &[]).await?;
        first.map(|row| timestamp(get(&row, 0)?)).transpose()
    }
}

/// What is removed next.
#[derive(Debug, Clone)]
enum Stage {
    /// Calls behind this one.
    Calls { after: i64 },
    /// What is left of runs that went, but for their deliveries.
    Rest,
    /// Which days there are.
    Days,
    /// Days that are old, each with how often it was in use; and from when on deliveries wait for their day to go.
    Partitions { days: Vec<(Day, u32)>, wait_from: i64 },
    /// Deliveries of before then, one by one.
    Deliveries { before: i64 },
    /// Counts of refusals.
    Counts,
    /// Versions that nothing needs.
    Versions,
    /// All is gone.
    Over,
}

struct LedgerRemoval {
    held: Exclusive,
    bounds: RemovalBounds,
    stage: Stage,
    pace: Pace,
    is_sound: bool,
}

#[async_trait]
impl Removal for LedgerRemoval {
    /// Others do not wait for its rows, whatever its length.
    async fn next_batch(&mut self, _others_write: bool) -> Result<RemovedBatch, StoreError> {
        // Unless it comes to its end, the connection is in the midst of something.
        self.is_sound = false;
        let batch = self.batch().await;
        self.is_sound = batch.is_ok();
        batch
    }

    async fn end(self: Box<Self>) {
        self.held.unlock(self.is_sound).await;
    }
}

impl LedgerRemoval {
    async fn batch(&mut self) -> Result<RemovedBatch, StoreError> {
        let before = self.bounds.before;
        match (self.stage.clone(), before) {
            (Stage::Calls { after }, Some(before)) => self.calls(after, before.as_microsecond()).await,
            (Stage::Calls { .. }, None) => Ok(self.go_on_with(Stage::Rest)),
            (Stage::Rest, _) => self.rest().await,
            (Stage::Days, Some(before)) => self.days(before.as_microsecond()).await,
            (Stage::Days, None) => Ok(self.go_on_with(Stage::Deliveries { before: i64::MAX })),
            (Stage::Partitions { days, wait_from }, _) => self.partition(days, wait_from).await,
            (Stage::Deliveries { before }, _) => self.deliveries(before).await,
            (Stage::Counts, Some(before)) => self.counts(before).await,
            (Stage::Counts, None) => Ok(self.go_on_with(Stage::Versions)),
            (Stage::Versions, _) => self.versions().await,
            (Stage::Over, _) => Ok(RemovedBatch::default()),
        }
    }

    /// One statement that takes as many rows as the pace says, and teaches it.
    async fn paced(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        self.pace.keep(self.held.session.query(sql, params)).await
    }

    fn go_on_with(&mut self, stage: Stage) -> RemovedBatch {
        self.stage = stage;
        RemovedBatch::none_yet()
    }

    /// Calls have ascending numbers: behind so many of which none is old there is hardly one that is.
    async fn calls(&mut self, after: i64, before: i64) -> Result<RemovedBatch, StoreError> {
        let rows = self.held.session.query(CALLS_AFTER, &[&after, &before, &CALLS_A_LOOK]).await?;
        let (mut calls, mut chunks, mut last, mut is_old) = (Vec::new(), 0, after, false);
        for row in &rows {
            let (seq, old, may_go): (i64, bool, bool) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
            let its_chunks: i64 = get(row, 3)?;
            is_old |= old;
            if may_go {
                if !calls.is_empty() && chunks + its_chunks > CHUNKS_A_BATCH {
                    break;
                }
                chunks += its_chunks;
                calls.push(seq);
            }
            last = seq;
        }
        if !is_old {
            return Ok(self.go_on_with(Stage::Rest));
        }
        self.stage = Stage::Calls { after: last };
        if calls.is_empty() {
            return Ok(RemovedBatch::none_yet());
        }
        let gone: Vec<i64> = get(&self.held.session.one(REMOVE_CALLS, &[&calls, &before]).await?, 0)?;
        let [calls, runs] = gone[..] else { return Err(unreadable("another count of removed rows")) };
        Ok(RemovedBatch::of_calls(calls.unsigned_abs(), runs.unsigned_abs()))
    }

    async fn rest(&mut self) -> Result<RemovedBatch, StoreError> {
        let rows = self.pace.rows();
        let asked = self.paced(REMOVE_REST, &[&RUNS_A_BATCH, &rows, &KEYS_A_BATCH]).await?;
        let Some(row) = asked.first() else { return Ok(self.go_on_with(Stage::Days)) };
        let Some(runs) = get::<Option<Vec<i64>>>(row, 0)? else { return Ok(self.go_on_with(Stage::Days)) };
        if get::<i64>(row, 1)? == 0 {
            self.held.session.query(REST_IS_GONE, &[&runs]).await?;
        }
        Ok(RemovedBatch::none_yet())
    }

    async fn days(&mut self, before: i64) -> Result<RemovedBatch, StoreError> {
        let mut wait_from = i64::MAX;
        let mut days = Vec::new();
        for day in partitions::those_there(&mut self.held.session).await? {
            if day.end() <= before {
                days.push((day, 0));
            } else {
                wait_from = wait_from.min(day.begin());
            }
        }
        Ok(self.go_on_with(Stage::Partitions { days, wait_from }))
    }

    /// A day with a call that is not at its end is taken apart instead; one that is in use just now waits.
    async fn partition(
        &mut self,
        mut days: Vec<(Day, u32)>,
        wait_from: i64,
    ) -> Result<RemovedBatch, StoreError> {
        let Some((day, tries)) = (if days.is_empty() { None } else { Some(days.remove(0)) }) else {
            return Ok(self.go_on_with(Stage::Deliveries { before: wait_from }));
        };
        let mut wait_from = wait_from;
        let dropped = match partitions::try_drop(&mut self.held.session, &day).await? {
            partitions::Dropped::Yes => 1,
            partitions::Dropped::HasCalls => 0,
            partitions::Dropped::InUse if tries + 1 < DROPS_MAX => {
                days.push((day, tries + 1));
                0
            }
            partitions::Dropped::InUse => {
                wait_from = wait_from.min(day.begin());
                0
            }
        };
        self.stage = Stage::Partitions { days, wait_from };
        Ok(RemovedBatch::of(RowKind::Partitions, dropped))
    }

    async fn deliveries(&mut self, before: i64) -> Result<RemovedBatch, StoreError> {
        let rows = self.pace.rows();
        if !self.paced(FORGET_RUNS, &[&before, &rows]).await?.is_empty() {
            return Ok(RemovedBatch::none_yet());
        }
        let (mut runs, mut accepted) = (Vec::<i64>::new(), Vec::<i64>::new());
        for row in self.held.session.query(RUNS_WITH_DELIVERIES, &[&before, &RUNS_A_BATCH]).await? {
            runs.push(get(&row, 0)?);
            accepted.push(get(&row, 1)?);
        }
        let (Some(earliest), Some(latest)) = (accepted.first().copied(), accepted.last().copied()) else {
            return Ok(self.go_on_with(Stage::Counts));
        };
        let values: Params<'_> = &[&runs, &accepted, &rows, &earliest, &latest];
        let gone = self.paced(REMOVE_DELIVERIES, values).await?.len();
        if gone == 0 {
            // They cannot go, though their runs did: that is left to a person, and all else goes on.
            tracing::error!(?runs, "deliveries of removed calls could not be removed");
            return Ok(self.go_on_with(Stage::Counts));
        }
        Ok(RemovedBatch::of(RowKind::Deliveries, gone as u64))
    }

    async fn counts(&mut self, before: Timestamp) -> Result<RemovedBatch, StoreError> {
        let (minute, rows) = (before.as_second().div_euclid(60), self.pace.rows());
        match self.paced(REMOVE_COUNTS, &[&minute, &rows]).await?.len() {
            0 => Ok(self.go_on_with(Stage::Versions)),
            gone => Ok(RemovedBatch::of(RowKind::RefusalCounts, gone as u64)),
        }
    }

    /// There are few: each is an edit of what is declared.
    async fn versions(&mut self) -> Result<RemovedBatch, StoreError> {
        self.stage = Stage::Over;
        let Some(before) = self.bounds.versions_before else { return Ok(RemovedBatch::default()) };
        let gone = self.held.session.query(REMOVE_VERSIONS, &[&before.as_microsecond()]).await?;
        Ok(RemovedBatch::of(RowKind::Versions, gone.len() as u64))
    }
}
