//! Reading the trigger log.
//!
//! Ids are UUIDs of version 7, so they sort by time: pages and times are ranges of the index on the id.

use jiff::Timestamp;
use rusqlite::types::{FromSql, Type};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::super::rows::ends;
use crate::domain::name::{CallId, TriggerName, VersionId};
use crate::domain::state::CallState;
use crate::store::call_pages::{end_id, first_id, first_id_of};
use crate::store::calls::{
    AcceptedCall, CallFilter, CallRecord, PAGE_PARAMS_BYTES_MAX, UnreadableCall, params_bytes,
    unreadable_params,
};

pub(super) fn open_calls(
    connection: &Connection,
    limit: u32,
) -> rusqlite::Result<Vec<Result<AcceptedCall, UnreadableCall>>> {
    // The first condition is the partial index's own, so that the planner can use it.
    let mut select = connection.prepare_cached(sql!(
        "SELECT seq, id, trigger_name, version, received_at, expires_at, params, trace FROM call
         WHERE state = {call.accepted} ORDER BY seq LIMIT ?1"
    ))?;
    let calls = select.query_map([limit], |row| {
        let (seq, id) = (row.get("seq")?, CallId::new(row.get::<_, String>("id")?));
        let params = match serde_json::from_str(&row.get::<_, String>("params")?) {
            Ok(params) => params,
            Err(error) => return Ok(Err(UnreadableCall { seq, id, reason: unreadable_params(&error) })),
        };
        Ok(Ok(AcceptedCall {
            seq,
            id,
            trigger: TriggerName::new(row.get::<_, String>("trigger_name")?),
            version: VersionId::new(row.get::<_, String>("version")?),
            received_at: time(row, "received_at")?,
            expires_at: optional_time(row, "expires_at")?,
            params,
            trace: row.get::<_, Option<String>>("trace")?.and_then(|text| text.parse().ok()),
        }))
    })?;
    calls.collect()
}

const BY_TRIGGER: &str = "
    SELECT * FROM call
    WHERE trigger_name = :trigger AND id >= :from AND id < :before
      AND (:kept IS NULL OR instr(:kept, ',' || (state * 16 + ifnull(ended, 0)) || ',') > 0) AND (:request IS NULL OR request = :request)
      AND (:since IS NULL OR received_at >= :since) AND (:until IS NULL OR received_at < :until)
    ORDER BY id DESC LIMIT :limit";

const BY_REQUEST: &str = "
    SELECT * FROM call
    WHERE request IS NOT NULL AND request = :request AND id >= :from AND id < :before
      AND (:trigger IS NULL OR trigger_name = :trigger) AND (:kept IS NULL OR instr(:kept, ',' || (state * 16 + ifnull(ended, 0)) || ',') > 0)
      AND (:since IS NULL OR received_at >= :since) AND (:until IS NULL OR received_at < :until)
    ORDER BY id DESC LIMIT :limit";

const BY_TIME: &str = "
    SELECT * FROM call
    WHERE id >= :from AND id < :before
      AND (:trigger IS NULL OR trigger_name = :trigger) AND (:request IS NULL OR request = :request)
      AND (:kept IS NULL OR instr(:kept, ',' || (state * 16 + ifnull(ended, 0)) || ',') > 0)
      AND (:since IS NULL OR received_at >= :since) AND (:until IS NULL OR received_at < :until)
    ORDER BY id DESC LIMIT :limit";

pub(super) fn list(connection: &Connection, filter: &CallFilter) -> rusqlite::Result<Vec<CallRecord>> {
    let statement = match filter {
        CallFilter { request: Some(_), .. } => BY_REQUEST,
        CallFilter { trigger: Some(_), .. } => BY_TRIGGER,
        _ => BY_TIME,
    };
    let mut select = connection.prepare_cached(statement)?;
    let from = first_id(filter);
    let before = end_id(filter);
    let mut rows = select.query(named_params! {
            ":trigger": filter.trigger.as_ref().map(TriggerName::as_str),
            ":kept": filter.state.map(kept_in_a_list),
            ":request": filter.request.as_ref().map(CallId::as_str),
            ":from": from,
            ":before": before,
            ":since": filter.since.map(Timestamp::as_microsecond),
            ":until": filter.until.map(Timestamp::as_microsecond),
            ":limit": filter.limit,
    })?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    // Rows that are not asked for are not read.
    while bytes < PAGE_PARAMS_BYTES_MAX {
        let Some(row) = rows.next()? else { break };
        let record = record_with(row, !filter.without_params)?;
        bytes += params_bytes(std::slice::from_ref(&record));
        records.push(record);
    }
    Ok(records)
}

/// `,32,33,`: what is kept of calls in this state, as a text that a number between commas is looked for in.
fn kept_in_a_list(state: CallState) -> String {
    let kept: String = state.found_as().iter().map(|kept| format!("{kept},")).collect();
    format!(",{kept}")
}

pub(super) fn get(connection: &Connection, id: &CallId) -> rusqlite::Result<Option<CallRecord>> {
    let mut select = connection.prepare_cached("SELECT * FROM call WHERE id = ?1")?;
    select.query_row([id.as_str()], record).optional()
}

pub(super) fn accepted_times(
    connection: &Connection,
    trigger: &TriggerName,
    since: Timestamp,
    limit: u32,
) -> rusqlite::Result<Vec<Timestamp>> {
    let mut select = connection.prepare_cached(
        "SELECT received_at FROM call
         WHERE trigger_name = ?1 AND id >= ?2 AND received_at >= ?3 AND state <> ?4 ORDER BY id DESC LIMIT ?5",
    )?;
    let refused = CallState::Refused.code();
    let bound = params![trigger.as_str(), first_id_of(since), since.as_microsecond(), refused, limit];
    let times = select.query_map(bound, |row| time(row, "received_at"))?;
    let mut times: Vec<Timestamp> = times.collect::<rusqlite::Result<_>>()?;
    times.sort_unstable();
    Ok(times)
}

fn record(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    record_with(row, true)
}

/// A column that is not asked for is not copied out of the row.
fn record_with(row: &Row<'_>, params: bool) -> rusqlite::Result<CallRecord> {
    let state: i64 = row.get("state")?;
    Ok(CallRecord {
        seq: row.get("seq")?,
        id: CallId::new(row.get::<_, String>("id")?),
        request: optional(row, "request", |id: String| CallId::new(id))?,
        trigger: TriggerName::new(row.get::<_, String>("trigger_name")?),
        credential: row.get("credential")?,
        received_at: time(row, "received_at")?,
        expires_at: optional_time(row, "expires_at")?,
        version: optional(row, "version", |id: String| VersionId::new(id))?,
        params: if params { row.get("params")? } else { None },
        state: CallState::from_code(state)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(8, state))?
            .with(ends(row.get("ended")?)),
        http_status: row.get("http_status")?,
        reason: row.get("reason")?,
        not_fired: row.get("not_fired")?,
        finished_at: optional_time(row, "finished_at")?,
    })
}

fn optional<T: FromSql, U>(row: &Row<'_>, column: &str, wrap: fn(T) -> U) -> rusqlite::Result<Option<U>> {
    Ok(row.get::<_, Option<T>>(column)?.map(wrap))
}

fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(column)?).map_err(|error| unreadable(0, Type::Integer, error))
}

fn optional_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?
        .map(|us| Timestamp::from_microsecond(us).map_err(|error| unreadable(0, Type::Integer, error)))
        .transpose()
}

fn unreadable(
    column: usize,
    kind: Type,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
}
