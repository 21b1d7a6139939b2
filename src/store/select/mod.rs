//! Answers a selection with the keys of everyone it accepts, on whichever database.
//!
//! A selection is planned by the indexes of one snapshot and read on the same; keys are sorted in process. What an
//! index cannot answer is checked on the candidates by the very test that defines it. A database only reads.

pub(super) mod check;
pub(super) mod history;
pub(super) mod keys;
mod narrow;
mod plan;
pub(super) mod ranges;
mod words;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use self::check::Check;
use self::history::History;
use self::narrow::Walker;
use self::plan::{Planner, Way};
use self::ranges::Range;
use super::audiences::{Access, AccessPlan, Selected};
use super::side_index::SideIndex;
use crate::domain::customer::CustomerKey;
use crate::domain::selection::Selection;

/// Reading one customer costs as much as reading this many rows of an index.
pub(super) const ROWS_A_CUSTOMER: usize = 16;
/// With fewer candidates than this nothing is worth weighing.
pub(super) const FEW: usize = 2_000;
/// The rows one history may read into memory before it is counted customer by customer: 64 MiB of them.
pub(super) const HISTORY_ROWS_MAX: usize = 8 << 20;

/// The kind of the id by which a CRM knows a customer: everyone has one, for ever.
pub(super) const REGISTERED: &str = "registered";

/// How many rows of an index a way may read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget(pub usize);

/// What was found, unless the budget was exceeded on the way.
pub(super) type Found<T, E> = Result<Option<T>, E>;

/// What a snapshot says of itself: a selection is planned by it.
#[derive(Debug)]
pub(super) struct Known {
    /// The indexes that writes keep.
    pub indexes: Vec<SideIndex>,
    /// The numbers of the event types a selection names, as far as they ever occurred.
    pub types: HashMap<String, i64>,
    /// How many characters of a text an index holds; all, if there is no bound.
    pub text_chars_max: Option<usize>,
}

/// One snapshot of one database, as ways and checks are read from it.
pub(super) trait Snapshot {
    /// Why it could not be read.
    type Error;

    /// The keys in parts of one attribute's index, in any order; none if that exceeds the budget.
    fn attribute_keys(&self, index: i64, ranges: &[Range], budget: Budget) -> Found<Vec<i64>, Self::Error>;

    /// The customers who have, or had, one of these ids of a kind, in any order; a `registered` one is never changed.
    fn id_keys(&self, kind: &str, ids: &[Arc<str>]) -> Result<Vec<i64>, Self::Error>;

    /// Counts the matching events of every customer who has one, in the order of keys; none if that exceeds the
    /// budget.
    fn counts(&self, history: &History, budget: Budget) -> Found<Vec<(i64, i64)>, Self::Error>;

    /// The candidates a check accepts, in their order.
    fn filter(&self, check: &Check, candidates: Vec<i64>) -> Result<Vec<i64>, Self::Error>;

    /// All customers whom a check accepts, in any order.
    fn scan(&self, check: &Check) -> Result<Vec<i64>, Self::Error>;
}

/// Chooses everyone the selection accepts.
pub(super) fn select<S: Snapshot>(
    snapshot: &S,
    known: &Known,
    selection: &Selection,
) -> Result<Selected, S::Error> {
    let (keys, plan) = match (Planner { known }).way(selection) {
        Ok(way) => {
            let keys = Walker { snapshot, known }.keys(&way, Budget(usize::MAX))?.unwrap_or_default();
            (keys, by_index(&way))
        }
        Err(reason) => {
            let check = Check::new(known, &[selection]);
            (keys::sorted(snapshot.scan(&check)?), full_scan(&reason))
        }
    };
    Ok(Selected { keys: keys.into_iter().map(CustomerKey).collect(), plan })
}

/// How [`select`] would go about it.
pub(super) fn explain(known: &Known, selection: &Selection) -> AccessPlan {
    match (Planner { known }).way(selection) {
        Ok(way) => by_index(&way),
        Err(reason) => full_scan(&reason),
    }
}

/// The event types a selection names.
pub(super) fn event_types(selection: &Selection) -> BTreeSet<&str> {
    match selection {
        Selection::All(parts) | Selection::Any(parts) => parts.iter().flat_map(event_types).collect(),
        Selection::Events(wanted) => BTreeSet::from([wanted.event_type.as_str()]),
        _ => BTreeSet::new(),
    }
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
