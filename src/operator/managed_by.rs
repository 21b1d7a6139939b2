//! Which installation of the operator manages a namespace: the one that its Runtime names in its status, where the
//! first one writes itself down. Another one that serves the same namespaces stands back: two who each set right what
//! the other wrote would never come to an end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, ResourceExt as _};

use super::caches::{Caches, namespace_of};
use super::kind::Kind;
use super::namespace::Namespace;
use super::settings::OperatorSettings;
use crate::api::Runtime;
use crate::api::labels::OPERATOR_ANNOTATION;

/// How long another installation's Lease must lie still before it is taken for gone: longer than any replacement of its Pod.
const GONE_AFTER: Duration = Duration::from_secs(120);
/// How long the API server may take to say how a Lease is.
const ASK_MAX: Duration = Duration::from_secs(5);

/// Who manages a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Manager {
    /// This installation.
    Own,
    /// No installation yet.
    Nobody,
    /// Another one. It wrote itself down, or a person did, who is not to be overruled.
    Other { installation: String, is_declared: bool },
}

/// How an installation is known in its cluster: by its namespace and its Lease.
pub(super) fn installation(settings: &OperatorSettings) -> String {
    format!("{}/{}", settings.own_namespace, settings.lease_name)
}

/// Who manages the namespace of a Runtime. What a person declares by the annotation outranks who came first.
pub(super) fn manager(runtime: &Runtime, own: &str) -> Manager {
    let declared =
        runtime.annotations().get(OPERATOR_ANNOTATION).map(|name| name.trim()).filter(|it| !it.is_empty());
    let written = runtime.status.as_ref().and_then(|status| status.operator.as_deref());
    match declared.or(written) {
        None => Manager::Nobody,
        Some(name) if name == own && written == Some(own) => Manager::Own,
        // Declared, and not written down yet.
        Some(name) if name == own => Manager::Nobody,
        Some(name) => Manager::Other { installation: name.to_owned(), is_declared: declared.is_some() },
    }
}

/// How many namespaces other installations manage.
pub(super) fn namespaces_of_others(caches: &Caches, own: &str) -> usize {
    let runtimes = caches.runtimes.state();
    let namespaces: BTreeSet<String> = runtimes.iter().map(|it| namespace_of(it.as_ref())).collect();
    let is_others = |name: &&String| {
        let runtime = Namespace { caches, name: name.as_str() }.runtime();
        let runtime = runtime.as_ref().and_then(|it| it.0.as_ref().ok());
        runtime.is_some_and(|it| matches!(manager(it, own), Manager::Other { .. }))
    };
    namespaces.iter().filter(is_others).count()
}

/// What is known of other installations.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Of each Lease that was looked at: its revision, and since when it is that.
    leases: Mutex<HashMap<String, (Option<String>, Instant)>>,
    /// The namespaces that this one was said to stand back from, and from whom.
    namespaces: Mutex<BTreeMap<String, String>>,
}

impl Others {
    /// Notes who manages a namespace; answers whether that is news.
    pub(super) fn note(&self, namespace: &str, other: Option<&str>) -> bool {
        let mut namespaces = lock(&self.namespaces);
        match other {
            Some(other) => {
                namespaces.insert(namespace.to_owned(), other.to_owned()).as_deref() != Some(other)
            }
            None => namespaces.remove(namespace).is_some(),
        }
    }

    /// Whether an installation has not been heard of for so long that it is gone: its Lease, as this process sees it.
    pub(super) async fn is_gone(&self, client: &Client, installation: &str) -> bool {
        let Some((namespace, name)) = installation.split_once('/') else { return false };
        let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
        let Ok(Ok(found)) = tokio::time::timeout(ASK_MAX, leases.get_metadata_opt(name)).await else {
            // Who may not look does not know.
            return false;
        };
        let revision = found.and_then(|found| found.metadata.resource_version);
        let mut seen = lock(&self.leases);
        let (last, since) =
            seen.entry(installation.to_owned()).or_insert_with(|| (revision.clone(), Instant::now()));
        if *last != revision {
            (*last, *since) = (revision, Instant::now());
        }
        since.elapsed() >= GONE_AFTER
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is looked at again while another installation manages it.
pub(super) fn look_again<K: Kind>() -> Duration {
    // The Runtime's own look tells whether the other one is gone; the rest is woken by it.
    if K::NAME == Runtime::NAME { Duration::from_secs(30) } else { Duration::from_secs(600) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(annotation: Option<&str>, written: Option<&str>) -> Manager {
        let runtime = json!({"apiVersion": "fanfare.dev/v1alpha1", "kind": "Runtime",
            "metadata": {"name": "main", "annotations": annotation.map(|name| json!({OPERATOR_ANNOTATION: name}))},
            "spec": {"storage": {"sqlite": {"size": "1Gi"}}}, "status": {"operator": written}});
        manager(&serde_json::from_value(runtime).unwrap(), "a/operator")
    }

    #[test]
    fn who_came_first_manages_unless_a_person_says_otherwise() {
        let other = |is_declared| Manager::Other { installation: "b/operator".into(), is_declared };
        assert_eq!(of(None, None), Manager::Nobody);
        assert_eq!(of(None, Some("a/operator")), Manager::Own);
        assert_eq!(of(None, Some("b/operator")), other(false));
        assert_eq!(of(Some("b/operator"), Some("a/operator")), other(true));
        assert_eq!(
            of(Some("a/operator"), Some("b/operator")),
            Manager::Nobody,
            "it is to be written down first"
        );
        assert_eq!(of(Some(" "), Some("a/operator")), Manager::Own);
    }

    #[test]
    fn it_is_said_once_and_again_when_it_has_changed() {
        let others = Others::default();
        assert!(others.note("shop", Some("b/operator")) && !others.note("shop", Some("b/operator")));
        assert!(others.note("shop", Some("c/operator")));
        assert!(others.note("shop", None) && others.note("shop", Some("c/operator")));
    }
}
