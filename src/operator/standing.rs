//! How many objects of each kind are ready, as their status says: what an alert looks at first.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::caches::{Cache, Caches, Guarded};
use super::conditions::ready;
use crate::api::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};

const WORDS: [&str; 3] = ["True", "False", "Unknown"];

/// Kind, what Ready says, and how many.
pub(super) fn counts(caches: &Caches) -> Vec<(&'static str, &'static str, usize)> {
    let triggers =
        count(&caches.triggers, |it: &ApiTrigger| it.status.as_ref().map(|status| &status.conditions[..]));
    let scenarios =
        count(&caches.scenarios, |it: &Scenario| it.status.as_ref().map(|status| &status.conditions[..]));
    let channels =
        count(&caches.channels, |it: &Channel| it.status.as_ref().map(|status| &status.conditions[..]));
    let api_keys =
        count(&caches.api_keys, |it: &ApiKey| it.status.as_ref().map(|status| &status.conditions[..]));
    let runtimes =
        count(&caches.runtimes, |it: &Runtime| it.status.as_ref().map(|status| &status.conditions[..]));
    let all = [
        ("ApiTrigger", triggers),
        ("Scenario", scenarios),
        ("Channel", channels),
        ("ApiKey", api_keys),
        ("Runtime", runtimes),
    ];
    let each = all.into_iter().flat_map(|(kind, counts)| {
        WORDS.into_iter().zip(counts).map(move |(word, count)| (kind, word, count))
    });
    each.collect()
}

/// In the order of the words. What this version cannot understand is not ready.
fn count<K>(cache: &Cache<K>, conditions: impl Fn(&K) -> Option<&[Condition]>) -> [usize; 3]
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    let mut counts = [0; 3];
    let objects: Vec<Arc<Guarded<K>>> = cache.state();
    for object in &objects {
        let status = match &object.0 {
            Ok(object) => conditions(object).and_then(ready).map_or("Unknown", |ready| ready.status.as_str()),
            Err(_) => "False",
        };
        counts[WORDS.iter().position(|word| *word == status).unwrap_or(2)] += 1;
    }
    counts
}
