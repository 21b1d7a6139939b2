//! What the cluster itself puts into the objects that the operator makes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// What the cluster itself puts into objects beyond the usual, as it was seen right after they were written.
#[derive(Debug, Default)]
pub(super) struct FilledIn(Mutex<HashMap<String, BTreeSet<String>>>);

impl FilledIn {
    /// More objects than an operator makes; beyond that what is known is learnt anew, by one write an object.
    const OBJECTS_MAX: usize = 20_000;

    /// What it put into the object with the UID.
    pub(super) fn of(&self, uid: &str) -> BTreeSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned().unwrap_or_default()
    }

    /// Takes note of what it put into the object with the UID.
    pub(super) fn remember(&self, uid: String, what: BTreeSet<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::OBJECTS_MAX {
            known.clear();
        }
        match what.is_empty() {
            true => known.remove(&uid),
            false => known.insert(uid, what),
        };
    }
}
