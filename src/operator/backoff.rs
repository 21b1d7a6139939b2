//! How long an object waits after a failure: exponential backoff by object, with the object's own jitter.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::runtime::reflector::ObjectRef;

use crate::domain::backoff::ExponentialBackoff;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
/// The longest wait where the API server did not answer.
const UNANSWERED: Duration = Duration::from_secs(4);

/// Failures in a row, by object. An object is forgotten once it succeeds or is gone.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: Mutex<HashMap<String, ExponentialBackoff>>,
}

impl Backoff {
    /// Counts a failure and gives the wait before the next try. Where the API server did not answer nothing is wrong with
    /// the object: it waits no longer than a watch.
    pub(super) fn failed(&self, object: &str, is_answered: bool) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || ExponentialBackoff::new(FIRST, LONGEST);
        let backoff = failures.entry(object.to_owned()).or_insert_with(new);
        backoff.up_to(if is_answered { LONGEST } else { UNANSWERED }).failed(share(object))
    }

    /// How often it failed in a row.
    pub(super) fn failures(&self, object: &str) -> u32 {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(object).map_or(0, ExponentialBackoff::failures)
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
    around.mul_f64(0.9 + share(object) / 5.0)
}

/// A number from 0 to 1 by the name of an object, always the same.
pub(super) fn share(object: &str) -> f64 {
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    (hasher.finish() % 1_001) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_has_an_end_and_begins_anew() {
        let backoff = Backoff::default();
        let waits: Vec<Duration> = (0..12).map(|_| backoff.failed("a", true)).collect();
        assert!(waits[1] > waits[0] && waits[2] > waits[1]);
        assert!(waits[11] <= LONGEST && waits[11] >= LONGEST / 2);
        assert!(
            backoff.failed("a", false) < Duration::from_secs(5),
            "the server is back, and it is seen at once"
        );
        backoff.forget("a");
        assert_eq!(backoff.failed("a", true), waits[0]);
    }

    #[test]
    fn an_objects_time_is_its_own_and_near_what_was_asked_for() {
        let hour = Duration::from_secs(3600);
        let times: Vec<Duration> = (0..100).map(|n| spread(hour, &n.to_string())).collect();
        assert!(times.iter().all(|time| *time >= hour.mul_f64(0.899) && *time <= hour.mul_f64(1.101)));
        assert!(times.iter().collect::<std::collections::HashSet<_>>().len() > 50, "{times:?}");
        assert_eq!(spread(hour, "a"), spread(hour, "a"));
    }
}
