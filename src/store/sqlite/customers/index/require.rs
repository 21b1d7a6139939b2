//! Which indexes are needed, as all scenarios in force say together; and how far each is.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::Connection;

use super::registry::kept;
use crate::domain::selection::IndexNeed;
use crate::store::audiences::{IndexProgress, IndexState};
use crate::store::side_index::{SideIndex, definition};

/// Makes these the needed indexes: adds the new ones, and notes since when others are not needed.
pub(crate) fn require(
    connection: &Connection,
    needs: &BTreeSet<IndexNeed>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let indexes = kept(connection)?;
    for need in needs {
        match indexes.iter().find(|index| index.need == *need) {
            None => add(connection, need)?,
            Some(index) if !index.needed => set_unneeded(connection, index, None)?,
            Some(_) => {}
        }
    }
    for index in indexes.iter().filter(|index| index.needed && !needs.contains(&index.need)) {
        set_unneeded(connection, index, Some(now))?;
    }
    Ok(())
}

/// An index that is just being dropped keeps its rows' number; a new one of the same definition gets another.
fn add(connection: &Connection, need: &IndexNeed) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(sql!(
        "INSERT INTO side_index (definition, state, filled_to) VALUES (?1, {side_index.filling}, -1)"
    ))?;
    insert.execute([definition(need)]).map(drop)
}

fn set_unneeded(
    connection: &Connection,
    index: &SideIndex,
    since: Option<Timestamp>,
) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached("UPDATE side_index SET unneeded_since = ?2 WHERE id = ?1")?;
    update.execute((index.id, since.map(Timestamp::as_microsecond))).map(drop)
}

/// How far each index is, in the order of the needs.
pub(crate) fn states(connection: &Connection) -> rusqlite::Result<Vec<IndexState>> {
    let mut states = Vec::new();
    for index in kept(connection)? {
        let progress = match (index.needed, index.complete) {
            (false, _) => IndexProgress::Unneeded,
            (true, true) => IndexProgress::Complete,
            (true, false) => IndexProgress::Filling(filled(connection, &index)?),
        };
        states.push(IndexState { need: index.need, progress });
    }
    states.sort_by(|left, right| left.need.cmp(&right.need));
    Ok(states)
}

fn filled(connection: &Connection, index: &SideIndex) -> rusqlite::Result<f64> {
    let last = match index.need {
        IndexNeed::Attribute { .. } => "SELECT max(key) FROM customer",
        IndexNeed::EventProperty { .. } => "SELECT max(id) FROM event",
    };
    let last: Option<i64> = connection.prepare_cached(last)?.query_row([], |row| row.get(0))?;
    Ok(last.map_or(1.0, |last| (index.filled_to.max(0) as f64 / last.max(1) as f64).min(1.0)))
}
