//! The Secrets of generated credentials as they were read last, used again while the watch of their metadata says that
//! they have not changed: a burst of changes elsewhere reads none of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher;

use crate::operator::caches::{name_of, namespace_of};

/// Namespace and name.
type Key = (String, String);

/// Secrets by namespace and name; never more than there are, and never one that was replaced or is gone.
#[derive(Default)]
pub(in crate::operator) struct KnownSecrets(Mutex<HashMap<Key, Arc<Secret>>>);

impl KnownSecrets {
    /// Takes what the watch tells.
    pub(in crate::operator) fn follow(&self, event: &watcher::Event<PartialObjectMeta<Secret>>) {
        match event {
            watcher::Event::Apply(it) | watcher::Event::InitApply(it) => {
                self.told(&namespace_of(it), &name_of(it), it.metadata.resource_version.as_deref());
            }
            watcher::Event::Delete(it) => self.forget(&namespace_of(it), &name_of(it)),
            watcher::Event::Init | watcher::Event::InitDone => {}
        }
    }

    /// The watch tells of a revision: another one ends what was known.
    fn told(&self, namespace: &str, name: &str, revision: Option<&str>) {
        let key = (namespace.to_owned(), name.to_owned());
        let mut known = self.lock();
        if known.get(&key).is_some_and(|secret| secret.metadata.resource_version.as_deref() != revision) {
            known.remove(&key);
        }
    }

    /// The Secret, if it is as it was read or written last.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Secret>> {
        self.lock().get(&(namespace.to_owned(), name.to_owned())).map(Arc::clone)
    }

    /// It was read or written: what the watch tells later decides whether it still holds.
    pub(super) fn put(&self, namespace: &str, name: &str, secret: Arc<Secret>) {
        self.lock().insert((namespace.to_owned(), name.to_owned()), secret);
    }

    /// There is none, or none that the watch would tell of.
    pub(super) fn forget(&self, namespace: &str, name: &str) {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// Nothing is known any more.
    pub(in crate::operator) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Secret>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(revision: &str) -> Arc<Secret> {
        let mut secret = Secret::default();
        secret.metadata.resource_version = Some(revision.into());
        Arc::new(secret)
    }

    #[test]
    fn it_holds_until_the_watch_tells_of_another_revision() {
        let known = KnownSecrets::default();
        known.put("shop", "storm-trigger", secret("7"));
        assert!(known.get("shop", "storm-trigger").is_some());
        known.told("shop", "storm-trigger", Some("7"));
        assert!(known.get("shop", "storm-trigger").is_some(), "it is the same");
        known.told("shop", "storm-trigger", Some("8"));
        assert!(known.get("shop", "storm-trigger").is_none());
        known.put("shop", "storm-trigger", secret("8"));
        assert!(known.get("shop", "storm-trigger").is_some());
        known.forget("shop", "storm-trigger");
        assert!(known.get("shop", "storm-trigger").is_none());
    }

    #[test]
    fn what_holds_no_longer_is_not_kept_in_memory() {
        let known = KnownSecrets::default();
        let (changed, deleted) = (secret("7"), secret("8"));
        known.put("shop", "changed-trigger", Arc::clone(&changed));
        known.put("shop", "deleted-trigger", Arc::clone(&deleted));
        let watched = |event: watcher::Event<PartialObjectMeta<Secret>>| known.follow(&event);
        let of = |name: &str, revision: &str| {
            let mut meta = PartialObjectMeta::<Secret>::default();
            meta.metadata.namespace = Some("shop".into());
            meta.metadata.name = Some(name.into());
            meta.metadata.resource_version = Some(revision.into());
            meta
        };
        watched(watcher::Event::Apply(of("changed-trigger", "9")));
        // Whatever revision it ends with.
        watched(watcher::Event::Delete(of("deleted-trigger", "8")));
        assert_eq!((Arc::strong_count(&changed), Arc::strong_count(&deleted)), (1, 1));
        assert!(known.lock().is_empty());
    }
}
