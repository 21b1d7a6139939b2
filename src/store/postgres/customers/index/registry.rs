//! Which side tables there are: what each is on, and how far it is.
//!
//! A writer reads it beside its decision and has it asserted with its write; a selection reads it on its snapshot.

use tokio_postgres::Row;

use super::super::damaged;
use crate::domain::state::SideIndexState;
use crate::store::StoreError;
use crate::store::side_index::{SideIndex, need_of};

/// The indexes that writes keep, in the order they were required.
pub(in crate::store::postgres::customers) const KEPT: &str = sql!(
    "SELECT id, definition, state::bigint, filled_to, unneeded_since IS NULL FROM side_index
     WHERE state <> {side_index.dropping} ORDER BY id"
);

/// Reads the rows of [`KEPT`].
pub(in crate::store::postgres::customers) fn side_indexes(
    rows: &[Row],
) -> Result<Vec<SideIndex>, StoreError> {
    let side_index = |row: &Row| {
        Ok(SideIndex {
            id: row.get(0),
            need: need_of(row.get(1)).map_err(damaged)?,
            complete: row.get::<_, i64>(2) == SideIndexState::Complete.code(),
            filled_to: row.get(3),
            needed: row.get(4),
        })
    };
    rows.iter().map(side_index).collect()
}

/// The numbers of indexes, as writes say which they keep.
pub(in crate::store::postgres::customers) fn numbers(indexes: &[SideIndex]) -> Vec<i64> {
    indexes.iter().map(|index| index.id).collect()
}
