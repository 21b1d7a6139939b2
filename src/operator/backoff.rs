//! How long an object rests after a failure: by object, doubling, never for longer than a minute, never all at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::runtime::reflector::ObjectRef;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
const UNANSWERED: Duration = Duration::from_secs(4);

/// Failures in a row, by object. An object is forgotten once it succeeds or is gone.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: Mutex<HashMap<String, u32>>,
}

impl Backoff {
    /// Counts a failure and gives the rest before the next try. Where the API server did not answer nothing is wrong with
    /// the object: it rests no longer than a watch.
    pub(super) fn failed(&self, object: &str, is_answered: bool) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(object.to_owned()).or_insert(0);
        *count = count.saturating_add(1);
        let rest = FIRST.saturating_mul(1 << (*count - 1).min(10)).min(if is_answered {
            LONGEST
        } else {
            UNANSWERED
        });
        spread(rest, object)
    }

    /// How often it failed in a row.
    pub(super) fn failures(&self, object: &str) -> u32 {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).get(object).copied().unwrap_or(0)
    }

    /// It went well, or there is no such object any more.
    pub(super) fn forget(&self, object: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }
}

/// What an object is called in [`Backoff`] and in logs.
pub(super) fn key<K: kube::Resource>(object: &ObjectRef<K>, kind: &str) -> String
where
    K::DynamicType: Default,
{
    format!("{kind} {}/{}", object.namespace.as_deref().unwrap_or_default(), object.name)
}

/// A length of time within a tenth of what is given, different for each object and the same for one: what began
/// together does not come back together.
pub(super) fn spread(around: Duration, object: &str) -> Duration {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    let share = (hasher.finish() % 201) as f64 / 1_000.0;
    around.mul_f64(0.9 + share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_has_an_end_and_begins_anew() {
        let backoff = Backoff::default();
        let rests: Vec<Duration> = (0..12).map(|_| backoff.failed("a", true)).collect();
        assert!(rests[1] > rests[0] && rests[2] > rests[1]);
        assert!(rests[11] <= LONGEST.mul_f64(1.1) && rests[11] >= LONGEST.mul_f64(0.9));
        assert!(
            backoff.failed("a", false) < Duration::from_secs(5),
            "the server is back, and it is seen at once"
        );
        backoff.forget("a");
        assert_eq!(backoff.failed("a", true), rests[0]);
    }
}
