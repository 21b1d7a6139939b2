//! Answers a selection with the keys of everyone it accepts.
//!
//! A selection is planned by the indexes of one snapshot and read on the same; keys are sorted in process. What an
//! index cannot answer is checked on the candidates by the very test that defines it.

mod attribute;
mod check;
#[cfg(test)]
mod explained;
mod filter;
mod history;
mod keys;
mod narrow;
mod plan;
mod ranges;
mod statements;
mod words;

use rusqlite::Connection;

use super::index::registry::{SideIndex, kept};
use crate::domain::customer::CustomerKey;
use crate::domain::selection::Selection;
use crate::store::audiences::{Access, AccessPlan, Selected};
use plan::{Planner, Way};

/// How many rows of an index a way may read.
#[derive(Debug, Clone, Copy)]
struct Budget(usize);

/// What was found, unless the budget was exceeded on the way.
type Found<T> = rusqlite::Result<Option<T>>;

/// Chooses everyone the selection accepts. The connection is on a snapshot.
pub(super) fn select(connection: &Connection, selection: &Selection) -> rusqlite::Result<Selected> {
    let indexes = kept(connection)?;
    let planner = Planner { connection, indexes: &indexes };
    let (keys, plan) = match planner.way(selection)? {
        Ok(way) => {
            let walker = narrow::Walker { connection, indexes: &indexes };
            let keys = walker.keys(&way, Budget(usize::MAX))?.unwrap_or_default();
            (keys, by_index(&way))
        }
        Err(reason) => (scan(connection, &indexes, selection)?, full_scan(&reason)),
    };
    Ok(Selected { keys: keys.into_iter().map(CustomerKey).collect(), plan })
}

/// How [`select`] would go about it.
pub(super) fn explain(connection: &Connection, selection: &Selection) -> rusqlite::Result<AccessPlan> {
    let indexes = kept(connection)?;
    let planner = Planner { connection, indexes: &indexes };
    Ok(match planner.way(selection)? {
        Ok(way) => by_index(&way),
        Err(reason) => full_scan(&reason),
    })
}

fn scan(connection: &Connection, indexes: &[SideIndex], selection: &Selection) -> rusqlite::Result<Vec<i64>> {
    let check = check::Check::new(connection, indexes, &[selection])?;
    filter::scan(connection, &check).map(keys::sorted)
}

fn by_index(way: &Way<'_>) -> AccessPlan {
    match way {
        Way::Nowhere => AccessPlan { access: Access::Nothing, words: "nobody can match".into() },
        way => AccessPlan { access: Access::Index, words: format!("by {}", words::words(way)) },
    }
}

fn full_scan(reason: &str) -> AccessPlan {
    AccessPlan { access: Access::FullScan, words: format!("full scan: {reason}") }
}
