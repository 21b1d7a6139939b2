//! Runs: begun with their call's matching, stopped, failed and ended together with their call.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::left_out;
use super::rows::{call_columns, run_state, unfinished_run};
use crate::domain::customer::CustomerKey;
use crate::domain::ends::Ends;
use crate::domain::name::RunId;
use crate::domain::run_counts::RunCounts;
use crate::domain::state::{CallState, ChunkState};
use crate::store::runs::{Matched, RunEnd, RunTotals, UnfinishedRun, UnmatchedEnd};

pub(super) fn begin(
    connection: &Connection,
    call_seq: i64,
    matched: &Matched,
    now: Timestamp,
) -> rusqlite::Result<Vec<RunId>> {
    let (state, finished_at) = matched.state_and_end(now);
    let changed = connection
        .prepare_cached(sql!(
            "UPDATE call SET state = ?2, not_fired = ?3, finished_at = ?4
             WHERE seq = ?1 AND state = {call.accepted}"
        ))?
        .execute(params![call_seq, state.code(), matched.not_fired_as_json(), finished_at])?;
    if changed == 0 {
        return Ok(Vec::new());
    }
    let mut insert = connection.prepare_cached(
        sql!(
            "INSERT INTO run (id, call, scenario, state, started_at)
             SELECT max((SELECT coalesce(max(id), 0) FROM run), number_given.run) + 1, ?1, ?2, {run.selecting}, ?3
             FROM number_given
             RETURNING id"
        ),
    )?;
    let begun = matched.fired.iter().map(|scenario| {
        insert.query_row(params![call_seq, scenario.as_str(), now.as_microsecond()], |row| row.get(0))
    });
    begun.map(|id| id.map(RunId)).collect()
}

pub(super) fn end_unmatched(
    connection: &Connection,
    call_seq: i64,
    end: &UnmatchedEnd,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (state, reason) = end.state_and_reason();
    connection
        .prepare_cached(sql!(
            "UPDATE call SET state = ?2, reason = ?3, finished_at = ?4
             WHERE seq = ?1 AND state = {call.accepted}"
        ))?
        .execute(params![call_seq, state.code(), reason, now.as_microsecond()])?;
    Ok(())
}

pub(super) fn unfinished(connection: &Connection, known: &[RunId]) -> rusqlite::Result<Vec<UnfinishedRun>> {
    let mut statement = connection.prepare_cached(sql!(
        "SELECT r.id, r.scenario, r.state, r.stopping, ",
        call_columns!(),
        " FROM run r JOIN call c ON c.seq = r.call WHERE r.state IN {run.under_way} ORDER BY r.id"
    ))?;
    let rows = statement.query_map([], unfinished_run)?;
    let is_new =
        |run: &rusqlite::Result<UnfinishedRun>| run.as_ref().map_or(true, |run| !known.contains(&run.id));
    rows.filter(is_new).collect()
}

pub(super) fn stopping(connection: &Connection) -> rusqlite::Result<Vec<RunId>> {
    let mut statement = connection
        .prepare_cached(sql!("SELECT id FROM run WHERE state IN {run.under_way} AND stopping = 1"))?;
    statement.query_map([], |row| row.get(0).map(RunId))?.collect()
}

pub(super) fn totals(connection: &Connection, run: RunId) -> rusqlite::Result<RunTotals> {
    let mut totals = RunTotals {
        audience: connection
            .prepare_cached("SELECT coalesce(audience, 0) FROM run WHERE id = ?1")?
            .query_row([run.0], |row| row.get::<_, i64>(0))?
            .unsigned_abs(),
        ..RunTotals::default()
    };
    let mut chunks = connection.prepare_cached("SELECT state, counts FROM chunk WHERE run = ?1")?;
    let mut rows = chunks.query([run.0])?;
    while let Some(row) = rows.next()? {
        match row.get::<_, Option<String>>(1)? {
            Some(counts) if row.get::<_, i64>(0)? == ChunkState::Done.code() => {
                totals.run_counts.merge(&read_run_counts(&counts)?);
            }
            _ => totals.open_chunks += 1,
        }
    }
    let waits = "SELECT EXISTS (SELECT 1 FROM waiting_journey WHERE run = ?1 AND woken_into IS NULL)";
    totals.is_waiting = connection.prepare_cached(waits)?.query_row([run.0], |row| row.get(0))?;
    let mut deliveries =
        connection.prepare_cached("SELECT node, count(*) FROM delivery WHERE run = ?1 GROUP BY node")?;
    let by_node =
        deliveries.query_map([run.0], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    totals.deliveries = by_node.collect::<rusqlite::Result<_>>()?;
    Ok(totals)
}

pub(super) fn read_run_counts(counts: &str) -> rusqlite::Result<RunCounts> {
    RunCounts::read(counts).map_err(|error| super::rows::unreadable(format!("counts ({error})")))
}

pub(super) fn end(
    connection: &Connection,
    run: RunId,
    end: &RunEnd,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let RunEnd { state, error, .. } = end;
    // A failed run leaves its chunks as they are; any other end needs all of them done.
    let call: Option<i64> = connection
        .prepare_cached(sql!(
            "UPDATE run SET state = ?2, error = coalesce(?3, error), finished_at = ?4, ended = ?5
             WHERE id = ?1 AND state IN {run.under_way}
               AND (?2 = {run.failed}
                   OR NOT EXISTS (SELECT 1 FROM chunk WHERE run = ?1 AND state = {chunk.open}))
             RETURNING call"
        ))?
        .query_row(
            params![run.0, state.kept().code(), error, now.as_microsecond(), Ends::of(*state).code()],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(call) = call {
        end_call_with_its_runs(connection, call, now)?;
        left_out::note(connection, run, end, now)?;
    }
    Ok(call.is_some())
}

/// A call ends with its last run. A version before this one noted nothing beside a run's state.
fn end_call_with_its_runs(connection: &Connection, call: i64, now: Timestamp) -> rusqlite::Result<()> {
    let mut runs = connection.prepare_cached("SELECT state, ended FROM run WHERE call = ?1")?;
    let runs = runs.query_map([call], |row| {
        let state = run_state(row.get(0)?)?;
        Ok((state, row.get::<_, Option<i64>>(1)?.map_or(Ends::of(state), Ends::from_code)))
    })?;
    let Some((state, ends)) = CallState::after_runs(&runs.collect::<rusqlite::Result<Vec<_>>>()?) else {
        return Ok(());
    };
    connection
        .prepare_cached(sql!(
            "UPDATE call SET finished_at = ?2, state = ?3, ended = ?4 WHERE seq = ?1 AND state = {call.running}"
        ))?
        .execute(params![call, now.as_microsecond(), state.code(), ends.code()])?;
    Ok(())
}

pub(super) fn stop(connection: &Connection, run: RunId) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached(sql!(
            "UPDATE run SET stopping = 1,
                 state = CASE state WHEN {run.waiting} THEN {run.running} ELSE state END
             WHERE id = ?1 AND state IN {run.unfinished}"
        ))?
        .execute([run.0])?;
    Ok(changed > 0)
}

pub(super) fn count_crash(
    connection: &Connection,
    run: RunId,
    customer: CustomerKey,
    process: &str,
) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(sql!(
            "INSERT OR IGNORE INTO ending (run, customer, process)
             SELECT id, ?2, ?3 FROM run WHERE id = ?1 AND state IN {run.under_way}"
        ))?
        .execute(params![run.0, customer.0, process])?;
    connection
        .prepare_cached(sql!(
            "SELECT count(*) FROM ending e JOIN run r ON r.id = e.run
             WHERE e.run = ?1 AND e.customer = ?2 AND r.state IN {run.under_way}"
        ))?
        .query_row([run.0, customer.0], |row| row.get(0))
}

pub(super) fn count_failure(connection: &Connection, run: RunId, error: &str) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            "UPDATE run SET failures = failures + 1, error = ?2 WHERE id = ?1 RETURNING failures",
        )?
        .query_row(params![run.0, error], |row| row.get(0))
}
