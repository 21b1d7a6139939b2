//! The customers whom runs of a scenario left out last.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::rows::{timestamp, unreadable};
use crate::domain::name::{CallId, RunId, ScenarioName};
use crate::store::run_log::{LEFT_OUT_MAX, ScenarioLeftOut};
use crate::store::runs::{Reached, RunEnd};

/// Keeps what the end of a run tells about its scenario. A cause that goes on keeps the call it began with.
pub(super) fn note(
    connection: &Connection,
    run: RunId,
    end: &RunEnd,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let now = now.as_microsecond();
    if let Some((cause, told)) = end.left_out() {
        connection
            .prepare_cached(
                "INSERT INTO left_out (scenario, call, cause, told, since, at, is_over)
                 SELECT r.scenario, c.id, ?2, ?3, ?4, ?4, 0 FROM run r JOIN call c ON c.seq = r.call WHERE r.id = ?1
                 ON CONFLICT (scenario) DO UPDATE SET at = excluded.at, is_over = 0,
                     call = CASE WHEN is_over OR cause <> excluded.cause THEN excluded.call ELSE call END,
                     told = CASE WHEN is_over OR cause <> excluded.cause THEN excluded.told ELSE told END,
                     since = CASE WHEN is_over OR cause <> excluded.cause THEN excluded.since ELSE since END,
                     cause = excluded.cause",
            )?
            .execute(params![run.0, cause, told, now])?;
    } else if end.reached == Reached::Enough {
        connection
            .prepare_cached(
                "UPDATE left_out SET is_over = 1
                 WHERE scenario = (SELECT scenario FROM run WHERE id = ?1) AND is_over = 0",
            )?
            .execute([run.0])?;
    }
    Ok(())
}

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<ScenarioLeftOut>> {
    let mut statement = connection.prepare_cached(
        "SELECT scenario, call, told, since, at, is_over FROM left_out ORDER BY scenario LIMIT ?1",
    )?;
    statement.query_map([LEFT_OUT_MAX], one)?.collect()
}

fn one(row: &Row<'_>) -> rusqlite::Result<ScenarioLeftOut> {
    let told = serde_json::from_str(row.get_ref(2)?.as_str()?);
    Ok(ScenarioLeftOut {
        scenario: ScenarioName::new(row.get::<_, String>(0)?),
        call: CallId::new(row.get::<_, String>(1)?),
        left_out: told.map_err(|error| unreadable(format!("customers left out ({error})")))?,
        since: timestamp(row.get(3)?)?,
        at: timestamp(row.get(4)?)?,
        is_over: row.get(5)?,
    })
}
