//! What a person decides about a held delivery: send it again, or leave it unknown for ever.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::chunks;
use super::ledger_deliveries::of_chunk;
use super::rows::{call_columns, small, unfinished_run};
use super::runs::read_run_counts;
use super::waiting::{self, made_in_chunk};
use crate::domain::delivery::DeliveryId;
use crate::domain::name::RunId;
use crate::domain::run_counts::RunCounts;
use crate::store::deliveries;
use crate::store::run_log::Reopened;
use crate::store::runs::{ChunkId, UnfinishedRun};

/// The number of the chunk in which deliveries of run ?1, customer ?2 and node ?3 were made, whatever their targets.
macro_rules! chunk_of_delivery {
    () => {
        concat!(
            "SELECT c.n FROM delivery d JOIN chunk c ON ",
            made_in_chunk!(),
            " WHERE d.run = ?1 AND d.customer = ?2 AND d.node = ?3 LIMIT 1"
        )
    };
}

/// The customer's present address and message count: a person has decided that it may differ.
pub(super) fn resend(
    connection: &Connection,
    id: DeliveryId,
    now: Timestamp,
) -> rusqlite::Result<Option<Reopened>> {
    let changed = connection
        .prepare_cached(sql!(
            "UPDATE delivery SET state = {delivery.queued}, doubtful = 0, address = NULL, digest = NULL,
                 first_at = NULL, done_at = NULL, retry_at = ?4, reason = 'sent again by a person''s decision'
             WHERE run = ?1 AND customer = ?2 AND node = ?3 AND target = ?5 AND state = {delivery.held}
               AND EXISTS (SELECT 1 FROM run WHERE id = ?1 AND stopping = 0
                   AND state IN ({run.running}, {run.done}, {run.waiting}))"
        ))?
        .execute(params![id.run.0, id.customer.0, id.node.0, now.as_microsecond(), id.target.number()])?;
    if changed == 0 {
        return Ok(None);
    }
    let n = connection
        .prepare_cached(sql!(
            "UPDATE chunk SET state = {chunk.open}, counts = NULL WHERE run = ?1 AND n = (",
            chunk_of_delivery!(),
            ") RETURNING n"
        ))?
        .query_row(params![id.run.0, id.customer.0, id.node.0], |row| row.get(0))?;
    connection
        .prepare_cached(sql!("UPDATE run SET state = {run.running}, finished_at = NULL WHERE id = ?1"))?
        .execute([id.run.0])?;
    connection
        .prepare_cached(sql!(
            "UPDATE call SET state = {call.running}, finished_at = NULL
             WHERE seq = (SELECT call FROM run WHERE id = ?1) AND state IN ({call.running}, {call.done})"
        ))?
        .execute([id.run.0])?;
    let run = read_run(connection, id.run)?;
    Ok(Some(Reopened { run, chunk: ChunkId { run: id.run, n } }))
}

fn read_run(connection: &Connection, run: RunId) -> rusqlite::Result<UnfinishedRun> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT r.id, r.scenario, r.state, r.stopping, ",
        call_columns!(),
        " FROM run r JOIN call c ON c.seq = r.call WHERE r.id = ?1"
    ))?;
    statement.query_row([run.0], unfinished_run)
}

/// A finished chunk is counted anew, so that its run still adds up.
pub(super) fn close(connection: &Connection, id: DeliveryId, now: Timestamp) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached(sql!(
            "UPDATE delivery SET state = {delivery.unknown}, done_at = ?4,
                 reason = coalesce(reason || '; ', '') || 'closed by a person'
             WHERE run = ?1 AND customer = ?2 AND node = ?3 AND target = ?5 AND state = {delivery.held}"
        ))?
        .execute(params![id.run.0, id.customer.0, id.node.0, now.as_microsecond(), id.target.number()])?;
    if changed == 0 {
        return Ok(false);
    }
    let finished: Option<(u32, i64, String)> = connection
        .prepare_cached(sql!(
            "SELECT n, position, counts FROM chunk
                 WHERE run = ?1 AND state = {chunk.done} AND counts IS NOT NULL AND n = (",
            chunk_of_delivery!(),
            ")"
        ))?
        .query_row(params![id.run.0, id.customer.0, id.node.0], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    if let Some((n, position, counts)) = finished {
        count_anew(connection, ChunkId { run: id.run, n }, small(position)?, &read_run_counts(&counts)?)?;
    }
    Ok(true)
}

fn count_anew(
    connection: &Connection,
    chunk: ChunkId,
    position: usize,
    before: &RunCounts,
) -> rusqlite::Result<()> {
    let keys = chunks::customers(connection, chunk)?;
    let rows = of_chunk(connection, chunk)?;
    let elsewhere = waiting::elsewhere(connection, chunk)?;
    let counts = deliveries::count_anew(before, &rows, &elsewhere, &keys, position);
    connection.prepare_cached("UPDATE chunk SET counts = ?3 WHERE run = ?1 AND n = ?2")?.execute(params![
        chunk.run.0,
        chunk.n,
        counts.written()
    ])?;
    Ok(())
}
