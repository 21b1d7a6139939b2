//! When the calls of runs were accepted, which is where their deliveries are kept: a fact that never changes, so
//! it may be cached for ever.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::PostgresLedger;
use super::rows::get;
use crate::domain::name::RunId;
use crate::store::StoreError;

/// How many runs are remembered; then all are forgotten and learnt anew.
const KNOWN_MAX: usize = 10_000;

/// Runs with the microsecond in which their calls were accepted.
#[derive(Debug, Default)]
pub(super) struct RunsKnown(Mutex<HashMap<RunId, i64>>);

/// What a step needs to know of its runs.
#[derive(Debug, Default)]
pub(super) struct Accepted(HashMap<RunId, i64>);

impl Accepted {
    /// When the run's call was accepted.
    pub(super) fn of(&self, run: RunId) -> i64 {
        self.0.get(&run).copied().unwrap_or(i64::MIN)
    }

    /// The earliest and the latest of them.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let earliest = self.0.values().copied().min().unwrap_or(i64::MAX);
        (earliest, self.0.values().copied().max().unwrap_or(i64::MIN))
    }
}

impl PostgresLedger {
    /// When the calls of these runs were accepted. Those that were removed are left out: nothing is found of them, and
    /// nothing written.
    pub(super) async fn accepted(&self, runs: impl Iterator<Item = RunId>) -> Result<Accepted, StoreError> {
        let mut found = Accepted::default();
        let mut missing = Vec::new();
        {
            let known = self.known.lock();
            for run in runs {
                match known.get(&run) {
                    Some(at) => drop(found.0.insert(run, *at)),
                    None => missing.push(run.0),
                }
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        missing.sort_unstable();
        missing.dedup();
        let mut session = self.database.ledger().await?;
        for row in session.query("SELECT id, accepted_at FROM run WHERE id = ANY ($1)", &[&missing]).await? {
            let (run, at) = (RunId(get(&row, 0)?), get(&row, 1)?);
            self.known.learn(run, at);
            found.0.insert(run, at);
        }
        Ok(found)
    }

    /// When the call of this run was accepted.
    pub(super) async fn accepted_at(&self, run: RunId) -> Result<i64, StoreError> {
        Ok(self.accepted(std::iter::once(run)).await?.of(run))
    }
}

impl RunsKnown {
    /// Remembers a run.
    pub(super) fn learn(&self, run: RunId, accepted_at: i64) {
        let mut known = self.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(run, accepted_at);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
