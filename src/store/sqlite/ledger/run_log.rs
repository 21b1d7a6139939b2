//! The trait [`RunLog`] on the ledger's file: reading runs and deliveries.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::rows::{
    DELIVERY_COLUMNS, delivery, delivery_columns, delivery_state, ends, optional_timestamp, run_state, small,
    timestamp,
};
use super::runs::read_run_counts;
use super::waiting::made_in_chunk;
use super::{Ledger, backlog, held, left_out};
use crate::domain::delivery::DeliveryId;
use crate::domain::name::{CallId, NodeIndex, RunId, ScenarioName, VersionId};
use crate::domain::state::DeliveryState;
use crate::store::StoreError;
use crate::store::run_log::{
    Backlog, DeliveryFilter, DeliveryRecord, Reopened, RunLog, RunRecord, ScenarioLeftOut,
};

#[async_trait]
impl RunLog for Ledger {
    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.database.read(backlog::count).await
    }

    async fn scenarios_under_way(&self, most: u32) -> Result<BTreeSet<ScenarioName>, StoreError> {
        self.database.read(move |connection| backlog::scenarios(connection, most)).await
    }

    async fn left_out(&self) -> Result<Vec<ScenarioLeftOut>, StoreError> {
        self.database.read(left_out::all).await
    }

    async fn runs_of_call(&self, call: &CallId) -> Result<Vec<RunRecord>, StoreError> {
        let call = call.clone();
        let read = move |c: &Connection| {
            let snapshot = c.unchecked_transaction()?;
            runs_of_call(&snapshot, &call)
        };
        self.database.read(read).await
    }

    async fn deliveries_of_call(
        &self,
        call: &CallId,
        filter: DeliveryFilter,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let call = call.clone();
        self.database.read(move |c| deliveries_of_call(c, &call, &filter)).await
    }

    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.database.read(move |c| deliveries(c, &filter)).await
    }

    async fn resend(&self, id: DeliveryId, now: Timestamp) -> Result<Option<Reopened>, StoreError> {
        self.database.write(move |c| held::resend(c, id, now)).await
    }

    async fn close_held(&self, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        self.database.write(move |c| held::close(c, id, now)).await
    }
}

fn runs_of_call(connection: &Connection, call: &CallId) -> rusqlite::Result<Vec<RunRecord>> {
    let mut statement = connection.prepare_cached(sql!(
        "SELECT id, scenario, state, audience, access, error, started_at, finished_at, ended,
             CASE WHEN state = {run.running}
                 THEN (SELECT sum(c.size - c.position) FROM chunk c
                     WHERE c.run = run.id AND c.state = {chunk.open}) END
         FROM run WHERE call = (SELECT seq FROM call WHERE id = ?1) ORDER BY id"
    ))?;
    let mut records: Vec<RunRecord> =
        statement.query_map([call.as_str()], run_record)?.collect::<Result<_, _>>()?;
    for record in &mut records {
        add_finished_chunks(connection, record)?;
        add_open_chunks(connection, record)?;
    }
    records.into_iter().map(|record| with_waits(connection, record)).collect()
}

fn run_record(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        id: RunId(row.get(0)?),
        scenario: ScenarioName::new(row.get::<_, String>(1)?),
        state: run_state(row.get(2)?)?.with(ends(row.get(8)?)),
        audience: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
        waiting: row.get::<_, Option<i64>>(9)?.map_or(0, i64::unsigned_abs),
        at_waits: 0,
        next_wake_at: None,
        access: row.get(4)?,
        run_counts: crate::domain::run_counts::RunCounts::default(),
        error: row.get(5)?,
        started_at: timestamp(row.get(6)?)?,
        finished_at: optional_timestamp(row, 7)?,
    })
}

fn add_finished_chunks(connection: &Connection, record: &mut RunRecord) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql!(
        "SELECT counts FROM chunk WHERE run = ?1 AND state = {chunk.done} AND counts IS NOT NULL"
    ))?;
    let mut rows = statement.query([record.id.0])?;
    while let Some(row) = rows.next()? {
        record.run_counts.merge(&read_run_counts(row.get_ref(0)?.as_str()?)?);
    }
    Ok(())
}

/// A chunk that was never taken has no deliveries.
fn add_open_chunks(connection: &Connection, record: &mut RunRecord) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql!(
        "SELECT d.node, d.state, count(*) FROM chunk c
         JOIN delivery d ON ",
        made_in_chunk!(),
        " WHERE c.run = ?1 AND c.state = {chunk.open} AND c.fence > 0 GROUP BY d.node, d.state"
    ))?;
    let mut rows = statement.query([record.id.0])?;
    while let Some(row) = rows.next()? {
        let count = row.get::<_, i64>(2)?.unsigned_abs();
        record.run_counts.add_deliveries(NodeIndex(small(row.get(0)?)?), delivery_state(row.get(1)?)?, count);
    }
    Ok(())
}

/// A run at its end has no waiting journeys.
fn with_waits(connection: &Connection, record: RunRecord) -> rusqlite::Result<RunRecord> {
    if !record.state.is_begun() {
        return Ok(record);
    }
    let mut statement = connection.prepare_cached(sql!(
        "SELECT coalesce(sum(c.size
                 - (SELECT count(*) FROM waiting_journey w WHERE w.run = c.run AND w.chunk = c.n)), 0),
             (SELECT min(w.wake_at) FROM (SELECT run, wake_at FROM waiting_journey WHERE woken_into IS NULL
                 ORDER BY wake_at LIMIT 10000) w WHERE w.run = ?1)
         FROM chunk c WHERE c.run = ?1 AND c.state = {chunk.open}"
    ))?;
    let (in_open_chunks, next_wake_at) = statement.query_row([record.id.0], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), optional_timestamp(row, 1)?))
    })?;
    Ok(RunRecord { next_wake_at, ..record }.with_waits(in_open_chunks))
}

fn delivery_record(row: &Row<'_>) -> rusqlite::Result<DeliveryRecord> {
    Ok(DeliveryRecord {
        delivery: delivery(row)?,
        call: CallId::new(row.get::<_, String>(DELIVERY_COLUMNS)?),
        version: VersionId::new(row.get::<_, Option<String>>(DELIVERY_COLUMNS + 1)?.unwrap_or_default()),
        scenario: ScenarioName::new(row.get::<_, String>(DELIVERY_COLUMNS + 2)?),
    })
}

/// The place behind which a page begins; before everything if there is none.
fn after(filter: &DeliveryFilter) -> (i64, i64, i64, i64) {
    let place = |id: DeliveryId| (id.run.0, id.customer.0, id.node.0.into(), id.target.number().into());
    filter.after.map_or((i64::MIN, i64::MIN, i64::MIN, i64::MIN), place)
}

fn deliveries_of_call(
    connection: &Connection,
    call: &CallId,
    filter: &DeliveryFilter,
) -> rusqlite::Result<Vec<DeliveryRecord>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        delivery_columns!(),
        ", c.id, c.version, r.scenario
          FROM call c CROSS JOIN run r ON r.call = c.seq CROSS JOIN delivery d ON d.run = r.id
          WHERE c.id = ?1 AND (?2 IS NULL OR d.state = ?2) AND r.id >= ?3
            AND (d.run, d.customer, d.node, d.target) > (?3, ?4, ?5, ?7)
          ORDER BY r.id, d.customer, d.node, d.target LIMIT ?6"
    ))?;
    let (run, customer, node, target) = after(filter);
    let state = filter.state.map(DeliveryState::code);
    let values = params![call.as_str(), state, run, customer, node, filter.limit, target];
    statement.query_map(values, delivery_record)?.collect()
}

fn deliveries(connection: &Connection, filter: &DeliveryFilter) -> rusqlite::Result<Vec<DeliveryRecord>> {
    let held = sql!(
        "SELECT ",
        delivery_columns!(),
        ", c.id, c.version, r.scenario
          FROM delivery d CROSS JOIN run r ON r.id = d.run CROSS JOIN call c ON c.seq = r.call
          WHERE d.state = {delivery.held} AND ?1 = {delivery.held}
            AND (d.run, d.customer, d.node, d.target) > (?2, ?3, ?4, ?6)
          ORDER BY d.run, d.customer, d.node, d.target LIMIT ?5"
    );
    let any = concat!(
        "SELECT ",
        delivery_columns!(),
        ", c.id, c.version, r.scenario
          FROM delivery d CROSS JOIN run r ON r.id = d.run CROSS JOIN call c ON c.seq = r.call
          WHERE d.state = ?1 AND (d.run, d.customer, d.node, d.target) > (?2, ?3, ?4, ?6)
          ORDER BY d.run, d.customer, d.node, d.target LIMIT ?5"
    );
    let state = filter.state.unwrap_or(DeliveryState::Held);
    let mut statement = connection.prepare_cached(if state == DeliveryState::Held { held } else { any })?;
    let (run, customer, node, target) = after(filter);
    let values = params![state.code(), run, customer, node, filter.limit, target];
    statement.query_map(values, delivery_record)?.collect()
}
