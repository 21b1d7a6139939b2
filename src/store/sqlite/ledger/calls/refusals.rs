//! Refusals: rows of `call` that never have a run, and counts by the minute.

use rusqlite::{Connection, named_params, params};

use crate::domain::state::CallState;
use crate::store::calls::{RefusalCount, RefusedCall};

pub(super) fn insert(
    connection: &Connection,
    calls: &[RefusedCall],
    counts: &[RefusalCount],
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO call (id, trigger_name, credential, received_at, state, http_status, reason, finished_at)
         VALUES (:id, :trigger, :credential, :received_at, :state, :status, :reason, :received_at)",
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
