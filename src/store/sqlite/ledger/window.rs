//! One step of a channel or of a walk: outcomes, decisions, openings and cursors in one savepoint.
//!
//! The fence and the run's `stopping` are read in the same transaction the openings are written in; with one
//! writer a file, no other write can come between.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::delivery::DeliveryId;
use crate::domain::name::NodeIndex;
use crate::store::deliveries::{Advanced, Committed, Cursor, Decided, JourneyWait, Opened, SendIntent, Step};
use crate::store::runs::{ChunkId, Fence};

pub(super) fn commit(connection: &Connection, step: &Step) -> rusqlite::Result<Committed> {
    debug_assert!(step.is_within_the_table(), "{step:?}");
    let at = step.at.as_microsecond();
    let mut rights = Rights::default();
    write_outcomes(connection, step, at)?;
    let decided = write_decided(connection, &mut rights, step, at)?;
    let advanced = write_passed(connection, &mut rights, &step.advanced)?;
    let waits = write_waits(connection, &mut rights, step, at)?;
    let opened = write_openings(connection, &mut rights, step, at)?;
    move_cursors(connection, &step.cursors)?;
    Ok(Committed { opened, lost: !(decided && advanced && waits) })
}

/// An outcome is a fact: it is accepted from any process while the delivery is still at that attempt.
fn write_outcomes(connection: &Connection, step: &Step, at: i64) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached(sql!(
        "UPDATE delivery SET state = ?5, attempt = ?6, doubtful = doubtful OR ?7,
             provider_id = coalesce(?8, provider_id), reason = ?9, retry_at = ?10, done_at = ?11,
             passed = passed OR ?12
         WHERE run = ?1 AND customer = ?2 AND node = ?3 AND target = ?13 AND attempt = ?4
             AND (state = {delivery.sending} OR state = {delivery.retrying} AND doubtful)"
    ))?;
    for outcome in step.first_outcomes() {
        let DeliveryId { run, customer, node, target } = outcome.id;
        let done_at = (!outcome.state.is_open()).then_some(at);
        update.execute(params![
            run.0,
            customer.0,
            node.0,
            outcome.attempt,
            outcome.state.code(),
            outcome.attempts_counted,
            outcome.maybe_sent,
            outcome.provider_id,
            outcome.reason,
            outcome.retry_at.map(Timestamp::as_microsecond),
            done_at,
            outcome.advanced,
            target.number(),
        ])?;
    }
    Ok(())
}

/// Whether all of it was ours to decide.
fn write_decided(
    connection: &Connection,
    rights: &mut Rights,
    step: &Step,
    at: i64,
) -> rusqlite::Result<bool> {
    let decided: Vec<&Decided> = step.first_decided().collect();
    if decided.is_empty() {
        return Ok(true);
    }
    let mut ours = Vec::with_capacity(decided.len());
    for one in &decided {
        if rights.hold(connection, ChunkId { run: one.id.run, n: one.chunk }, one.fence)? {
            ours.push(*one);
        }
    }
    // A row that is final stays as it is: nothing is decided twice.
    let mut write = connection.prepare_cached(sql!(
        "INSERT INTO delivery (run, customer, node, target, channel, state, attempt, doubtful, reason, retry_at,
             done_at, passed)
         VALUES (?1, ?2, ?3, ?11, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (run, customer, node, target) DO UPDATE SET
             state = excluded.state, doubtful = doubtful OR excluded.doubtful, reason = excluded.reason,
             retry_at = excluded.retry_at, done_at = excluded.done_at, passed = passed OR excluded.passed
         WHERE state IN {delivery.open}"
    ))?;
    for one in &ours {
        let DeliveryId { run, customer, node, target } = one.id;
        write.execute(params![
            run.0,
            customer.0,
            node.0,
            one.channel.as_str(),
            one.state.code(),
            one.maybe_sent,
            one.reason,
            one.retry_at.map(Timestamp::as_microsecond),
            (!one.state.is_open()).then_some(at),
            one.advanced,
            target.number(),
        ])?;
    }
    pass(connection, ours.iter().filter_map(|one| predecessor(one.id, one.predecessor)))?;
    Ok(ours.len() == decided.len())
}

/// Whether all of it was ours to decide.
fn write_passed(
    connection: &Connection,
    rights: &mut Rights,
    advanced: &[Advanced],
) -> rusqlite::Result<bool> {
    let mut ours = Vec::with_capacity(advanced.len());
    for one in advanced {
        if rights.hold(connection, ChunkId { run: one.id.run, n: one.chunk }, one.fence)? {
            ours.push(one.id);
        }
    }
    pass(connection, ours.iter().copied())?;
    Ok(ours.len() == advanced.len())
}

/// Whether all of it was ours to decide. A journey that waits already goes on waiting as it was decided first.
fn write_waits(connection: &Connection, rights: &mut Rights, step: &Step, at: i64) -> rusqlite::Result<bool> {
    if step.waits.is_empty() {
        return Ok(true);
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO waiting_journey (run, chunk, customer, node, since, wake_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO NOTHING",
    )?;
    let mut ours = true;
    for JourneyWait { chunk, fence, customer, node, until } in &step.waits {
        if rights.hold(connection, *chunk, *fence)? {
            insert.execute(params![chunk.run.0, chunk.n, customer.0, node.0, at, until.as_microsecond()])?;
        } else {
            ours = false;
        }
    }
    Ok(ours)
}

fn write_openings(
    connection: &Connection,
    rights: &mut Rights,
    step: &Step,
    at: i64,
) -> rusqlite::Result<Vec<Opened>> {
    let mut insert = connection.prepare_cached(sql!(
        "INSERT INTO delivery (run, customer, node, target, channel, state, attempt, address, digest, first_at,
             last_at, segments)
         VALUES (?1, ?2, ?3, ?11, ?4, {delivery.sending}, ?5, ?6, ?7, ?8, ?8, ?10)
         ON CONFLICT DO UPDATE SET last_at = last_at
         WHERE ?9 AND state = {delivery.sending} AND attempt = excluded.attempt AND digest = excluded.digest"
    ))?;
    let mut reopen = connection.prepare_cached(sql!(
        "UPDATE delivery SET state = {delivery.sending}, attempt = ?4, address = ?5, digest = ?6,
             first_at = coalesce(first_at, ?7), last_at = ?7, retry_at = NULL, segments = ?9
         WHERE run = ?1 AND customer = ?2 AND node = ?3 AND target = ?10
             AND (state IN {delivery.waiting} AND attempt = ?4 - 1
                  OR ?8 AND state = {delivery.sending} AND attempt = ?4 AND digest = ?6)"
    ))?;
    let (openings, repeated) = (&step.openings, step.repeated);
    let mut answers = Vec::with_capacity(openings.len());
    for (opening, is_first) in openings.iter().zip(step.first_openings()) {
        let mut answer = if is_first { rights.of(connection, opening)? } else { Opened::Lost };
        if answer == Opened::Yes {
            let DeliveryId { run, customer, node, target } = opening.id;
            let target = target.number();
            let (attempt, address, digest) = (opening.attempt, &opening.address, &opening.digest.0[..]);
            let segments = opening.segments;
            let changed = if opening.is_retry {
                reopen.execute(params![
                    run.0, customer.0, node.0, attempt, address, digest, at, repeated, segments, target
                ])?
            } else {
                let channel = opening.channel.as_str();
                insert.execute(params![
                    run.0, customer.0, node.0, channel, attempt, address, digest, at, repeated, segments,
                    target
                ])?
            };
            if changed == 0 {
                answer = Opened::Lost;
            }
        }
        answers.push(answer);
    }
    let written = openings.iter().zip(&answers).filter(|(_, answer)| **answer == Opened::Yes);
    pass(connection, written.filter_map(|(opening, _)| predecessor(opening.id, opening.predecessor)))?;
    Ok(answers)
}

/// Whether openings of a chunk may be written, asked once a step.
#[derive(Default)]
struct Rights(HashMap<ChunkId, (i64, bool)>);

impl Rights {
    /// Whether the chunk is open and the fence is its own.
    fn hold(&mut self, connection: &Connection, chunk: ChunkId, fence: Fence) -> rusqlite::Result<bool> {
        Ok(self.read(connection, chunk)?.0 == fence.0)
    }

    fn read(&mut self, connection: &Connection, chunk: ChunkId) -> rusqlite::Result<(i64, bool)> {
        if let Some(known) = self.0.get(&chunk) {
            return Ok(*known);
        }
        let read = read_rights(connection, chunk)?;
        self.0.insert(chunk, read);
        Ok(read)
    }

    fn of(&mut self, connection: &Connection, opening: &SendIntent) -> rusqlite::Result<Opened> {
        let chunk = ChunkId { run: opening.id.run, n: opening.chunk };
        let (fence, stopping) = self.read(connection, chunk)?;
        Ok(match (fence == opening.fence.0, stopping) {
            (false, _) => Opened::Lost,
            (true, true) => Opened::Stopping,
            (true, false) => Opened::Yes,
        })
    }
}

/// The fence of a chunk that is open, or a fence that no owner has; and whether nothing of the run may be sent any more.
fn read_rights(connection: &Connection, chunk: ChunkId) -> rusqlite::Result<(i64, bool)> {
    let found = connection
        .prepare_cached(sql!(
            "SELECT c.fence, r.stopping OR r.state <> {run.running} FROM chunk c JOIN run r ON r.id = c.run
             WHERE c.run = ?1 AND c.n = ?2 AND c.state = {chunk.open}"
        ))?
        .query_row(params![chunk.run.0, chunk.n], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or((-1, true)))
}

fn predecessor(id: DeliveryId, node: Option<NodeIndex>) -> Option<DeliveryId> {
    node.map(|node| DeliveryId { node, ..id })
}

/// A journey goes on behind a node whatever targets its message went to.
fn pass(connection: &Connection, ids: impl Iterator<Item = DeliveryId>) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE delivery SET passed = 1 WHERE run = ?1 AND customer = ?2 AND node = ?3 AND passed = 0",
    )?;
    for DeliveryId { run, customer, node, .. } in ids {
        update.execute(params![run.0, customer.0, node.0])?;
    }
    Ok(())
}

fn move_cursors(connection: &Connection, cursors: &[Cursor]) -> rusqlite::Result<()> {
    if cursors.is_empty() {
        return Ok(());
    }
    let mut update = connection.prepare_cached(sql!(
        "UPDATE chunk SET position = ?4
         WHERE run = ?1 AND n = ?2 AND fence = ?3 AND state = {chunk.open} AND position < ?4"
    ))?;
    for Cursor { chunk, fence, position } in cursors {
        update.execute(params![
            chunk.run.0,
            chunk.n,
            fence.0,
            i64::try_from(*position).unwrap_or(i64::MAX)
        ])?;
    }
    Ok(())
}
