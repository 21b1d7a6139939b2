//! When credentials that are about to expire were used last, so that their users can be warned in time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::domain::credentials::Caller;

/// Times are rounded to so many seconds: each change of a time is a change of the report.
const STEP_SECONDS: i64 = 5;
/// More Secrets than a namespace can reasonably have in a rotation at once.
const SECRETS_MAX: usize = 10_000;

/// The last use of previous credentials, by their Secret.
#[derive(Debug, Default)]
pub struct OutdatedUses(Mutex<HashMap<Arc<str>, Timestamp>>);

impl OutdatedUses {
    /// Takes note of a caller, if what it presented is about to end.
    pub fn note(&self, caller: &Caller, now: Timestamp) {
        let Some(secret) = &caller.outdated else { return };
        let mut uses = self.lock();
        if uses.len() < SECRETS_MAX || uses.contains_key(secret) {
            uses.insert(Arc::clone(secret), now);
        }
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<String, Timestamp> {
        let stepped = |at: &Timestamp| {
            let second = at.as_second() - at.as_second().rem_euclid(STEP_SECONDS);
            Timestamp::from_second(second).unwrap_or(*at)
        };
        self.lock().iter().map(|(secret, at)| (secret.to_string(), stepped(at))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_to_end_is_noted() {
        let uses = OutdatedUses::default();
        let now: Timestamp = "2026-11-25T10:00:03.7Z".parse().unwrap();
        uses.note(&Caller::new("storm-2".into(), None), now);
        assert!(uses.all().is_empty());
        uses.note(&Caller::new("storm-1".into(), Some("storm-trigger".into())), now);
        let told: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        assert_eq!(uses.all(), BTreeMap::from([("storm-trigger".to_owned(), told)]));
    }
}
