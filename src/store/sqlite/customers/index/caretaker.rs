//! The one who fills and drops indexes in the background, a small batch a time, with a pause as long as the batch.
//!
//! Each batch is a piece of work like any other on the file's writer, so that what others write takes its turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::drop::drop_batch;
use super::fill::fill;
use super::registry::{kept, state};
use crate::store::StoreError;
use crate::store::sqlite::Database;

/// How often it looks for indexes whose grace has ended.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long it waits after the store failed.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A batch was filled or dropped; there may be more.
    Worked,
    /// Nothing is to be done.
    Idle,
}

/// Fills and drops until told to stop.
pub(crate) async fn take_care(
    database: Arc<Database>,
    grace: Duration,
    required: Arc<Notify>,
    stop: CancellationToken,
) {
    loop {
        let began = Instant::now();
        let pause = match database.write(move |connection| step(connection, Timestamp::now(), grace)).await {
            Ok(Step::Worked) => began.elapsed(),
            Ok(Step::Idle) => LOOK_EVERY,
            Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::warn!(%error, "an index could not be filled further; trying again");
                AFTER_A_FAILURE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = required.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Does one small piece of whatever is to be done first: filling, then dropping, then ending a grace.
pub(crate) fn step(connection: &Connection, now: Timestamp, grace: Duration) -> rusqlite::Result<Step> {
    if let Some(index) = kept(connection)?.iter().find(|index| index.needed && !index.complete) {
        fill(connection, index)?;
        return Ok(Step::Worked);
    }
    if let Some(index) = first_dropping(connection)? {
        drop_batch(connection, index)?;
        return Ok(Step::Worked);
    }
    let grace = i64::try_from(grace.as_micros()).unwrap_or(i64::MAX);
    let mut end_grace = connection
        .prepare_cached("UPDATE side_index SET state = ?1 WHERE state <> ?1 AND unneeded_since <= ?2")?;
    let ended = end_grace.execute((state::DROPPING, now.as_microsecond().saturating_sub(grace)))?;
    Ok(if ended > 0 { Step::Worked } else { Step::Idle })
}

fn first_dropping(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM side_index WHERE state = ?1")?;
    statement.query_row([state::DROPPING], |row| row.get(0)).optional()
}
