//! The trait [`Runs`]: begun with their call's matching, stopped, failed and ended together with their call.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::PostgresLedger;
use super::rows::{call_columns, code, get, small, unfinished_run};
use super::waiting::{RESTING, UNDER_WAY};
use crate::domain::customer::CustomerKey;
use crate::domain::ends::Ends;
use crate::domain::name::{RunId, ScenarioName};
use crate::domain::run_counts::{JourneyEnd, RunCounts};
use crate::store::StoreError;
use crate::store::runs::{
    ChunkId, Fence, Matched, OpenChunks, Reached, RunEnd, RunTotals, RunUnderWay, Runs, SelectionLease,
    Taken, UnfinishedRun, UnmatchedEnd, WokenChunks,
};

const BEGIN: &str = sql!("
    WITH matched AS (
        UPDATE call SET state = $2, not_fired = $3, finished_at = $4 WHERE seq = $1 AND state = {call.accepted}
        RETURNING seq, received_at)
    INSERT INTO run (call, accepted_at, scenario, state, started_at, owner)
    SELECT m.seq, m.received_at, s.scenario, {run.selecting}, $5, $6 FROM matched m, unnest($7::text[]) WITH ORDINALITY
        AS s (scenario, place) ORDER BY s.place
    RETURNING id, accepted_at, scenario");

const END_UNMATCHED: &str = sql!(
    "UPDATE call SET state = $2, reason = $3, finished_at = $4 WHERE seq = $1 AND state = {call.accepted}"
);

const UNFINISHED: &str = sql!(
    "SELECT r.id, r.scenario, r.state, r.stopping, ",
    call_columns!(),
    " FROM run r JOIN call c ON c.seq = r.call
      WHERE r.state IN {run.under_way} AND r.id <> ALL ($1)
        AND c.seq = ANY (ARRAY(SELECT o.call FROM run o WHERE o.state IN {run.under_way} AND o.id <> ALL ($1)))
      ORDER BY r.id"
);

const LEASE_SELECTION: &str = sql!(
    "
    WITH gone AS (
        SELECT p.owner FROM replica p
        WHERE p.owner = (SELECT r.owner FROM run r WHERE r.id = $1) AND p.lease_until <= clock_timestamp()
        FOR UPDATE SKIP LOCKED)
    UPDATE run r SET owner = $2
    WHERE r.id = $1 AND r.state = {run.selecting}
        AND (r.owner IS NULL OR r.owner = $2 OR r.owner = (SELECT owner FROM gone)
             OR NOT EXISTS (SELECT 1 FROM replica p WHERE p.owner = r.owner))
    RETURNING r.id"
);

/// A failed run leaves its chunks as they are; any other end needs all of them done. A call ends with its last run:
/// failed if one failed, cancelled if all were, else done; beside it stands what all of them came to. Two runs of a call
/// that end at once wait for one another at the call's row, so that one of them sees the other.
const END: &str = "SELECT end_run_3($1, $2, $3, $4, $5, $6, $7, $8)";

const STOP: &str = sql!("
    WITH held AS (SELECT id FROM run WHERE id = $1 AND state IN {run.unfinished} FOR UPDATE)
    UPDATE run r SET stopping = true, state = CASE r.state WHEN {run.waiting} THEN {run.running} ELSE r.state END
    FROM held h WHERE r.id = $1 AND r.id = h.id RETURNING r.id");

/// A statement does not see what it inserts itself.
const COUNT_ENDING: &str = sql!("
    WITH unfinished AS (SELECT id FROM run WHERE id = $1 AND state IN {run.under_way}),
    counted AS (
        INSERT INTO ending (run, customer, process) SELECT id, $2, $3 FROM unfinished
        ON CONFLICT DO NOTHING)
    SELECT (SELECT count(*) FROM ending e, unfinished u WHERE e.run = u.id AND e.customer = $2 AND e.process <> $3)
        + (SELECT count(*) FROM unfinished)");

#[async_trait]
impl Runs for PostgresLedger {
    async fn begin_runs(
        &self,
        call_seq: i64,
        matched: Matched,
        owner: &str,
        now: Timestamp,
    ) -> Result<Vec<RunId>, StoreError> {
        let (state, finished_at) = matched.state_and_end(now);
        let now = now.as_microsecond();
        let scenarios: Vec<&str> = matched.fired.iter().map(ScenarioName::as_str).collect();
        let mut session = self.database.ledger().await?;
        let not_fired = matched.not_fired_as_json();
        let rows = session
            .query(
                BEGIN,
                &[&call_seq, &code(state.code()), &not_fired, &finished_at, &now, &owner, &scenarios],
            )
            .await?;
        let mut begun = Vec::with_capacity(rows.len());
        for row in &rows {
            let run = RunId(get(row, 0)?);
            self.known.learn(run, get(row, 1)?);
            begun.push((get::<&str>(row, 2)?, run));
        }
        let id_of = |scenario: &&str| begun.iter().find(|(name, _)| name == scenario).map(|(_, run)| *run);
        Ok(scenarios.iter().filter_map(id_of).collect())
    }

    async fn end_unmatched(
        &self,
        call_seq: i64,
        end: UnmatchedEnd,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (state, reason) = end.state_and_reason();
        let mut session = self.database.ledger().await?;
        session
            .query(END_UNMATCHED, &[&call_seq, &code(state.code()), &reason, &now.as_microsecond()])
            .await?;
        Ok(())
    }

    async fn unfinished_runs(&self, known: &[RunId]) -> Result<Vec<UnfinishedRun>, StoreError> {
        let known: Vec<i64> = known.iter().map(|run| run.0).collect();
        let mut session = self.database.ledger().await?;
        let rows = session.query(UNFINISHED, &[&known]).await?;
        rows.iter().map(unfinished_run).collect()
    }

    async fn stopping_runs(&self) -> Result<Vec<RunId>, StoreError> {
        let mut session = self.database.ledger().await?;
        let rows = session
            .query(sql!("SELECT id FROM run WHERE state IN {run.under_way} AND stopping"), &[])
            .await?;
        rows.iter().map(|row| get(row, 0).map(RunId)).collect()
    }

    async fn lease_selection(&self, run: RunId, owner: &str) -> Result<SelectionLease, StoreError> {
        let mut session = self.database.ledger().await?;
        if session.first(LEASE_SELECTION, &[&run.0, &owner]).await?.is_some() {
            return Ok(SelectionLease::Here);
        }
        let selecting = sql!("SELECT 1 FROM run WHERE id = $1 AND state = {run.selecting}");
        let is_selecting = session.first(selecting, &[&run.0]).await?.is_some();
        Ok(if is_selecting { SelectionLease::Elsewhere } else { SelectionLease::Over })
    }

    async fn set_audience(
        &self,
        run: RunId,
        chunks: Arc<Vec<Vec<CustomerKey>>>,
        access: String,
        owner: &str,
    ) -> Result<Option<Fence>, StoreError> {
        self.write_audience(run, chunks, &access, owner).await
    }

    async fn open_chunks(&self, run: RunId, owner: &str) -> Result<OpenChunks, StoreError> {
        self.chunks_open(run, owner).await
    }

    async fn take_chunk(&self, chunk: ChunkId, owner: &str) -> Result<Taken, StoreError> {
        self.take(chunk, owner).await
    }

    async fn finish_chunk(
        &self,
        chunk: ChunkId,
        fence: Fence,
        position: usize,
        counts: &RunCounts,
    ) -> Result<bool, StoreError> {
        self.finish(chunk, fence, position, counts).await
    }

    async fn finish_untouched(&self, run: RunId, end: JourneyEnd) -> Result<u64, StoreError> {
        self.finish_those_untouched(run, end).await
    }

    async fn run_totals(&self, run: RunId) -> Result<RunTotals, StoreError> {
        self.totals(run).await
    }

    async fn wake_due(&self, now: Timestamp, groups: u32) -> Result<WokenChunks, StoreError> {
        self.wake_those_due(now, groups).await
    }

    async fn wake_run(&self, run: RunId, now: Timestamp) -> Result<u64, StoreError> {
        self.wake_all_of(run, now).await
    }

    async fn rest_run(&self, run: RunId) -> Result<bool, StoreError> {
        self.let_rest(run).await
    }

    async fn waiting_runs(&self) -> Result<Vec<RunUnderWay>, StoreError> {
        self.under_way(RESTING).await
    }

    async fn runs_under_way(&self) -> Result<Vec<RunUnderWay>, StoreError> {
        self.under_way(UNDER_WAY).await
    }

    async fn end_run_as(&self, run: RunId, end: RunEnd, now: Timestamp) -> Result<bool, StoreError> {
        let (state, ended) = (code(end.state.kept().code()), code(Ends::of(end.state).code()));
        let (cause, told) = end.left_out().unzip();
        let is_enough = end.reached == Reached::Enough;
        let mut session = self.database.ledger().await?;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
            [&run.0, &state, &ended, &end.error, &now.as_microsecond(), &cause, &told, &is_enough];
        get(&session.one(END, &values).await?, 0)
    }

    async fn stop_run(&self, run: RunId) -> Result<bool, StoreError> {
        let mut session = self.database.ledger().await?;
        let stopped = session.first(STOP, &[&run.0]).await?.is_some();
        drop(session);
        self.ring().await?;
        Ok(stopped)
    }

    async fn count_crash(&self, run: RunId, customer: CustomerKey, process: &str) -> Result<u32, StoreError> {
        let mut session = self.database.ledger().await?;
        let row = session.one(COUNT_ENDING, &[&run.0, &customer.0, &process]).await?;
        small(get(&row, 0)?)
    }

    async fn count_failure(&self, run: RunId, error: String) -> Result<u32, StoreError> {
        let count = "UPDATE run SET failures = failures + 1, error = $2 WHERE id = $1 RETURNING failures";
        let mut session = self.database.ledger().await?;
        small(get::<i32>(&session.one(count, &[&run.0, &error]).await?, 0)?.into())
    }
}
