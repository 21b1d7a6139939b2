//! The Secrets of generated credentials as they were read last, used again while the watch of their metadata says that
//! they have not changed: a burst of changes elsewhere reads none of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;

/// Namespace and name.
type Key = (String, String);

/// Secrets by namespace and name; never more than there are.
#[derive(Default)]
pub(in crate::operator) struct KnownSecrets(Mutex<HashMap<Key, Known>>);

#[derive(Default)]
struct Known {
    /// The revision the watch told of last.
    revision: Option<String>,
    secret: Option<Arc<Secret>>,
}

impl KnownSecrets {
    /// The watch tells of a revision.
    pub(in crate::operator) fn told(&self, namespace: &str, name: &str, revision: Option<String>) {
        self.lock().entry((namespace.to_owned(), name.to_owned())).or_default().revision = revision;
    }

    /// The Secret, if it is as it was read or written last.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Secret>> {
        let known = self.lock();
        let found = known.get(&(namespace.to_owned(), name.to_owned()))?;
        let secret = found.secret.as_ref()?;
        (secret.resource_version() == found.revision).then(|| Arc::clone(secret))
    }

    /// It was read or written: what the watch tells later decides whether it still holds.
    pub(super) fn put(&self, namespace: &str, name: &str, secret: Arc<Secret>) {
        let revision = secret.resource_version();
        self.lock().insert((namespace.to_owned(), name.to_owned()), Known { revision, secret: Some(secret) });
    }

    /// There is none.
    pub(super) fn forget(&self, namespace: &str, name: &str) {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// Nothing is known any more.
    pub(in crate::operator) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
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
        known.told("shop", "storm-trigger", Some("8".into()));
        assert!(known.get("shop", "storm-trigger").is_none());
        known.put("shop", "storm-trigger", secret("8"));
        assert!(known.get("shop", "storm-trigger").is_some());
        known.forget("shop", "storm-trigger");
        assert!(known.get("shop", "storm-trigger").is_none());
    }
}
