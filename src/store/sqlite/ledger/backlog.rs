//! Counting what is not at its end: each count is read from a partial index that holds nothing else.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::rows::{delivery_state, timestamp};
use crate::domain::name::{ChannelName, ScenarioName};
use crate::store::run_log::{Backlog, LEFT_OUT_MAX};

const WAITING: &str = sql!(
    "SELECT channel, state, count(*) FROM delivery WHERE state IN {delivery.waiting} GROUP BY channel, state
     UNION ALL SELECT channel, state, count(*) FROM delivery WHERE state = {delivery.held} GROUP BY channel"
);

/// The runs under way lead to their chunks, which are few.
const UNDECIDED: &str = sql!(
    "SELECT r.scenario, sum(c.size - c.position) FROM run r CROSS JOIN chunk c ON c.run = r.id
     WHERE r.state IN {run.under_way} AND c.state = {chunk.open} GROUP BY r.scenario"
);

const UNDER_WAY: &str = sql!(
    "SELECT scenario FROM run WHERE state IN {run.under_way}
     UNION SELECT DISTINCT scenario FROM run WHERE state = {run.waiting} LIMIT ?1"
);

/// A call that is not matched, or the call of a run under way that has not waited.
const OLDEST: &str = sql!("SELECT min(at) FROM (
        SELECT * FROM (SELECT received_at AS at FROM call WHERE state = {call.accepted} ORDER BY seq LIMIT 1)
        UNION ALL SELECT * FROM (SELECT c.received_at FROM run r CROSS JOIN call c ON c.seq = r.call
            WHERE r.state IN {run.under_way} AND NOT EXISTS (SELECT 1 FROM waiting_journey w WHERE w.run = r.id)
            ORDER BY r.id LIMIT 1))");

/// Counts, on one snapshot.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<Backlog> {
    let snapshot = connection.unchecked_transaction()?;
    let one = |sql: &str| snapshot.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
    let mut statement = snapshot.prepare_cached(WAITING)?;
    let waiting = statement.query_map([], |row| {
        let (channel, count) = (row.get::<_, String>(0)?, row.get::<_, i64>(2)?);
        Ok((ChannelName::new(channel), delivery_state(row.get(1)?)?, count.unsigned_abs()))
    })?;
    let mut statement = snapshot.prepare_cached(UNDECIDED)?;
    let undecided = statement.query_map([], |row| {
        Ok((ScenarioName::new(row.get::<_, String>(0)?), row.get::<_, i64>(1)?.unsigned_abs()))
    })?;
    let undecided = undecided.collect::<rusqlite::Result<_>>()?;
    let mut statement = snapshot.prepare_cached("SELECT scenario, at FROM left_out LIMIT ?1")?;
    let left_out = statement.query_map([LEFT_OUT_MAX], |row| {
        Ok((ScenarioName::new(row.get::<_, String>(0)?), timestamp(row.get(1)?)?))
    })?;
    let left_out = left_out.collect::<rusqlite::Result<_>>()?;
    let oldest: Option<i64> = snapshot.query_row(OLDEST, [], |row| row.get(0))?;
    let next_wake = "SELECT min(wake_at) FROM waiting_journey WHERE woken_into IS NULL";
    let next_wake: Option<i64> = snapshot.query_row(next_wake, [], |row| row.get(0))?;
    Ok(Backlog {
        oldest_call: oldest.map(timestamp).transpose()?,
        calls: one(sql!("SELECT count(*) FROM call WHERE state IN {call.open}"))?,
        runs: one(sql!("SELECT count(*) FROM run WHERE state IN {run.under_way}"))?,
        resting_runs: one(sql!("SELECT count(*) FROM run WHERE state = {run.waiting}"))?,
        next_wake_at: next_wake.map(timestamp).transpose()?,
        deliveries: waiting.collect::<rusqlite::Result<_>>()?,
        waiting: undecided,
        left_out,
    })
}

/// The scenarios that have runs under way.
pub(super) fn scenarios(connection: &Connection, most: u32) -> rusqlite::Result<BTreeSet<ScenarioName>> {
    let mut statement = connection.prepare_cached(UNDER_WAY)?;
    let names = statement.query_map([most], |row| row.get::<_, String>(0).map(ScenarioName::new))?;
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::state::DeliveryState;
    use crate::store::run_log::RunLog;
    use crate::store::sqlite::Ledger;

    const ROWS: &str = sql!("
        INSERT INTO call (id, trigger_name, received_at, state, http_status) VALUES ('a', 't', 0, {call.running}, 202),
            ('b', 't', 0, {call.done}, 202);
        INSERT INTO run (call, scenario, state, started_at) VALUES (1, 's', {run.running}, 0),
            (2, 's', {run.done}, 0);
        INSERT INTO chunk (run, n, first_key, last_key, size, position, state) VALUES
            (1, 0, 1, 4, 4, 4, {chunk.done}), (1, 1, 5, 9, 5, 2, {chunk.open}),
            (1, 2, 10, 19, 10, 0, {chunk.open}), (2, 0, 1, 1, 1, 0, {chunk.open});
        INSERT INTO delivery (run, customer, node, channel, state, attempt) VALUES
            (1, 1, 0, 'mail', {delivery.retrying}, 1), (1, 2, 0, 'mail', {delivery.retrying}, 1),
            (1, 3, 0, 'sms', {delivery.held}, 1), (1, 4, 0, 'sms', {delivery.sent}, 1);");

    #[tokio::test]
    async fn what_is_not_at_its_end_is_counted_by_indexes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        assert_eq!(ledger.backlog().await.unwrap(), Backlog::default());
        ledger.database.write(|c| c.execute_batch(ROWS)).await.unwrap();
        let found = ledger.backlog().await.unwrap();
        assert_eq!((found.calls, found.runs), (1, 1));
        assert_eq!(found.oldest_call, Some(jiff::Timestamp::UNIX_EPOCH));
        let mail = (ChannelName::new("mail"), DeliveryState::Retrying, 2);
        let sms = (ChannelName::new("sms"), DeliveryState::Held, 1);
        assert_eq!(found.deliveries, [mail, sms]);
        assert_eq!(found.waiting, [(ScenarioName::new("s"), 13)], "and none of a run that is at its end");
        let plan = ledger.database.read(|c| {
            let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {WAITING}"))?;
            statement.query_map([], |row| row.get::<_, String>(3))?.collect::<rusqlite::Result<Vec<_>>>()
        });
        let plan = plan.await.unwrap().join("\n");
        assert!(plan.contains("delivery_waiting") && plan.contains("delivery_held"), "{plan}");
    }
}
