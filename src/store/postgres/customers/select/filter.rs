//! Keeps of many candidates, or of all customers, those whom a check accepts.
//!
//! Candidates go by the thousand: what their documents decide is decided first, and events are counted for the rest
//! of them at once.

use tokio_postgres::Row;

use super::super::damaged;
use super::super::load::KEYS_A_STATEMENT;
use super::super::snapshot::Reading;
use super::history::{counts, counts_of};
use super::statements::{ALL_KEYS, FACTS_AND_IDS_BY_KEY, FACTS_AND_IDS_OF_ALL, FACTS_BY_KEY, FACTS_OF_ALL};
use crate::store::StoreError;
use crate::store::select::check::{Check, Facts, IdsKept};
use crate::store::select::{Budget, FEW, HISTORY_ROWS_MAX, ROWS_A_CUSTOMER};

/// How many customers a scan has in memory at a time.
const CUSTOMERS_A_STEP: i32 = 2_000;

/// How often customers occur in a history, by key.
type Counts = Vec<(i64, i64)>;

/// The candidates a check accepts, in their order.
pub(super) fn filter(
    reading: &Reading<'_>,
    check: &Check,
    candidates: Vec<i64>,
) -> Result<Vec<i64>, StoreError> {
    if check.is_always() || candidates.is_empty() {
        return Ok(candidates);
    }
    let judge = Judge::new(reading, check, candidates.len())?;
    let mut accepted = Vec::new();
    for some in candidates.chunks(KEYS_A_STATEMENT) {
        let facts = if check.reads_customers() {
            let sql = if check.reads_ids() { FACTS_AND_IDS_BY_KEY } else { FACTS_BY_KEY };
            let mut facts = facts(check, &reading.rows(sql, &[&some])?)?;
            facts.sort_unstable_by_key(|(key, _)| *key);
            facts
        } else {
            some.iter().map(|key| (*key, Facts::default())).collect()
        };
        judge.consider(&facts, &mut accepted)?;
    }
    Ok(accepted)
}

/// All customers whom a check accepts, in no order.
pub(super) fn scan(reading: &Reading<'_>, check: &Check) -> Result<Vec<i64>, StoreError> {
    let mut accepted = Vec::new();
    if !check.reads_customers() {
        reading.up_to(usize::MAX, ALL_KEYS, &[], |row| {
            accepted.push(row.get(0));
            Ok(())
        })?;
        accepted.sort_unstable();
        return filter(reading, check, accepted);
    }
    let judge = Judge::new(reading, check, usize::MAX)?;
    let portal = reading.open(if check.reads_ids() { FACTS_AND_IDS_OF_ALL } else { FACTS_OF_ALL })?;
    loop {
        let rows = reading.step(&portal, CUSTOMERS_A_STEP)?;
        if rows.is_empty() {
            return Ok(accepted);
        }
        judge.consider(&facts(check, &rows)?, &mut accepted)?;
    }
}

fn facts(check: &Check, rows: &[Row]) -> Result<Vec<(i64, Facts)>, StoreError> {
    let facts = |row: &Row| {
        let ids = check.reads_ids().then(|| IdsKept { registered: row.get(3), others: row.get(4) });
        let facts = check.facts(row.get(1), row.get(2), ids).map_err(damaged)?;
        Ok((row.get(0), facts))
    };
    rows.iter().map(facts).collect()
}

/// Applies a check to many customers.
struct Judge<'a> {
    reading: &'a Reading<'a>,
    check: &'a Check,
    /// Of each history, everyone's counts, where reading them at once costs less than some by some.
    counted: Vec<Option<Counts>>,
}

impl<'a> Judge<'a> {
    fn new(reading: &'a Reading<'a>, check: &'a Check, candidates: usize) -> Result<Self, StoreError> {
        let budget = candidates.saturating_mul(ROWS_A_CUSTOMER).min(HISTORY_ROWS_MAX);
        let count = |history| {
            if candidates > FEW { counts(reading, history, Budget(budget)) } else { Ok(None) }
        };
        let counted = check.histories.iter().map(count).collect::<Result<_, _>>()?;
        Ok(Judge { reading, check, counted })
    }

    fn consider(&self, customers: &[(i64, Facts)], accepted: &mut Vec<i64>) -> Result<(), StoreError> {
        let mut undecided = Vec::new();
        let first = accepted.len();
        for customer in customers {
            // A check has no `not`: what holds whatever is not counted yet, or does not whatever that is, is decided.
            if self.accepts(customer, false)? {
                accepted.push(customer.0);
            } else if self.accepts(customer, true)? {
                undecided.push(customer);
            }
        }
        if undecided.is_empty() {
            return Ok(());
        }
        self.count(&undecided, accepted)?;
        accepted[first..].sort_unstable();
        Ok(())
    }

    /// Decides, taking for true or false what is not counted.
    fn accepts(&self, (key, facts): &(i64, Facts), otherwise: bool) -> Result<bool, StoreError> {
        self.check.holds(facts, &mut |place| {
            let counts = self.counted[place].as_ref();
            Ok(counts.map_or(otherwise, |counts| self.check.histories[place].accepts(count_of(counts, *key))))
        })
    }

    fn count(&self, undecided: &[&(i64, Facts)], accepted: &mut Vec<i64>) -> Result<(), StoreError> {
        let keys: Vec<i64> = undecided.iter().map(|(key, _)| *key).collect();
        let mut counted: Vec<Option<Counts>> = vec![None; self.counted.len()];
        for (key, facts) in undecided {
            let holds = self.check.holds(facts, &mut |place| {
                let history = &self.check.histories[place];
                if let Some(counts) = &self.counted[place] {
                    return Ok(history.accepts(count_of(counts, *key)));
                }
                if counted[place].is_none() {
                    counted[place] = Some(counts_of(self.reading, history, &keys)?);
                }
                Ok::<_, StoreError>(history.accepts(count_of(counted[place].as_deref().unwrap_or(&[]), *key)))
            })?;
            accepted.extend(holds.then_some(*key));
        }
        Ok(())
    }
}

fn count_of(counts: &[(i64, i64)], key: i64) -> i64 {
    counts.binary_search_by_key(&key, |(customer, _)| *customer).map_or(0, |place| counts[place].1)
}
