//! Which side tables there are: what each is on, and how far it is.
//!
//! It is read in the same transaction as what depends on it, so that nothing is remembered that may be stale.

use rusqlite::{Connection, Row};

use super::super::damaged;
use crate::domain::state::SideIndexState;
use crate::store::side_index::{SideIndex, need_of};

fn side_index(row: &Row<'_>) -> rusqlite::Result<SideIndex> {
    Ok(SideIndex {
        id: row.get(0)?,
        need: need_of(row.get_ref(1)?.as_str()?).map_err(damaged)?,
        complete: row.get::<_, i64>(2)? == SideIndexState::Complete.code(),
        filled_to: row.get(3)?,
        needed: row.get_ref(4)? == rusqlite::types::ValueRef::Null,
    })
}

/// The indexes that writes keep, in the order they were required.
pub(crate) fn kept(connection: &Connection) -> rusqlite::Result<Vec<SideIndex>> {
    let mut statement = connection.prepare_cached(sql!(
        "SELECT id, definition, state, filled_to, unneeded_since FROM side_index
         WHERE state <> {side_index.dropping} ORDER BY id"
    ))?;
    statement.query_map([], side_index)?.collect()
}
