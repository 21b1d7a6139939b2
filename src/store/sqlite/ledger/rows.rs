//! Reads columns of the ledger as the types they stand for; what a newer version wrote is an error, never a guess.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Row, RowIndex};

use crate::domain::customer::CustomerKey;
use crate::domain::delivery::{DeliveryId, MessageDigest, TargetId};
use crate::domain::ends::Ends;
use crate::domain::name::{CallId, ChannelName, NodeIndex, RunId, ScenarioName, TriggerName, VersionId};
use crate::domain::state::{DeliveryState, RunState};
use crate::store::calls::AcceptedCall;
use crate::store::deliveries::Delivery;
use crate::store::runs::UnfinishedRun;

/// A column that holds something this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("the ledger holds {what} that this Fanfare does not know; run the version that wrote it")]
pub(super) struct Unreadable {
    what: String,
}

pub(super) fn unreadable(what: impl Into<String>) -> rusqlite::Error {
    let error = Unreadable { what: what.into() };
    rusqlite::Error::FromSqlConversionFailure(0, Type::Null, Box::new(error))
}

pub(super) fn timestamp(microseconds: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(microseconds).map_err(|_| unreadable(format!("the time {microseconds}")))
}

pub(super) fn optional_timestamp<I: RowIndex>(
    row: &Row<'_>,
    column: I,
) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(timestamp).transpose()
}

pub(super) fn small<T: TryFrom<i64>>(number: i64) -> rusqlite::Result<T> {
    T::try_from(number).map_err(|_| unreadable(format!("the number {number}")))
}

pub(super) fn run_state(code: i64) -> rusqlite::Result<RunState> {
    RunState::from_code(code).ok_or_else(|| unreadable(format!("a run in state {code}")))
}

/// How runs ended; nothing where a version before noted nothing.
pub(super) fn ends(code: Option<i64>) -> Ends {
    code.map_or(Ends::NONE, Ends::from_code)
}

pub(super) fn delivery_state(code: i64) -> rusqlite::Result<DeliveryState> {
    DeliveryState::from_code(code).ok_or_else(|| unreadable(format!("a delivery in state {code}")))
}

fn target(number: i32) -> rusqlite::Result<TargetId> {
    TargetId::from_number(number).ok_or_else(|| unreadable(format!("the target {number}")))
}

/// The columns [`delivery`] reads, of a table called `d`.
macro_rules! delivery_columns {
    () => {
        "d.run, d.customer, d.node, d.channel, d.state, d.attempt, d.doubtful, d.address, d.digest, d.provider_id,
         d.reason, d.first_at, d.last_at, d.retry_at, d.done_at, d.passed, d.segments, d.target"
    };
}
pub(super) use delivery_columns;

/// How many columns [`delivery`] reads; what a statement adds stands behind them.
pub(super) const DELIVERY_COLUMNS: usize = 18;

pub(super) fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let id = DeliveryId {
        run: RunId(row.get(0)?),
        customer: CustomerKey(row.get(1)?),
        node: NodeIndex(small(row.get(2)?)?),
        target: target(row.get(17)?)?,
    };
    Ok(Delivery {
        id,
        channel: ChannelName::new(row.get::<_, String>(3)?),
        state: delivery_state(row.get(4)?)?,
        attempt: small(row.get(5)?)?,
        maybe_sent: row.get(6)?,
        address: row.get(7)?,
        digest: row.get::<_, Option<[u8; 16]>>(8)?.map(MessageDigest),
        provider_id: row.get(9)?,
        reason: row.get(10)?,
        first_at: optional_timestamp(row, 11)?,
        last_at: optional_timestamp(row, 12)?,
        retry_at: optional_timestamp(row, 13)?,
        done_at: optional_timestamp(row, 14)?,
        advanced: row.get(15)?,
        segments: row.get(16)?,
    })
}

/// The columns [`accepted_call`] reads, of a table called `c`.
macro_rules! call_columns {
    () => {
        "c.seq, c.id, c.trigger_name, c.version, c.received_at, c.expires_at, c.params, c.trace"
    };
}
pub(super) use call_columns;

/// Reads an accepted call from eight columns, the first of which is `from`.
pub(super) fn accepted_call(row: &Row<'_>, from: usize) -> rusqlite::Result<AcceptedCall> {
    let params = row.get_ref(from + 6)?.as_str_or_null()?.unwrap_or("{}");
    Ok(AcceptedCall {
        seq: row.get(from)?,
        id: CallId::new(row.get::<_, String>(from + 1)?),
        trigger: TriggerName::new(row.get::<_, String>(from + 2)?),
        version: VersionId::new(row.get::<_, Option<String>>(from + 3)?.unwrap_or_default()),
        received_at: timestamp(row.get(from + 4)?)?,
        expires_at: optional_timestamp(row, from + 5)?,
        params: serde_json::from_str(params).map_err(|error| unreadable(format!("params ({error})")))?,
        // A trace that cannot be read is no reason to keep a call from its customers.
        trace: row.get_ref(from + 7)?.as_str_or_null()?.and_then(|text| text.parse().ok()),
    })
}

/// A run that is not at its end, as `r.id, r.scenario, r.state, r.stopping` and the columns of its call give it.
pub(super) fn unfinished_run(row: &Row<'_>) -> rusqlite::Result<UnfinishedRun> {
    Ok(UnfinishedRun {
        id: RunId(row.get(0)?),
        scenario: ScenarioName::new(row.get::<_, String>(1)?),
        state: run_state(row.get(2)?)?,
        stopping: row.get(3)?,
        call: accepted_call(row, 4)?,
    })
}
