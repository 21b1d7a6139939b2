//! Removes an index that no scenario needs any more, one small batch a time.

use rusqlite::Connection;

/// How many rows one batch removes: a few milliseconds' worth.
const ROWS_A_BATCH: i64 = 4_000;

const DROP_ATTRIBUTES: &str = "DELETE FROM attribute_entry WHERE idx = ?1 AND (kind, value, customer) IN
     (SELECT kind, value, customer FROM attribute_entry WHERE idx = ?1 LIMIT ?2)";
const DROP_EVENTS: &str = "DELETE FROM event_entry WHERE idx = ?1 AND (kind, value, time, customer, event) IN
     (SELECT kind, value, time, customer, event FROM event_entry WHERE idx = ?1 LIMIT ?2)";

/// Removes one batch of the index's rows, and the index when none is left.
pub(super) fn drop_batch(connection: &Connection, index: i64) -> rusqlite::Result<()> {
    let mut removed = 0;
    for statement in [DROP_ATTRIBUTES, DROP_EVENTS] {
        removed += connection.prepare_cached(statement)?.execute((index, ROWS_A_BATCH))?;
    }
    if removed == 0 {
        connection.prepare_cached("DELETE FROM side_index WHERE id = ?1")?.execute([index])?;
    }
    Ok(())
}
