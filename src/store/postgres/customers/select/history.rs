//! Counts matching events: from an index over all customers, or of some of them at a time.

use super::super::damaged;
use super::super::index::entry::Columns;
use super::super::snapshot::Reading;
use super::statements::{
    EVENTS_BY_PROPERTY, EVENTS_BY_TYPE, EVENTS_OF_CUSTOMERS, PROPERTIES_BY_PROPERTY, PROPERTIES_BY_TYPE,
    PROPERTIES_OF_CUSTOMERS,
};
use crate::store::StoreError;
use crate::store::postgres::session::Params;
use crate::store::select::history::{History, Wanted};
use crate::store::select::{Budget, Found, keys};

/// Counts the matching events of every customer who has one; none if that exceeds the budget.
pub(super) fn counts(
    reading: &Reading<'_>,
    history: &History,
    budget: Budget,
) -> Found<Vec<(i64, i64)>, StoreError> {
    let Some(event_type) = history.event_type else { return Ok(Some(Vec::new())) };
    let (from, before) = (history.from, history.before);
    let Some(start) = &history.start else {
        let sql = if history.others.is_empty() { EVENTS_BY_TYPE } else { PROPERTIES_BY_TYPE };
        return matching(reading, budget, sql, &[&event_type, &from, &before], &history.others);
    };
    let Columns { kind, text, number } = Columns::of_entry(start.kind, &start.entry);
    if history.others.is_empty() {
        let params: Params<'_> = &[&start.index, &kind, &text, &number, &from, &before];
        return matching(reading, budget, EVENTS_BY_PROPERTY, params, &history.others);
    }
    let params: Params<'_> = &[&start.index, &kind, &text, &number, &from, &before, &event_type];
    matching(reading, budget, PROPERTIES_BY_PROPERTY, params, &history.others)
}

/// Counts the matching events of those of these customers who have one.
pub(super) fn counts_of(
    reading: &Reading<'_>,
    history: &History,
    customers: &[i64],
) -> Result<Vec<(i64, i64)>, StoreError> {
    let Some(event_type) = history.event_type else { return Ok(Vec::new()) };
    let sql = if history.all.is_empty() { EVENTS_OF_CUSTOMERS } else { PROPERTIES_OF_CUSTOMERS };
    let params: Params<'_> = &[&customers, &event_type, &history.from, &history.before];
    let counts = matching(reading, Budget(usize::MAX), sql, params, &history.all)?;
    Ok(counts.unwrap_or_default())
}

/// Counts by customer the rows whose properties are as wanted.
fn matching(
    reading: &Reading<'_>,
    budget: Budget,
    sql: &'static str,
    params: Params<'_>,
    wanted: &Wanted,
) -> Found<Vec<(i64, i64)>, StoreError> {
    let mut customers = Vec::new();
    let is_within = reading.up_to(budget.0, sql, params, |row| {
        if wanted.is_empty() || wanted.equal(row.get(1)).map_err(damaged)? {
            customers.push(row.get(0));
        }
        Ok(())
    })?;
    Ok(is_within.then(|| keys::occurrences(customers)))
}
