//! The trait [`RunLog`]: runs and deliveries as people read them, each answer on one snapshot.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::PostgresLedger;
use super::rows::{
    DELIVERY_COLUMNS, code, delivery, delivery_columns, delivery_state, ends, get, optional_time, run_state,
    small, time,
};
use crate::domain::delivery::DeliveryId;
use crate::domain::name::{CallId, ChannelName, NodeIndex, RunId, ScenarioName, VersionId};
use crate::domain::run_counts::RunCounts;
use crate::domain::state::DeliveryState;
use crate::store::StoreError;
use crate::store::run_log::{
    Backlog, DeliveryFilter, DeliveryRecord, LEFT_OUT_MAX, Reopened, RunLog, RunRecord, ScenarioLeftOut,
};
use crate::store::runs::RunTotals;

const WAITING: &str =
    "SELECT channel, state, count(*) FROM pending_delivery GROUP BY channel, state ORDER BY 1, 2";
const UNDER_WAY: &str = sql!(
    "SELECT scenario FROM run WHERE state IN {run.under_way}
    UNION SELECT DISTINCT scenario FROM run WHERE state = {run.waiting} LIMIT $1"
);
const UNFINISHED: &str = sql!(
    "SELECT (SELECT count(*) FROM call WHERE state IN {call.open}),
    (SELECT count(*) FROM run WHERE state IN {run.under_way}),
    least((SELECT received_at FROM call WHERE state = {call.accepted} ORDER BY seq LIMIT 1),
        (SELECT c.received_at FROM run r JOIN call c ON c.seq = r.call
            WHERE r.state IN {run.under_way} AND NOT EXISTS (SELECT FROM waiting_journey w WHERE w.run = r.id)
            ORDER BY r.id LIMIT 1)),
    (SELECT count(*) FROM run WHERE state = {run.waiting}),
    (SELECT min(wake_at) FROM waiting_journey WHERE woken_into IS NULL)"
);

const UNDECIDED: &str = sql!(
    "SELECT r.scenario, sum(c.size - c.position)::bigint FROM run r JOIN chunk c ON c.run = r.id
    WHERE r.state IN {run.under_way} AND c.state = {chunk.open} GROUP BY r.scenario"
);

const LEFT_OUT: &str =
    "SELECT scenario, call, told, since, at, is_over FROM left_out ORDER BY scenario LIMIT $1";

/// Finished chunks as they were counted, and the rows of those that are taken and not finished: one
/// statement, so that a chunk which is finished meanwhile is in one of them.
const RUNS_OF_CALL: &str = sql!("
    SELECT r.id, r.scenario, r.state, r.audience, r.access, r.error, r.started_at, r.finished_at,
        ARRAY(SELECT c.counts FROM chunk c WHERE c.run = r.id AND c.state = {chunk.done} AND c.counts IS NOT NULL),
        o.nodes, o.states, o.counts, r.ended,
        CASE WHEN r.state = {run.running}
            THEN (SELECT sum(c.size - c.position)::bigint FROM chunk c WHERE c.run = r.id AND c.state = {chunk.open}) END,
        v.journeys, v.next_at
    FROM run r LEFT JOIN LATERAL (
        SELECT array_agg(s.node) AS nodes, array_agg(s.state) AS states, array_agg(s.count) AS counts FROM (
            SELECT d.node, d.state, count(*) AS count FROM chunk c
            JOIN delivery d ON d.accepted_at = r.accepted_at AND d.run = c.run
                AND d.customer BETWEEN c.first_key AND c.last_key 
                AND (c.from_chunk IS NULL OR EXISTS (SELECT FROM waiting_journey w
                    WHERE w.run = c.run AND w.chunk = c.from_chunk AND w.customer = d.customer
                        AND w.woken_into = c.n AND w.node < d.node))
                AND NOT EXISTS (SELECT FROM waiting_journey l
                    WHERE l.run = c.run AND l.chunk = c.n AND l.customer = d.customer AND l.node < d.node)
            WHERE c.run = r.id AND c.state = {chunk.open} AND c.fence > 0 GROUP BY d.node, d.state) s) o ON true
    LEFT JOIN LATERAL (SELECT
        (SELECT coalesce(sum(c.size - (SELECT count(*) FROM waiting_journey w WHERE w.run = c.run AND w.chunk = c.n)), 0)
            FROM chunk c WHERE c.run = r.id AND c.state = {chunk.open})::bigint AS journeys,
        (SELECT min(w.wake_at) FROM (SELECT run, wake_at FROM waiting_journey WHERE woken_into IS NULL
            ORDER BY wake_at LIMIT 10000) w WHERE w.run = r.id) AS next_at) v ON r.state IN {run.begun}
    WHERE r.call = (SELECT seq FROM call WHERE id = $1) ORDER BY r.id");

const TOTALS: &str = sql!("
    SELECT coalesce(r.audience, 0),
        (SELECT count(*) FROM chunk c WHERE c.run = r.id AND NOT (c.state = {chunk.done} AND c.counts IS NOT NULL)),
        ARRAY(SELECT c.counts FROM chunk c WHERE c.run = r.id AND c.state = {chunk.done} AND c.counts IS NOT NULL),
        EXISTS (SELECT FROM waiting_journey w WHERE w.run = r.id AND w.woken_into IS NULL)
    FROM run r WHERE r.id = $1");
const TOTALS_BY_NODE: &str =
    "SELECT node, count(*) FROM delivery WHERE accepted_at = $1 AND run = $2 GROUP BY node";

const OF_CALL: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    ", $1, $8::text, r.scenario FROM run r JOIN delivery d
        ON d.run = r.id AND d.accepted_at = r.accepted_at
     WHERE r.call = $2 AND d.accepted_at = $3 AND ($4::smallint IS NULL OR d.state = $4)
        AND (d.run, d.customer, d.node, d.target) > ($5, $6, $7, $10) AND r.id >= $5
     ORDER BY d.run, d.customer, d.node, d.target LIMIT $9"
);

const PENDING: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    ", c.id, c.version, r.scenario
     FROM (SELECT * FROM pending_delivery p
           WHERE p.state = $1 AND (p.run, p.customer, p.node, p.target) > ($2, $3, $4, $6)
           ORDER BY p.run, p.customer, p.node, p.target LIMIT $5) p
     JOIN delivery d ON d.run = p.run AND d.customer = p.customer AND d.node = p.node AND d.target = p.target
        AND d.accepted_at = p.accepted_at
     JOIN run r ON r.id = p.run JOIN call c ON c.seq = r.call
     WHERE d.state = $1 ORDER BY d.run, d.customer, d.node, d.target"
);

const IN_STATE: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    ", c.id, c.version, r.scenario
     FROM delivery d JOIN run r ON r.id = d.run JOIN call c ON c.seq = r.call
     WHERE d.state = $1 AND (d.run, d.customer, d.node, d.target) > ($2, $3, $4, $6)
     ORDER BY d.run, d.customer, d.node, d.target LIMIT $5"
);

#[async_trait]
impl RunLog for PostgresLedger {
    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let mut session = self.database.ledger().await?;
        let counts = session.one(UNFINISHED, &[]).await?;
        let waiting = session.query(WAITING, &[]).await?.into_iter().map(|row| {
            let count: i64 = get(&row, 2)?;
            Ok((
                ChannelName::new(get::<&str>(&row, 0)?),
                delivery_state(get(&row, 1)?)?,
                count.unsigned_abs(),
            ))
        });
        let left_out =
            session.query("SELECT scenario, at FROM left_out LIMIT $1", &[&i64::from(LEFT_OUT_MAX)]).await?;
        let left_out =
            left_out.iter().map(|row| Ok((ScenarioName::new(get::<&str>(row, 0)?), time(row, 1)?)));
        let undecided = session.query(UNDECIDED, &[]).await?;
        let undecided = undecided
            .iter()
            .map(|row| Ok((ScenarioName::new(get::<&str>(row, 0)?), get::<i64>(row, 1)?.unsigned_abs())));
        Ok(Backlog {
            waiting: undecided.collect::<Result<_, StoreError>>()?,
            left_out: left_out.collect::<Result<_, StoreError>>()?,
            calls: get::<i64>(&counts, 0)?.unsigned_abs(),
            oldest_call: optional_time(&counts, 2)?,
            runs: get::<i64>(&counts, 1)?.unsigned_abs(),
            resting_runs: get::<i64>(&counts, 3)?.unsigned_abs(),
            next_wake_at: optional_time(&counts, 4)?,
            deliveries: waiting.collect::<Result<_, StoreError>>()?,
        })
    }

    async fn scenarios_under_way(&self, most: u32) -> Result<BTreeSet<ScenarioName>, StoreError> {
        let mut session = self.database.ledger().await?;
        let rows = session.query(UNDER_WAY, &[&i64::from(most)]).await?;
        rows.iter().map(|row| Ok(ScenarioName::new(get::<&str>(row, 0)?))).collect()
    }

    async fn left_out(&self) -> Result<Vec<ScenarioLeftOut>, StoreError> {
        let mut session = self.database.ledger().await?;
        let rows = session.query(LEFT_OUT, &[&i64::from(LEFT_OUT_MAX)]).await?;
        rows.iter().map(left_out).collect()
    }

    async fn runs_of_call(&self, call: &CallId) -> Result<Vec<RunRecord>, StoreError> {
        let mut session = self.database.log().await?;
        session.query(RUNS_OF_CALL, &[&call.as_str()]).await?.iter().map(run_record).collect()
    }

    async fn deliveries_of_call(
        &self,
        call: &CallId,
        filter: DeliveryFilter,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let mut session = self.database.log().await?;
        let of_call = "SELECT seq, received_at, version FROM call WHERE id = $1";
        let Some(row) = session.first(of_call, &[&call.as_str()]).await? else { return Ok(Vec::new()) };
        let (seq, accepted_at): (i64, i64) = (get(&row, 0)?, get(&row, 1)?);
        let version: Option<&str> = get(&row, 2)?;
        let (run, customer, node, target) = after(&filter);
        let (state, limit) = (filter.state.map(|state| code(state.code())), i64::from(filter.limit));
        let rows = session
            .query(
                OF_CALL,
                &[
                    &call.as_str(),
                    &seq,
                    &accepted_at,
                    &state,
                    &run,
                    &customer,
                    &node,
                    &version,
                    &limit,
                    &target,
                ],
            )
            .await?;
        rows.iter().map(delivery_record).collect()
    }

    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<DeliveryRecord>, StoreError> {
        use DeliveryState::{Held, Queued, Retrying};
        let state = filter.state.unwrap_or(Held);
        let statement = if matches!(state, Held | Queued | Retrying) { PENDING } else { IN_STATE };
        let (run, customer, node, target) = after(&filter);
        let mut session = self.database.log().await?;
        let limit = i64::from(filter.limit);
        let values: [&(dyn ToSql + Sync); 6] = [&code(state.code()), &run, &customer, &node, &limit, &target];
        let rows = session.query(statement, &values).await?;
        rows.iter().map(delivery_record).collect()
    }

    async fn resend(&self, id: DeliveryId, now: Timestamp) -> Result<Option<Reopened>, StoreError> {
        self.send_again(id, now).await
    }

    async fn close_held(&self, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        self.close_one(id, now).await
    }
}

impl PostgresLedger {
    pub(super) async fn totals(&self, run: RunId) -> Result<RunTotals, StoreError> {
        let accepted_at = self.accepted_at(run).await?;
        let mut session = self.database.customers().await?;
        // One that another replica has ended may have been removed since: nothing of it is left.
        let Some(row) = session.first(TOTALS, &[&run.0]).await? else { return Ok(RunTotals::default()) };
        let mut totals = RunTotals {
            audience: get::<i64>(&row, 0)?.unsigned_abs(),
            open_chunks: get::<i64>(&row, 1)?.unsigned_abs(),
            is_waiting: get(&row, 3)?,
            ..RunTotals::default()
        };
        for counts in get::<Vec<&str>>(&row, 2)? {
            totals.run_counts.merge(&run_counts(counts)?);
        }
        if totals.open_chunks == 0 {
            for row in session.query(TOTALS_BY_NODE, &[&accepted_at, &run.0]).await? {
                let count: i64 = get(&row, 1)?;
                totals.deliveries.insert(small(get::<i32>(&row, 0)?.into())?, count.unsigned_abs());
            }
        }
        Ok(totals)
    }
}

/// Reads what a chunk was counted as.
pub(super) fn run_counts(counts: &str) -> Result<RunCounts, StoreError> {
    RunCounts::read(counts).map_err(|error| super::rows::unreadable(format!("counts ({error})")))
}

fn run_record(row: &Row) -> Result<RunRecord, StoreError> {
    let mut counted = RunCounts::default();
    for counts in get::<Vec<&str>>(row, 8)? {
        counted.merge(&run_counts(counts)?);
    }
    let nodes: Vec<i32> = get::<Option<_>>(row, 9)?.unwrap_or_default();
    let states: Vec<i16> = get::<Option<_>>(row, 10)?.unwrap_or_default();
    let counts: Vec<i64> = get::<Option<_>>(row, 11)?.unwrap_or_default();
    for ((node, state), count) in nodes.into_iter().zip(states).zip(counts) {
        counted.add_deliveries(NodeIndex(small(node.into())?), delivery_state(state)?, count.unsigned_abs());
    }
    let in_open_chunks = get::<Option<i64>>(row, 14)?.map(i64::unsigned_abs);
    let record = RunRecord {
        id: RunId(get(row, 0)?),
        scenario: ScenarioName::new(get::<&str>(row, 1)?),
        state: run_state(get(row, 2)?)?.with(ends(get(row, 12)?)),
        audience: get::<Option<i64>>(row, 3)?.map(i64::unsigned_abs),
        waiting: get::<Option<i64>>(row, 13)?.map_or(0, i64::unsigned_abs),
        at_waits: 0,
        next_wake_at: optional_time(row, 15)?,
        access: get(row, 4)?,
        run_counts: counted,
        error: get(row, 5)?,
        started_at: time(row, 6)?,
        finished_at: optional_time(row, 7)?,
    };
    Ok(match in_open_chunks {
        Some(journeys) => record.with_waits(journeys),
        None => record,
    })
}

fn left_out(row: &Row) -> Result<ScenarioLeftOut, StoreError> {
    let told = serde_json::from_str(get(row, 2)?);
    Ok(ScenarioLeftOut {
        scenario: ScenarioName::new(get::<&str>(row, 0)?),
        call: CallId::new(get::<&str>(row, 1)?),
        left_out: told.map_err(|error| super::rows::unreadable(format!("customers left out ({error})")))?,
        since: time(row, 3)?,
        at: time(row, 4)?,
        is_over: get(row, 5)?,
    })
}

fn delivery_record(row: &Row) -> Result<DeliveryRecord, StoreError> {
    Ok(DeliveryRecord {
        delivery: delivery(row)?,
        call: CallId::new(get::<&str>(row, DELIVERY_COLUMNS)?),
        version: VersionId::new(get::<Option<&str>>(row, DELIVERY_COLUMNS + 1)?.unwrap_or_default()),
        scenario: ScenarioName::new(get::<&str>(row, DELIVERY_COLUMNS + 2)?),
    })
}

/// The place behind which a page begins; before everything if there is none.
fn after(filter: &DeliveryFilter) -> (i64, i64, i32, i32) {
    let after = filter.after.map(|id| (id.run.0, id.customer.0, i32::from(id.node.0), id.target.number()));
    after.unwrap_or((i64::MIN, i64::MIN, i32::MIN, i32::MIN))
}
