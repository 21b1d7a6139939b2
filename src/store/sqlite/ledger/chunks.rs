//! Chunks: written once with the audience, taken with a fence, finished with their counts.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{small, timestamp, unreadable};
use super::waiting::made_in_chunk;
use crate::domain::customer::CustomerKey;
use crate::domain::name::{NodeIndex, RunId};
use crate::domain::run_counts::{JourneyEnd, RunCounts};
use crate::store::chunk_keys;
use crate::store::runs::{ChunkId, Fence, TakenChunk, Woken};

pub(super) fn set_audience(
    connection: &Connection,
    run: RunId,
    chunks: &[Vec<CustomerKey>],
    access: &str,
    owner: &str,
) -> rusqlite::Result<Option<Fence>> {
    let audience: usize = chunks.iter().map(Vec::len).sum();
    let selecting = connection
        .prepare_cached(sql!(
            "UPDATE run SET state = {run.running}, audience = ?2, access = ?3
             WHERE id = ?1 AND state = {run.selecting}"
        ))?
        .execute(params![run.0, i64::try_from(audience).unwrap_or(i64::MAX), access])?;
    if selecting == 0 {
        return Ok(None);
    }
    let mut chunk = connection.prepare_cached(
        "INSERT INTO chunk (run, n, first_key, last_key, size, owner, fence)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6 IS NOT NULL)",
    )?;
    let mut customers =
        connection.prepare_cached("INSERT INTO chunk_customers (run, n, customers) VALUES (?1, ?2, ?3)")?;
    for (n, members) in (0_u32..).zip(chunks) {
        let (Some(first), Some(last)) = (members.first(), members.last()) else { continue };
        let size = i64::try_from(members.len()).unwrap_or(i64::MAX);
        chunk.execute(params![run.0, n, first.0, last.0, size, (n == 0).then_some(owner)])?;
        customers.execute(params![run.0, n, chunk_keys::encode(members)])?;
    }
    Ok((!chunks.is_empty()).then_some(Fence::FIRST))
}

pub(super) fn open(connection: &Connection, run: RunId) -> rusqlite::Result<Vec<u32>> {
    let mut statement = connection.prepare_cached(sql!(
        "SELECT n FROM chunk WHERE run = ?1 AND state = {chunk.open} ORDER BY from_chunk IS NULL, n"
    ))?;
    statement.query_map([run.0], |row| row.get(0))?.collect()
}

/// One process holds a file, so the caller is its only owner: the lease of an earlier process is void.
pub(super) fn take(
    connection: &Connection,
    chunk: ChunkId,
    owner: &str,
) -> rusqlite::Result<Option<TakenChunk>> {
    let taken = connection
        .prepare_cached(sql!(
            "UPDATE chunk SET owner = ?3, fence = fence + 1
             WHERE run = ?1 AND n = ?2 AND state = {chunk.open}
             RETURNING fence, position, from_node, woken_at"
        ))?
        .query_row(params![chunk.run.0, chunk.n, owner], |row| {
            Ok((Fence(row.get(0)?), row.get::<_, i64>(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((fence, position, node, at)) = taken else { return Ok(None) };
    let woken = match (node, at) {
        (Some(node), Some(at)) => Some(Woken { node: NodeIndex(node), at: timestamp(at)? }),
        _ => None,
    };
    let keys = customers(connection, chunk)?;
    Ok(Some(TakenChunk { fence, position: small(position)?, keys, woken }))
}

pub(super) fn customers(connection: &Connection, chunk: ChunkId) -> rusqlite::Result<Vec<CustomerKey>> {
    let bytes: Vec<u8> = connection
        .prepare_cached("SELECT customers FROM chunk_customers WHERE run = ?1 AND n = ?2")?
        .query_row(params![chunk.run.0, chunk.n], |row| row.get(0))?;
    chunk_keys::decode(&bytes).ok_or_else(|| unreadable("a chunk's customers"))
}

/// A chunk may not be done while a delivery of it is open, whatever its owner believes.
pub(super) fn finish(
    connection: &Connection,
    chunk: ChunkId,
    fence: Fence,
    position: usize,
    counts: &RunCounts,
) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached(sql!(
            "UPDATE chunk AS c SET state = {chunk.done}, position = ?4, counts = ?5, owner = NULL
                 WHERE run = ?1 AND n = ?2 AND fence = ?3 AND state = {chunk.open} AND NOT EXISTS (
                     SELECT 1 FROM delivery d WHERE d.state IN {delivery.open} AND ",
            made_in_chunk!(),
            ")"
        ))?
        .execute(params![
            chunk.run.0,
            chunk.n,
            fence.0,
            i64::try_from(position).unwrap_or(i64::MAX),
            counts.written()
        ])?;
    Ok(changed > 0)
}

/// Chunks that were never taken have no deliveries; `fence = 0` is the proof. Woken journeys have some of before.
pub(super) fn finish_untouched(
    connection: &Connection,
    run: RunId,
    end: JourneyEnd,
) -> rusqlite::Result<u64> {
    let mut untouched = connection.prepare_cached(sql!(
        "SELECT n, size FROM chunk
         WHERE run = ?1 AND state = {chunk.open} AND fence = 0 AND from_chunk IS NULL"
    ))?;
    let chunks: Vec<(u32, i64)> =
        untouched.query_map([run.0], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut finish = connection.prepare_cached(sql!(
        "UPDATE chunk SET state = {chunk.done}, counts = ?3
         WHERE run = ?1 AND n = ?2 AND state = {chunk.open} AND fence = 0"
    ))?;
    for (n, size) in &chunks {
        let counts = RunCounts::of_untouched(size.unsigned_abs(), end);
        finish.execute(params![run.0, n, counts.written()])?;
    }
    Ok(chunks.len() as u64)
}
