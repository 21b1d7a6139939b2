//! Reads columns of the ledger as the types they stand for; what a newer version wrote is an error, never a guess.

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::domain::customer::CustomerKey;
use crate::domain::delivery::{DeliveryId, MessageDigest, TargetId};
use crate::domain::ends::Ends;
use crate::domain::name::{CallId, ChannelName, NodeIndex, RunId, ScenarioName, TriggerName, VersionId};
use crate::domain::state::{DeliveryState, RunState};
use crate::store::StoreError;
use crate::store::calls::AcceptedCall;
use crate::store::deliveries::Delivery;
use crate::store::runs::UnfinishedRun;

/// A column that holds something this version cannot read.
pub(super) fn unreadable(what: impl std::fmt::Display) -> StoreError {
    StoreError::Refused(format!(
        "the ledger holds {what} that this Fanfare does not know; run the version that wrote it"
    ))
}

/// A column's value.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(unreadable)
}

pub(super) fn timestamp(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|_| unreadable(format!("the time {microseconds}")))
}

pub(super) fn time(row: &Row, column: usize) -> Result<Timestamp, StoreError> {
    timestamp(get(row, column)?)
}

pub(super) fn optional_time(row: &Row, column: usize) -> Result<Option<Timestamp>, StoreError> {
    get::<Option<i64>>(row, column)?.map(timestamp).transpose()
}

pub(super) fn small<T: TryFrom<i64>>(number: i64) -> Result<T, StoreError> {
    T::try_from(number).map_err(|_| unreadable(format!("the number {number}")))
}

pub(super) fn run_state(code: i16) -> Result<RunState, StoreError> {
    RunState::from_code(code.into()).ok_or_else(|| unreadable(format!("a run in state {code}")))
}

pub(super) fn delivery_state(code: i16) -> Result<DeliveryState, StoreError> {
    DeliveryState::from_code(code.into()).ok_or_else(|| unreadable(format!("a delivery in state {code}")))
}

/// How runs ended; nothing where a version before noted nothing.
pub(super) fn ends(code: Option<i16>) -> Ends {
    code.map_or(Ends::NONE, |code| Ends::from_code(code.into()))
}

pub(super) fn target(number: i32) -> Result<TargetId, StoreError> {
    TargetId::from_number(number).ok_or_else(|| unreadable(format!("the target {number}")))
}

/// A state's number as its column holds it.
pub(super) fn code(code: i64) -> i16 {
    i16::try_from(code).expect("states are numbered from 0 by hand")
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

pub(super) fn delivery(row: &Row) -> Result<Delivery, StoreError> {
    let id = DeliveryId {
        run: RunId(get(row, 0)?),
        customer: CustomerKey(get(row, 1)?),
        node: NodeIndex(small(get::<i32>(row, 2)?.into())?),
        target: target(get(row, 17)?)?,
    };
    let digest = match get::<Option<&[u8]>>(row, 8)? {
        None => None,
        Some(bytes) => {
            Some(MessageDigest(bytes.try_into().map_err(|_| unreadable("a digest of another length"))?))
        }
    };
    Ok(Delivery {
        id,
        channel: ChannelName::new(get::<&str>(row, 3)?),
        state: delivery_state(get(row, 4)?)?,
        attempt: small(get::<i32>(row, 5)?.into())?,
        maybe_sent: get(row, 6)?,
        address: get(row, 7)?,
        digest,
        provider_id: get(row, 9)?,
        reason: get(row, 10)?,
        first_at: optional_time(row, 11)?,
        last_at: optional_time(row, 12)?,
        retry_at: optional_time(row, 13)?,
        done_at: optional_time(row, 14)?,
        advanced: get(row, 15)?,
        segments: get::<Option<i16>>(row, 16)?.map(|count| small(count.into())).transpose()?,
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
pub(super) fn accepted_call(row: &Row, from: usize) -> Result<AcceptedCall, StoreError> {
    let params = serde_json::from_str(params_text(row, from)?);
    accepted_call_with(row, from, params.map_err(|error| unreadable(format!("params ({error})")))?)
}

/// The params of an accepted call as they are kept.
pub(super) fn params_text(row: &Row, from: usize) -> Result<&str, StoreError> {
    Ok(get::<Option<&str>>(row, from + 6)?.unwrap_or("{}"))
}

/// The rest of an accepted call, whose params were read.
pub(super) fn accepted_call_with(
    row: &Row,
    from: usize,
    params: serde_json::Map<String, serde_json::Value>,
) -> Result<AcceptedCall, StoreError> {
    Ok(AcceptedCall {
        seq: get(row, from)?,
        id: CallId::new(get::<&str>(row, from + 1)?),
        trigger: TriggerName::new(get::<&str>(row, from + 2)?),
        version: VersionId::new(get::<Option<&str>>(row, from + 3)?.unwrap_or_default()),
        received_at: time(row, from + 4)?,
        expires_at: optional_time(row, from + 5)?,
        params,
        // A trace that cannot be read is no reason to keep a call from its customers.
        trace: get::<Option<&str>>(row, from + 7)?.and_then(|text| text.parse().ok()),
    })
}

/// A run that is not at its end, as `r.id, r.scenario, r.state, r.stopping` and the columns of its call give it.
pub(super) fn unfinished_run(row: &Row) -> Result<UnfinishedRun, StoreError> {
    Ok(UnfinishedRun {
        id: RunId(get(row, 0)?),
        scenario: ScenarioName::new(get::<&str>(row, 1)?),
        state: run_state(get(row, 2)?)?,
        stopping: get(row, 3)?,
        call: accepted_call(row, 4)?,
    })
}
