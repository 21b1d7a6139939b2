//! Which side tables there are: what each is on, and how far it is.
//!
//! It is read in the same transaction as what depends on it, so that nothing is remembered that may be stale.

use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};

use super::super::document::damaged;
use crate::domain::selection::IndexNeed;

/// A side index that every write keeps.
#[derive(Debug, Clone)]
pub(crate) struct SideIndex {
    /// Its number in the side tables.
    pub id: i64,
    /// What it is on.
    pub need: IndexNeed,
    /// Whether selections may use it.
    pub complete: bool,
    /// What it already holds, up to this key.
    pub filled_to: i64,
    /// Whether a scenario needs it.
    pub needed: bool,
}

/// The states of a side index, as numbers in the file.
pub(super) mod state {
    /// It is being filled.
    pub const FILLING: i64 = 0;
    /// It holds everything.
    pub const COMPLETE: i64 = 1;
    /// Its rows are being removed; no write keeps it any more.
    pub const DROPPING: i64 = 2;
}

/// An index's definition as the file holds it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Definition {
    Attribute(Vec<String>),
    EventProperty(String, String),
}

/// The definition as the file holds it.
pub(super) fn definition(need: &IndexNeed) -> String {
    let definition = match need {
        IndexNeed::Attribute { path } => Definition::Attribute(path.clone()),
        IndexNeed::EventProperty { event_type, property } => {
            Definition::EventProperty(event_type.clone(), property.clone())
        }
    };
    serde_json::to_string(&definition).expect("lists of texts can be written as JSON")
}

fn side_index(row: &Row<'_>) -> rusqlite::Result<SideIndex> {
    let definition: Definition = serde_json::from_str(row.get_ref(1)?.as_str()?).map_err(damaged)?;
    Ok(SideIndex {
        id: row.get(0)?,
        need: match definition {
            Definition::Attribute(path) => IndexNeed::Attribute { path },
            Definition::EventProperty(event_type, property) => {
                IndexNeed::EventProperty { event_type, property }
            }
        },
        complete: row.get::<_, i64>(2)? == state::COMPLETE,
        filled_to: row.get(3)?,
        needed: row.get_ref(4)? == rusqlite::types::ValueRef::Null,
    })
}

/// The indexes that writes keep, in the order they were required.
pub(crate) fn kept(connection: &Connection) -> rusqlite::Result<Vec<SideIndex>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, definition, state, filled_to, unneeded_since FROM side_index WHERE state <> 2 ORDER BY id",
    )?;
    statement.query_map([], side_index)?.collect()
}
