//! Goes the planned ways: the shortest of several is found by racing them under a growing budget.
//!
//! A budget is the rows a way may read. Whichever way ends first within it is the shortest to within the factor the
//! budget grows by, so that nothing has to be estimated and statistics cannot mislead.

use super::check::Check;
use super::history::History;
use super::plan::{Narrow, Part, Way};
use super::{Budget, FEW, Found, Known, ROWS_A_CUSTOMER, Snapshot, keys};

/// What the first round of a race may read: well under a millisecond.
const FIRST_BUDGET: usize = 4_096;
const BUDGET_GROWTH: usize = 8;

/// Goes ways on one snapshot.
pub(super) struct Walker<'a, S> {
    /// The snapshot.
    pub snapshot: &'a S,
    /// What it says of itself.
    pub known: &'a Known,
}

impl<S: Snapshot> Walker<'_, S> {
    /// The keys at the end of a way, in order; none if the way exceeds the budget.
    pub(super) fn keys(&self, way: &Way<'_>, budget: Budget) -> Found<Vec<i64>, S::Error> {
        match way {
            Way::Nowhere => Ok(Some(Vec::new())),
            Way::Attribute(lookup) => {
                let keys = self.snapshot.attribute_keys(lookup.index, &lookup.ranges, budget)?;
                Ok(keys.map(keys::sorted))
            }
            // Each id is a step into the index, even if no customer has it.
            Way::Ids(lookup) if lookup.ids.len() > budget.0 => Ok(None),
            Way::Ids(lookup) => {
                self.snapshot.id_keys(&lookup.kind, &lookup.ids).map(|keys| Some(keys::sorted(keys)))
            }
            Way::History(history) => self.history(history, budget),
            Way::Union(ways) => self.union(ways, budget),
            Way::Narrow(narrow) => self.narrow(narrow, budget),
        }
    }

    /// The customers with as many events as asked for; only of use where one without any is not selected.
    fn history(&self, history: &History, budget: Budget) -> Found<Vec<i64>, S::Error> {
        let Some(counts) = self.snapshot.counts(history, budget)? else { return Ok(None) };
        let accepted = counts.into_iter().filter(|(_, count)| history.accepts(*count));
        Ok(Some(accepted.map(|(key, _)| key).collect()))
    }

    fn union(&self, ways: &[Way<'_>], budget: Budget) -> Found<Vec<i64>, S::Error> {
        let mut all = Vec::new();
        for way in ways {
            match self.keys(way, Budget(budget.0.saturating_sub(all.len())))? {
                Some(keys) => all.extend(keys),
                None => return Ok(None),
            }
        }
        Ok(Some(keys::sorted(all)))
    }

    fn narrow(&self, narrow: &Narrow<'_>, budget: Budget) -> Found<Vec<i64>, S::Error> {
        let Some((taken, mut candidates)) = self.race(&narrow.parts, budget)? else { return Ok(None) };
        narrow.taken.set(Some(taken));
        let mut unchecked = Vec::new();
        for (place, part) in narrow.parts.iter().enumerate() {
            if place == taken {
                unchecked.extend((!part.exact).then_some(part.selection));
            } else {
                match self.met_by_index(part, candidates.len())? {
                    Some(met) => candidates = keys::intersection(candidates, &met),
                    None => unchecked.push(part.selection),
                }
            }
        }
        let check = Check::new(self.known, &unchecked);
        self.snapshot.filter(&check, candidates).map(Some)
    }

    /// The shortest way of all parts, and where it ended.
    fn race(&self, parts: &[Part<'_>], most: Budget) -> Found<(usize, Vec<i64>), S::Error> {
        let ways: Vec<_> =
            parts.iter().enumerate().filter_map(|(place, part)| Some((place, part.way.as_ref()?))).collect();
        let mut budget = if ways.len() == 1 { most.0 } else { FIRST_BUDGET.min(most.0) };
        loop {
            for (place, way) in &ways {
                if let Some(keys) = self.keys(way, Budget(budget))? {
                    return Ok(Some((*place, keys)));
                }
            }
            if budget >= most.0 {
                return Ok(None);
            }
            budget = budget.saturating_mul(BUDGET_GROWTH).min(most.0);
        }
    }

    /// The keys that meet a part, if reading them from its index costs less than reading the candidates.
    fn met_by_index(&self, part: &Part<'_>, candidates: usize) -> Found<Vec<i64>, S::Error> {
        match &part.way {
            Some(way) if part.exact && candidates > FEW => {
                self.keys(way, Budget(candidates.saturating_mul(ROWS_A_CUSTOMER)))
            }
            _ => Ok(None),
        }
    }
}
