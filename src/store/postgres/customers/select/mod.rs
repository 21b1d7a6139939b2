//! Reads from one snapshot of the database what selections ask for.

mod filter;
mod history;
mod lookup;
mod statements;

use std::sync::Arc;

use super::index::entry::TEXT_CHARS_MAX;
use super::index::registry::{KEPT, side_indexes};
use super::snapshot::Reading;
use crate::domain::selection::Selection;
use crate::store::StoreError;
use crate::store::audiences::{AccessPlan, Selected};
use crate::store::select::check::Check;
use crate::store::select::history::History;
use crate::store::select::ranges::Range;
use crate::store::select::{self, Budget, Found, Known, Snapshot};

/// Chooses everyone the selection accepts.
pub(super) fn select(reading: &Reading<'_>, selection: &Selection) -> Result<Selected, StoreError> {
    select::select(reading, &known(reading, selection)?, selection)
}

/// How [`select`] would go about it.
pub(super) fn explain(reading: &Reading<'_>, selection: &Selection) -> Result<AccessPlan, StoreError> {
    Ok(select::explain(&known(reading, selection)?, selection))
}

fn known(reading: &Reading<'_>, selection: &Selection) -> Result<Known, StoreError> {
    let names: Vec<&str> = select::event_types(selection).into_iter().collect();
    let mut known = Known {
        indexes: side_indexes(&reading.rows(KEPT, &[])?)?,
        types: Default::default(),
        text_chars_max: Some(TEXT_CHARS_MAX),
    };
    if !names.is_empty() {
        let rows = reading.rows(statements::TYPES, &[&names])?;
        known.types.extend(rows.iter().map(|row| (row.get::<_, String>(0), row.get::<_, i64>(1))));
    }
    Ok(known)
}

impl Snapshot for Reading<'_> {
    type Error = StoreError;

    fn attribute_keys(&self, index: i64, ranges: &[Range], budget: Budget) -> Found<Vec<i64>, StoreError> {
        lookup::keys(self, index, ranges, budget)
    }

    fn id_keys(&self, kind: &str, ids: &[Arc<str>]) -> Result<Vec<i64>, StoreError> {
        lookup::by_ids(self, kind, ids)
    }

    fn counts(&self, history: &History, budget: Budget) -> Found<Vec<(i64, i64)>, StoreError> {
        history::counts(self, history, budget)
    }

    fn filter(&self, check: &Check, candidates: Vec<i64>) -> Result<Vec<i64>, StoreError> {
        filter::filter(self, check, candidates)
    }

    fn scan(&self, check: &Check) -> Result<Vec<i64>, StoreError> {
        filter::scan(self, check)
    }
}
