//! The task that fills and drops indexes in the background, a small batch a time. While others use the files of this process,
//! it pauses for longer than its batches take; while they hardly do, it does not.
//!
//! Each batch is a piece of work like any other on the file's writer, so that what others write takes its turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::Notify;

use super::drop::drop_batch;
use super::fill::{RESTS, add_batch, read_part};
use super::registry::kept;
use crate::store::StoreError;
use crate::store::side_index::SideIndex;
use crate::store::sqlite::SqliteDatabase;
use crate::store::sqlite::foreground::Foreground;

/// How often it looks for indexes whose grace has ended.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long it waits after the store failed.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There may be more to do.
    Worked,
    /// Nothing is to be done.
    Idle,
}

/// Fills and drops indexes of one file.
pub(crate) struct IndexMaintenance {
    /// The file.
    pub database: Arc<SqliteDatabase>,
    /// How long an index is kept that no scenario needs.
    pub grace: Duration,
    /// Rings when the needs have changed.
    pub required: Arc<Notify>,
}

impl IndexMaintenance {
    /// Fills and drops until the file is closed.
    pub(crate) async fn maintain(self) {
        let mut foreground = Foreground::begin();
        loop {
            let pause = match self.step(&mut foreground).await {
                Ok(Step::Worked) => continue,
                Ok(Step::Idle) => LOOK_EVERY,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "an index could not be filled further; trying again");
                    AFTER_A_FAILURE
                }
            };
            tokio::select! {
                () = self.required.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does whatever is to be done first: filling, then dropping, then ending a grace.
    async fn step(&self, foreground: &mut Foreground) -> Result<Step, StoreError> {
        if let Some(index) = self.database.read_in_background(first_to_fill).await? {
            self.fill(index, foreground).await?;
            return Ok(Step::Worked);
        }
        let (now, grace) = (Timestamp::now(), self.grace);
        let began = Instant::now();
        let step =
            self.database.write(move |connection| drop_what_is_unneeded(connection, now, grace)).await?;
        if step == Step::Worked {
            tokio::time::sleep(began.elapsed()).await;
        }
        Ok(step)
    }

    /// Fills the next part of an index.
    async fn fill(&self, index: SideIndex, foreground: &mut Foreground) -> Result<(), StoreError> {
        let (to_read, mut seen) = (index.clone(), *foreground);
        let read = move |connection: &Connection| {
            let snapshot = connection.unchecked_transaction()?;
            read_part(&snapshot, &to_read, &mut seen).map(|part| (part, seen))
        };
        let (mut part, seen) = self.database.read_in_background(read).await?;
        *foreground = seen;
        let mut is_idle = foreground.is_idle();
        loop {
            let (began, index) = (Instant::now(), index.clone());
            let add = move |connection: &Connection| {
                add_batch(connection, &index, &mut part, is_idle).map(|done| (done, part))
            };
            let (done, rest) = self.database.write_in_background(add).await?;
            if done {
                return Ok(());
            }
            part = rest;
            is_idle = foreground.is_idle();
            if !is_idle {
                tokio::time::sleep(began.elapsed() * RESTS).await;
            }
        }
    }
}

fn first_to_fill(connection: &Connection) -> rusqlite::Result<Option<SideIndex>> {
    Ok(kept(connection)?.into_iter().find(|index| index.needed && !index.complete))
}

fn drop_what_is_unneeded(connection: &Connection, now: Timestamp, grace: Duration) -> rusqlite::Result<Step> {
    if let Some(index) = first_dropping(connection)? {
        drop_batch(connection, index)?;
        return Ok(Step::Worked);
    }
    let grace = i64::try_from(grace.as_micros()).unwrap_or(i64::MAX);
    let mut end_grace = connection.prepare_cached(sql!(
        "UPDATE side_index SET state = {side_index.dropping}
             WHERE state <> {side_index.dropping} AND unneeded_since <= ?1"
    ))?;
    let ended = end_grace.execute([now.as_microsecond().saturating_sub(grace)])?;
    Ok(if ended > 0 { Step::Worked } else { Step::Idle })
}

fn first_dropping(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let mut statement =
        connection.prepare_cached(sql!("SELECT id FROM side_index WHERE state = {side_index.dropping}"))?;
    statement.query_row([], |row| row.get(0)).optional()
}
