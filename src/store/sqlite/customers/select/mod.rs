//! Reads from one snapshot of the file what selections ask for.

#[cfg(test)]
mod explained;
mod filter;
mod history;
mod lookup;
mod statements;

use std::sync::Arc;

use rusqlite::Connection;

use super::events::type_number;
use super::index::registry::kept;
use crate::domain::selection::Selection;
use crate::store::audiences::{AccessPlan, Selected};
use crate::store::select::check::Check;
use crate::store::select::history::History;
use crate::store::select::ranges::Range;
use crate::store::select::{self, Budget, Found, Known, Snapshot};

/// Chooses everyone the selection accepts. The connection is on a snapshot.
pub(super) fn select(connection: &Connection, selection: &Selection) -> rusqlite::Result<Selected> {
    select::select(connection, &known(connection, selection)?, selection)
}

/// How [`select`] would go about it.
pub(super) fn explain(connection: &Connection, selection: &Selection) -> rusqlite::Result<AccessPlan> {
    Ok(select::explain(&known(connection, selection)?, selection))
}

fn known(connection: &Connection, selection: &Selection) -> rusqlite::Result<Known> {
    let mut known = Known { indexes: kept(connection)?, types: Default::default(), text_chars_max: None };
    for name in select::event_types(selection) {
        if let Some(number) = type_number(connection, name)? {
            known.types.insert(name.to_owned(), number);
        }
    }
    Ok(known)
}

impl Snapshot for Connection {
    type Error = rusqlite::Error;

    fn attribute_keys(
        &self,
        index: i64,
        ranges: &[Range],
        budget: Budget,
    ) -> Found<Vec<i64>, rusqlite::Error> {
        lookup::keys(self, index, ranges, budget)
    }

    fn id_keys(&self, kind: &str, ids: &[Arc<str>]) -> rusqlite::Result<Vec<i64>> {
        lookup::by_ids(self, kind, ids)
    }

    fn counts(&self, history: &History, budget: Budget) -> Found<Vec<(i64, i64)>, rusqlite::Error> {
        history::counts(self, history, budget)
    }

    fn filter(&self, check: &Check, candidates: Vec<i64>) -> rusqlite::Result<Vec<i64>> {
        filter::filter(self, check, candidates)
    }

    fn scan(&self, check: &Check) -> rusqlite::Result<Vec<i64>> {
        filter::scan(self, check)
    }
}
