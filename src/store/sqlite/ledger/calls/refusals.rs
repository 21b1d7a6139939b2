//! Refusals: rows of `call` that never have a run, and counts by the minute.

use std::ops::Range;

use rusqlite::{Connection, named_params, params};

use crate::domain::name::TriggerName;
use crate::domain::state::CallState;
use crate::store::calls::{COUNTED_MAX, RefusalCount, RefusedCall};

pub(super) fn insert(
    connection: &Connection,
    calls: &[RefusedCall],
    counts: &[RefusalCount],
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO call (seq, id, trigger_name, credential, received_at, state, http_status, reason, finished_at)
         SELECT max((SELECT coalesce(max(seq), 0) FROM call), call) + 1,
             :id, :trigger, :credential, :received_at, :state, :status, :reason, :received_at
         FROM number_given",
    )?;
    for call in calls {
        insert.execute(named_params! {
            ":id": call.id.as_str(),
            ":trigger": call.trigger.as_str(),
            ":credential": call.credential.as_deref(),
            ":received_at": call.received_at.as_microsecond(),
            ":state": CallState::Refused.code(),
            ":status": call.http_status,
            ":reason": call.reason,
        })?;
    }
    let mut count = connection.prepare_cached(
        "INSERT INTO refusal_count (trigger_name, http_status, reason, minute, refusals)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (trigger_name, minute, http_status, reason) DO UPDATE SET refusals = refusals + excluded.refusals",
    )?;
    for counted in counts {
        let refusals = i64::try_from(counted.refusals).unwrap_or(i64::MAX);
        let status = counted.http_status;
        count.execute(params![counted.trigger.as_str(), status, counted.reason, counted.minute, refusals])?;
    }
    Ok(())
}

pub(super) fn counted(
    connection: &Connection,
    trigger: Option<&TriggerName>,
    minutes: &Range<i64>,
) -> rusqlite::Result<Vec<RefusalCount>> {
    let mut select = connection.prepare_cached(
        "SELECT trigger_name, http_status, reason, max(minute), sum(refusals) FROM refusal_count
         WHERE (?1 IS NULL OR trigger_name = ?1) AND minute >= ?2 AND minute < ?3
         GROUP BY trigger_name, http_status, reason ORDER BY sum(refusals) DESC, trigger_name, http_status, reason LIMIT ?4",
    )?;
    let trigger = trigger.map(TriggerName::as_str);
    let rows = select.query_map(params![trigger, minutes.start, minutes.end, COUNTED_MAX], |row| {
        Ok(RefusalCount {
            trigger: TriggerName::new(row.get::<_, String>(0)?),
            http_status: row.get(1)?,
            reason: row.get(2)?,
            minute: row.get(3)?,
            refusals: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
        })
    })?;
    rows.collect()
}
