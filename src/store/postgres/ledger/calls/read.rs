//! Reading calls: those to be matched, one, and pages of the trigger log.

use std::ops::Range;

use jiff::Timestamp;
use tokio_postgres::Row;

use super::super::rows::{
    accepted_call_with, call_columns, ends, get, optional_time, params_text, small, time, timestamp,
    unreadable,
};
use crate::domain::name::{CallId, TriggerName, VersionId};
use crate::domain::state::CallState;
use crate::store::StoreError;
use crate::store::call_pages::{end_id, first_id, first_id_of};
use crate::store::calls::{
    AcceptedCall, COUNTED_MAX, CallFilter, CallRecord, PAGE_PARAMS_BYTES_MAX, RefusalCount, UnreadableCall,
    unreadable_params,
};
use crate::store::postgres::session::Session;

/// The columns [`record`] reads, of a table called `c`.
macro_rules! record_columns {
    ($params:literal) => {
        concat!(
            "c.seq, c.id, c.request, c.trigger_name, c.credential, c.received_at, c.expires_at, c.version, ",
            $params,
            ", c.state, c.http_status, c.reason, c.not_fired, c.finished_at, c.ended"
        )
    };
}

/// The first condition is the partial index's own, so that it is used.
const OPEN: &str =
    sql!("SELECT ", call_columns!(), " FROM call c WHERE c.state = {call.accepted} ORDER BY c.seq LIMIT $1");

const ONE: &str = concat!("SELECT ", record_columns!("c.params"), " FROM call c WHERE c.id = $1");

/// Params that do not belong to the page are not read: their length is known without.
macro_rules! page {
    ($condition:literal) => {
        concat!(
            "SELECT ", record_columns!("CASE WHEN $9 THEN NULL ELSE c.params END"), " FROM (
                SELECT c.*, sum(octet_length(c.params)) OVER (
                    ORDER BY c.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS params_before
                FROM (SELECT c.* FROM call c WHERE ", $condition, " AND c.id >= $1 AND c.id < $2
                AND ($3::text IS NULL OR c.trigger_name = $3) AND ($4::text IS NULL OR c.request = $4)
                AND ($5::int[] IS NULL OR c.state * 16 + coalesce(c.ended, 0) = ANY ($5))
                AND ($6::bigint IS NULL OR c.received_at >= $6) AND ($7::bigint IS NULL OR c.received_at < $7)
                ORDER BY c.id DESC LIMIT $8) c) c
             WHERE $9 OR coalesce(c.params_before, 0) < $10 ORDER BY c.id DESC"
        )
    };
}

const BY_TRIGGER: &str = page!("c.trigger_name = $3");
const BY_REQUEST: &str = page!("c.request = $4");
const BY_TIME: &str = page!("true");

const ACCEPTED_TIMES: &str = sql!(
    "
    SELECT received_at FROM (
        SELECT received_at FROM call
        WHERE trigger_name = $1 AND received_at >= $2 AND id >= $3 AND state <> {call.refused}
        ORDER BY received_at DESC LIMIT $4) newest
    ORDER BY received_at"
);

const COUNTED: &str = "
    SELECT trigger_name, http_status, reason, max(minute), sum(refusals)::bigint FROM refusal_count
    WHERE ($1::text IS NULL OR trigger_name = $1) AND minute >= $2 AND minute < $3
    GROUP BY trigger_name, http_status, reason ORDER BY sum(refusals) DESC, trigger_name, http_status, reason LIMIT $4";

pub(super) async fn counted_refusals(
    session: &mut Session,
    trigger: Option<&TriggerName>,
    minutes: &Range<i64>,
) -> Result<Vec<RefusalCount>, StoreError> {
    let (trigger, limit) = (trigger.map(TriggerName::as_str), i64::from(COUNTED_MAX));
    let rows = session.query(COUNTED, &[&trigger, &minutes.start, &minutes.end, &limit]).await?;
    let count = |row: &Row| {
        Ok(RefusalCount {
            trigger: TriggerName::new(get::<&str>(row, 0)?),
            http_status: u16::try_from(get::<i32>(row, 1)?).unwrap_or(0),
            reason: get(row, 2)?,
            minute: get(row, 3)?,
            refusals: u64::try_from(get::<i64>(row, 4)?).unwrap_or(0),
        })
    };
    rows.iter().map(count).collect()
}

pub(super) async fn open_calls(
    session: &mut Session,
    limit: u32,
) -> Result<Vec<Result<AcceptedCall, UnreadableCall>>, StoreError> {
    let rows = session.query(OPEN, &[&i64::from(limit)]).await?;
    rows.iter().map(readable_call).collect()
}

fn readable_call(row: &Row) -> Result<Result<AcceptedCall, UnreadableCall>, StoreError> {
    match serde_json::from_str(params_text(row, 0)?) {
        Ok(params) => accepted_call_with(row, 0, params).map(Ok),
        Err(error) => {
            let (seq, id) = (get(row, 0)?, CallId::new(get::<&str>(row, 1)?));
            Ok(Err(UnreadableCall { seq, id, reason: unreadable_params(&error) }))
        }
    }
}

pub(super) async fn one(session: &mut Session, id: &CallId) -> Result<Option<CallRecord>, StoreError> {
    session.first(ONE, &[&id.as_str()]).await?.as_ref().map(record).transpose()
}

pub(super) async fn list(session: &mut Session, filter: &CallFilter) -> Result<Vec<CallRecord>, StoreError> {
    let statement = match filter {
        CallFilter { request: Some(_), .. } => BY_REQUEST,
        CallFilter { trigger: Some(_), .. } => BY_TRIGGER,
        _ => BY_TIME,
    };
    let rows = session
        .query(
            statement,
            &[
                &first_id(filter),
                &end_id(filter),
                &filter.trigger.as_ref().map(TriggerName::as_str),
                &filter.request.as_ref().map(CallId::as_str),
                &filter.state.map(kept),
                &filter.since.map(Timestamp::as_microsecond),
                &filter.until.map(Timestamp::as_microsecond),
                &i64::from(filter.limit),
                &filter.without_params,
                &i64::try_from(PAGE_PARAMS_BYTES_MAX).unwrap_or(i64::MAX),
            ],
        )
        .await?;
    rows.iter().map(record).collect()
}

/// What is kept of calls in this state.
fn kept(state: CallState) -> Vec<i32> {
    state.found_as().into_iter().filter_map(|kept| i32::try_from(kept).ok()).collect()
}

pub(super) async fn accepted_times(
    session: &mut Session,
    trigger: &TriggerName,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<Timestamp>, StoreError> {
    let (first, since, limit) = (first_id_of(since), since.as_microsecond(), i64::from(limit));
    let rows = session.query(ACCEPTED_TIMES, &[&trigger.as_str(), &since, &first, &limit]).await?;
    rows.iter().map(|row| timestamp(get(row, 0)?)).collect()
}

fn record(row: &Row) -> Result<CallRecord, StoreError> {
    let state: i16 = get(row, 9)?;
    Ok(CallRecord {
        seq: get(row, 0)?,
        id: CallId::new(get::<&str>(row, 1)?),
        request: get::<Option<&str>>(row, 2)?.map(CallId::new),
        trigger: TriggerName::new(get::<&str>(row, 3)?),
        credential: get(row, 4)?,
        received_at: time(row, 5)?,
        expires_at: optional_time(row, 6)?,
        version: get::<Option<&str>>(row, 7)?.map(VersionId::new),
        params: get(row, 8)?,
        state: CallState::from_code(state.into())
            .ok_or_else(|| unreadable(format!("a call in state {state}")))?
            .with(ends(get(row, 14)?)),
        http_status: small(get::<i32>(row, 10)?.into())?,
        reason: get(row, 11)?,
        not_fired: get(row, 12)?,
        finished_at: optional_time(row, 13)?,
    })
}
