//! Journeys that wait at a node: written by the step that decides it, woken into chunks when their time has come.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{delivery_state, timestamp};
use crate::domain::customer::CustomerKey;
use crate::domain::name::{CallId, RunId, ScenarioName, VersionId};
use crate::domain::run_counts::{EarlierDelivery, JourneysElsewhere};
use crate::store::chunk_keys;
use crate::store::runs::{ChunkId, DUE_MAX, RunUnderWay, WOKEN_MAX, WokenChunks};

/// Of a chunk `c` and a delivery `d`, whether the delivery was made in the chunk. A journey's deliveries before a wait belong
/// to the chunk that it left, those behind it to the chunk that it was woken into.
macro_rules! made_in_chunk {
    () => {
        "d.run = c.run AND d.customer BETWEEN c.first_key AND c.last_key
         AND (c.from_chunk IS NULL OR EXISTS (SELECT 1 FROM waiting_journey w
             WHERE w.run = d.run AND w.chunk = c.from_chunk AND w.customer = d.customer AND w.woken_into = c.n
                 AND w.node < d.node))
         AND NOT EXISTS (SELECT 1 FROM waiting_journey l
             WHERE l.run = d.run AND l.chunk = c.n AND l.customer = d.customer AND l.node < d.node)"
    };
}
pub(super) use made_in_chunk;

/// What waited at one node of one chunk.
struct Group {
    run: RunId,
    chunk: u32,
    node: u16,
}

/// Wakes journeys that are due.
pub(super) fn wake_due(
    connection: &Connection,
    now: Timestamp,
    groups: u32,
) -> rusqlite::Result<WokenChunks> {
    let mut woken = WokenChunks::default();
    for _ in 0..groups {
        let Some(group) = first_due(connection, now)? else { break };
        woken.chunks.extend(wake(connection, &group, now, now)?);
        if woken.chunks.iter().map(|(_, journeys)| journeys).sum::<u64>() >= u64::from(DUE_MAX) {
            break;
        }
    }
    let earliest = "SELECT min(wake_at) FROM waiting_journey WHERE woken_into IS NULL";
    let earliest: Option<i64> = connection.prepare_cached(earliest)?.query_row([], |row| row.get(0))?;
    woken.next_at = earliest.map(timestamp).transpose()?;
    woken.is_more_due = woken.next_at.is_some_and(|at| at <= now);
    Ok(woken)
}

fn first_due(connection: &Connection, now: Timestamp) -> rusqlite::Result<Option<Group>> {
    connection
        .prepare_cached(
            "SELECT run, chunk, node FROM waiting_journey
             WHERE woken_into IS NULL AND wake_at <= ?1 ORDER BY wake_at LIMIT 1",
        )?
        .query_row([now.as_microsecond()], group)
        .optional()
}

fn group(row: &rusqlite::Row<'_>) -> rusqlite::Result<Group> {
    Ok(Group { run: RunId(row.get(0)?), chunk: row.get(1)?, node: row.get(2)? })
}

/// Wakes all that waits of a run.
pub(super) fn wake_run(connection: &Connection, run: RunId, now: Timestamp) -> rusqlite::Result<u64> {
    let mut some = connection.prepare_cached(
        "SELECT DISTINCT run, chunk, node FROM waiting_journey WHERE run = ?1 AND woken_into IS NULL LIMIT ?2",
    )?;
    let groups = some.query_map(params![run.0, GROUPS_MAX], group)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut chunks = 0;
    for group in &groups {
        chunks += u64::from(wake(connection, group, now, Timestamp::MAX)?.is_some());
    }
    Ok(chunks)
}

/// How many chunks of a stopped run are made in one commit.
const GROUPS_MAX: u32 = 16;

/// Wakes those of a group that are due by `due` into a chunk; gives it with their number, if their run is under way.
fn wake(
    connection: &Connection,
    group: &Group,
    now: Timestamp,
    due: Timestamp,
) -> rusqlite::Result<Option<(ChunkId, u64)>> {
    let Group { run, chunk, node } = *group;
    let is_under_way: bool = connection
        .prepare_cached(sql!("SELECT state IN {run.begun} FROM run WHERE id = ?1"))?
        .query_row([run.0], |row| row.get(0))
        .optional()?
        .unwrap_or(false);
    let n: u32 = connection
        .prepare_cached("SELECT coalesce(max(n), 0) + 1 FROM chunk WHERE run = ?1")?
        .query_row([run.0], |row| row.get(0))?;
    let mut update = connection.prepare_cached(
        "UPDATE waiting_journey SET woken_into = ?5
         WHERE run = ?1 AND chunk = ?2 AND woken_into IS NULL AND customer IN (
             SELECT customer FROM waiting_journey
             WHERE run = ?1 AND chunk = ?2 AND node = ?3 AND wake_at <= ?4 AND woken_into IS NULL LIMIT ?6)
         RETURNING customer",
    )?;
    let into = if is_under_way { i64::from(n) } else { -1 };
    let woken = params![run.0, chunk, node, due.as_microsecond(), into, WOKEN_MAX];
    let mut keys =
        update.query_map(woken, |row| row.get(0).map(CustomerKey))?.collect::<rusqlite::Result<Vec<_>>>()?;
    keys.sort_unstable();
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Ok(None) };
    if !is_under_way {
        return Ok(None);
    }
    let size = keys.len() as u64;
    connection
        .prepare_cached(
            "INSERT INTO chunk (run, n, first_key, last_key, size, from_chunk, from_node, woken_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![run.0, n, first.0, last.0, size.cast_signed(), chunk, node, now.as_microsecond()])?;
    connection
        .prepare_cached("INSERT INTO chunk_customers (run, n, customers) VALUES (?1, ?2, ?3)")?
        .execute(params![run.0, n, chunk_keys::encode(&keys)])?;
    connection
        .prepare_cached(sql!("UPDATE run SET state = {run.running} WHERE id = ?1 AND state = {run.waiting}"))?
        .execute([run.0])?;
    Ok(Some((ChunkId { run, n }, size)))
}

/// Lets a run rest of which nothing but waiting journeys is left.
pub(super) fn rest(connection: &Connection, run: RunId) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached(sql!(
            "UPDATE run SET state = {run.waiting} WHERE id = ?1 AND state = {run.running} AND stopping = 0
                 AND NOT EXISTS (SELECT 1 FROM chunk WHERE run = ?1 AND state = {chunk.open})
                 AND EXISTS (SELECT 1 FROM waiting_journey WHERE run = ?1 AND woken_into IS NULL)"
        ))?
        .execute([run.0])?;
    Ok(changed > 0)
}

/// The runs that rest.
pub(super) fn waiting_runs(connection: &Connection) -> rusqlite::Result<Vec<RunUnderWay>> {
    under_way(
        connection,
        sql!(
            "SELECT r.id, r.scenario, c.version, c.id FROM run r JOIN call c ON c.seq = r.call
         WHERE r.state = {run.waiting} ORDER BY r.id"
        ),
    )
}

/// The runs that are not at their end.
pub(super) fn runs_under_way(connection: &Connection) -> rusqlite::Result<Vec<RunUnderWay>> {
    under_way(
        connection,
        sql!(
            "SELECT r.id, r.scenario, c.version, c.id
         FROM (SELECT id FROM run WHERE state IN {run.under_way}
             UNION ALL SELECT id FROM run WHERE state = {run.waiting}) o
         JOIN run r ON r.id = o.id JOIN call c ON c.seq = r.call ORDER BY r.id"
        ),
    )
}

fn under_way(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<RunUnderWay>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(RunUnderWay {
            id: RunId(row.get(0)?),
            scenario: ScenarioName::new(row.get::<_, String>(1)?),
            version: VersionId::new(row.get::<_, Option<String>>(2)?.unwrap_or_default()),
            call: CallId::new(row.get::<_, String>(3)?),
        })
    })?;
    rows.collect()
}

/// What of a chunk's journeys is in other chunks.
pub(super) fn elsewhere(connection: &Connection, chunk: ChunkId) -> rusqlite::Result<JourneysElsewhere> {
    let mut left =
        connection.prepare_cached("SELECT customer FROM waiting_journey WHERE run = ?1 AND chunk = ?2")?;
    let left = left.query_map(params![chunk.run.0, chunk.n], |row| row.get(0).map(CustomerKey))?;
    let left = left.collect::<rusqlite::Result<_>>()?;
    let mut earlier = connection.prepare_cached(
        "SELECT d.customer, d.state, d.reason FROM chunk c
         JOIN waiting_journey w ON w.run = c.run AND w.chunk = c.from_chunk AND w.woken_into = c.n
         JOIN delivery d ON d.run = c.run AND d.customer = w.customer AND d.node < c.from_node
         WHERE c.run = ?1 AND c.n = ?2",
    )?;
    let earlier = earlier.query_map(params![chunk.run.0, chunk.n], |row| {
        let (customer, state) = (CustomerKey(row.get(0)?), delivery_state(row.get(1)?)?);
        Ok(EarlierDelivery { customer, state, reason: row.get(2)? })
    })?;
    Ok(JourneysElsewhere { left, earlier: earlier.collect::<rusqlite::Result<_>>()? })
}
