//! Journeys that wait at a node: written by the step that decides it, woken into chunks when their time has come.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::PostgresLedger;
use super::chunks::place;
use super::rows::{delivery_state, get, optional_time, small, time, unreadable};
use crate::domain::customer::CustomerKey;
use crate::domain::name::{CallId, NodeIndex, RunId, ScenarioName, VersionId};
use crate::domain::run_counts::{EarlierDelivery, JourneysElsewhere};
use crate::store::StoreError;
use crate::store::chunk_keys;
use crate::store::runs::{ChunkId, DUE_MAX, RunUnderWay, WOKEN_MAX, Woken, WokenChunks};

/// The groups that are due, the most overdue first: each is what waits at one node of one chunk. Looked for among as many
/// journeys as those groups have at most.
const DUE: &str = "
    SELECT run, chunk, node FROM (
        SELECT run, chunk, node, wake_at FROM waiting_journey WHERE woken_into IS NULL AND wake_at <= $1
        ORDER BY wake_at LIMIT $2) due
    GROUP BY run, chunk, node ORDER BY min(wake_at) LIMIT $3";
const OF_RUN: &str = "
    SELECT run, chunk, node FROM waiting_journey WHERE run = $1 AND woken_into IS NULL GROUP BY run, chunk, node LIMIT $2";
const OF_GROUP: &str = "
    SELECT customer FROM waiting_journey
    WHERE run = $1 AND chunk = $2 AND node = $3 AND wake_at <= $4 AND woken_into IS NULL LIMIT $5";
const WAKE: &str = "SELECT wake_journeys_1($1, $2, $3, $4, $5, $6)";
const EARLIEST: &str = "SELECT min(wake_at) FROM waiting_journey WHERE woken_into IS NULL";
const REST: &str = "SELECT rest_run_1($1)";
pub(super) const RESTING: &str = sql!(
    "
    SELECT r.id, r.scenario, c.version, c.id FROM run r JOIN call c ON c.seq = r.call
    WHERE r.state = {run.waiting} ORDER BY r.id"
);
pub(super) const UNDER_WAY: &str = sql!("
    SELECT r.id, r.scenario, c.version, c.id
    FROM (SELECT id FROM run WHERE state IN {run.under_way} UNION ALL SELECT id FROM run WHERE state = {run.waiting}) o
    JOIN run r ON r.id = o.id JOIN call c ON c.seq = r.call ORDER BY r.id");
const LEFT: &str = "SELECT customer FROM waiting_journey WHERE run = $1 AND chunk = $2";
const EARLIER: &str = "
    SELECT d.customer, d.state, d.reason FROM chunk c
    JOIN waiting_journey w ON w.run = c.run AND w.chunk = c.from_chunk AND w.woken_into = c.n
    JOIN delivery d ON d.accepted_at = $3 AND d.run = c.run AND d.customer = w.customer AND d.node < c.from_node
    WHERE c.run = $1 AND c.n = $2";

/// How many chunks of a stopped run are made before it is looked at again.
const GROUPS_MAX: i64 = 16;

/// What waited at one node of one chunk.
struct Group {
    run: RunId,
    chunk: i32,
    node: i32,
}

impl Group {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Group { run: RunId(get(row, 0)?), chunk: get(row, 1)?, node: get(row, 2)? })
    }
}

impl PostgresLedger {
    pub(super) async fn wake_those_due(
        &self,
        now: Timestamp,
        groups: u32,
    ) -> Result<WokenChunks, StoreError> {
        let journeys = i64::from(DUE_MAX);
        let due = {
            let mut session = self.database.ledger().await?;
            session.query(DUE, &[&now.as_microsecond(), &journeys, &i64::from(groups)]).await?
        };
        let mut woken = WokenChunks::default();
        for row in &due {
            match self.wake(&Group::of(row)?, now, now).await {
                Ok(group) => woken.chunks.extend(group),
                // What has been woken is told all the same, and the rest is looked at again.
                Err(_) if !woken.chunks.is_empty() => {
                    woken.is_more_due = true;
                    return Ok(woken);
                }
                Err(error) => return Err(error),
            }
        }
        match self.next_wake(!woken.chunks.is_empty()).await {
            Ok(next_at) => woken.next_at = next_at,
            Err(error) if woken.chunks.is_empty() => return Err(error),
            // Other replicas find it by their looks.
            Err(_) => {}
        }
        // What another replica is at just now is not looked at again at once.
        woken.is_more_due = woken.next_at.is_some_and(|at| at <= now) && !woken.chunks.is_empty();
        Ok(woken)
    }

    /// When the next journey is due; rings for the other replicas if some were woken.
    async fn next_wake(&self, rings: bool) -> Result<Option<Timestamp>, StoreError> {
        if rings {
            self.ring().await?;
        }
        let row = self.database.ledger().await?.one(EARLIEST, &[]).await?;
        optional_time(&row, 0)
    }

    pub(super) async fn wake_all_of(&self, run: RunId, now: Timestamp) -> Result<u64, StoreError> {
        let groups = self.database.ledger().await?.query(OF_RUN, &[&run.0, &GROUPS_MAX]).await?;
        let mut chunks = 0;
        for row in &groups {
            chunks += u64::from(self.wake(&Group::of(row)?, now, Timestamp::MAX).await?.is_some());
        }
        Ok(chunks)
    }

    /// Wakes those of a group that are due by `due`; gives the chunk they go on in with their number, if there is one.
    async fn wake(
        &self,
        Group { run, chunk, node }: &Group,
        now: Timestamp,
        due: Timestamp,
    ) -> Result<Option<(ChunkId, u64)>, StoreError> {
        let mut session = self.database.ledger().await?;
        let due = due.as_microsecond();
        let rows = session.query(OF_GROUP, &[&run.0, chunk, node, &due, &i64::from(WOKEN_MAX)]).await?;
        let mut keys = rows.iter().map(|row| get(row, 0).map(CustomerKey)).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Ok(None);
        }
        keys.sort_unstable();
        let customers: Vec<i64> = keys.iter().map(|key| key.0).collect();
        let written = chunk_keys::encode(&keys);
        let row =
            session.one(WAKE, &[&run.0, chunk, node, &customers, &written, &now.as_microsecond()]).await?;
        match get::<Option<i32>>(&row, 0)? {
            Some(n) if n >= 0 => Ok(Some((ChunkId { run: *run, n: small(n.into())? }, keys.len() as u64))),
            _ => Ok(None),
        }
    }

    pub(super) async fn let_rest(&self, run: RunId) -> Result<bool, StoreError> {
        get(&self.database.ledger().await?.one(REST, &[&run.0]).await?, 0)
    }

    pub(super) async fn under_way(&self, sql: &'static str) -> Result<Vec<RunUnderWay>, StoreError> {
        let rows = self.database.ledger().await?.query(sql, &[]).await?;
        let run = |row| {
            Ok(RunUnderWay {
                id: RunId(get(row, 0)?),
                scenario: ScenarioName::new(get::<&str>(row, 1)?),
                version: VersionId::new(get::<Option<&str>>(row, 2)?.unwrap_or_default()),
                call: CallId::new(get::<&str>(row, 3)?),
            })
        };
        rows.iter().map(run).collect()
    }

    /// What of a chunk's journeys is in other chunks.
    pub(super) async fn elsewhere(&self, chunk: ChunkId) -> Result<JourneysElsewhere, StoreError> {
        let accepted_at = self.accepted_at(chunk.run).await?;
        let mut session = self.database.ledger().await?;
        let left = session.query(LEFT, &[&chunk.run.0, &place(chunk)]).await?;
        let left = left.iter().map(|row| get(row, 0).map(CustomerKey)).collect::<Result<_, _>>()?;
        let earlier = session.query(EARLIER, &[&chunk.run.0, &place(chunk), &accepted_at]).await?;
        let earlier = earlier
            .iter()
            .map(|row| {
                let (customer, state) = (CustomerKey(get(row, 0)?), delivery_state(get(row, 1)?)?);
                Ok(EarlierDelivery { customer, state, reason: get(row, 2)? })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(JourneysElsewhere { left, earlier })
    }
}

/// Reads where a chunk's journeys go on.
pub(super) fn woken(row: &Row, from: usize) -> Result<Option<Woken>, StoreError> {
    let Some(node) = get::<Option<i32>>(row, from)? else { return Ok(None) };
    let node = u16::try_from(node).map_err(|_| unreadable(format!("the node {node}")))?;
    let at = time(row, from + 1)?;
    Ok(Some(Woken { node: NodeIndex(node), at }))
}
