//! Keeps of many candidates, or of all customers, those whom a check accepts.

use rusqlite::{Connection, Row};

use super::super::damaged;
use super::super::load::{KEYS_A_STATEMENT, key_list};
use super::history;
use super::statements::{ALL_KEYS, FACTS_AND_IDS_BY_KEY, FACTS_AND_IDS_OF_ALL, FACTS_BY_KEY, FACTS_OF_ALL};
use crate::domain::customer::CustomerKey;
use crate::store::select::check::{Check, Facts, IdsKept};
use crate::store::select::history::History;
use crate::store::select::{Budget, FEW, HISTORY_ROWS_MAX, ROWS_A_CUSTOMER};

/// The candidates a check accepts, in their order.
pub(super) fn filter(
    connection: &Connection,
    check: &Check,
    candidates: Vec<i64>,
) -> rusqlite::Result<Vec<i64>> {
    if check.is_always() || candidates.is_empty() {
        return Ok(candidates);
    }
    let mut judge = Judge::new(connection, check, candidates.len())?;
    let mut accepted = Vec::new();
    if !check.reads_customers() {
        for key in candidates {
            if judge.accepts(key, &Facts::default())? {
                accepted.push(key);
            }
        }
        return Ok(accepted);
    }
    let keys: Vec<CustomerKey> = candidates.into_iter().map(CustomerKey).collect();
    let mut statement =
        connection.prepare_cached(if check.reads_ids() { FACTS_AND_IDS_BY_KEY } else { FACTS_BY_KEY })?;
    for some in keys.chunks(KEYS_A_STATEMENT) {
        let mut rows = statement.query([key_list(some)])?;
        while let Some(row) = rows.next()? {
            judge.consider(row, &mut accepted)?;
        }
    }
    Ok(accepted)
}

/// All customers whom a check accepts, in no order.
pub(super) fn scan(connection: &Connection, check: &Check) -> rusqlite::Result<Vec<i64>> {
    let mut accepted = Vec::new();
    if check.reads_customers() {
        let mut judge = Judge::new(connection, check, usize::MAX)?;
        let mut statement =
            connection.prepare_cached(if check.reads_ids() { FACTS_AND_IDS_OF_ALL } else { FACTS_OF_ALL })?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            judge.consider(row, &mut accepted)?;
        }
        return Ok(accepted);
    }
    let mut statement = connection.prepare_cached(ALL_KEYS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        accepted.push(row.get(0)?);
    }
    accepted.sort_unstable();
    filter(connection, check, accepted)
}

/// Applies a check to one customer after the other.
struct Judge<'a> {
    connection: &'a Connection,
    check: &'a Check,
    /// Of each history, everyone's counts, where reading them at once costs less than one by one.
    counted: Vec<Option<Vec<(i64, i64)>>>,
}

impl<'a> Judge<'a> {
    fn new(connection: &'a Connection, check: &'a Check, candidates: usize) -> rusqlite::Result<Self> {
        let budget = candidates.saturating_mul(ROWS_A_CUSTOMER).min(HISTORY_ROWS_MAX);
        let count = |history: &History| {
            if candidates > FEW { history::counts(connection, history, Budget(budget)) } else { Ok(None) }
        };
        let counted = check.histories.iter().map(count).collect::<Result<_, _>>()?;
        Ok(Judge { connection, check, counted })
    }

    fn consider(&mut self, row: &Row<'_>, accepted: &mut Vec<i64>) -> rusqlite::Result<()> {
        let (attributes, consents) = (row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
        let ids = match self.check.reads_ids() {
            true => {
                Some(IdsKept { registered: row.get_ref(3)?.as_str()?, others: row.get_ref(4)?.as_str()? })
            }
            false => None,
        };
        let facts = self.check.facts(attributes, consents, ids).map_err(damaged)?;
        let key = row.get(0)?;
        if self.accepts(key, &facts)? {
            accepted.push(key);
        }
        Ok(())
    }

    fn accepts(&mut self, key: i64, facts: &Facts) -> rusqlite::Result<bool> {
        self.check.holds(facts, &mut |place| {
            let history = &self.check.histories[place];
            match &self.counted[place] {
                None => history::holds(self.connection, history, key),
                Some(counts) => {
                    let found = counts.binary_search_by_key(&key, |(customer, _)| *customer);
                    Ok(history.accepts(found.map_or(0, |at| counts[at].1)))
                }
            }
        })
    }
}
