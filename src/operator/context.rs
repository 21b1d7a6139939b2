//! What every reconcile works with.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use k8s_openapi::NamespaceResourceScope;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::events::Recorder;
use kube::{Api, Client, Resource};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::caches::{Caches, name_of};
use super::credentials::KnownSecrets;
use super::error::ReconcileError;
use super::filled_in::FilledIn;
use super::managed_by::Others;
use super::metrics::Metrics;
use super::namespace::Namespace;
use super::programmed::Serving;
use super::replicas::Replicas;
use super::settings::OperatorSettings;
use crate::api::Runtime;

/// Who the operator is to the API server's server-side apply.
pub(super) const FIELD_MANAGER: &str = "fanfare-operator";

/// What every reconcile works with; one for each scope of namespaces that is watched.
pub(super) struct Context {
    pub client: Client,
    pub settings: Arc<OperatorSettings>,
    pub caches: Caches,
    pub backoff: Backoff,
    pub metrics: Arc<Metrics>,
    pub recorder: Recorder,
    pub replicas: Arc<Replicas>,
    pub secrets: Arc<KnownSecrets>,
    /// The UID of the namespace `kube-system`, by which the cluster is known.
    pub cluster_id: String,
    /// Whether the cluster knows HTTPRoutes.
    pub has_routes: Arc<AtomicBool>,
    /// How this installation of the operator is known.
    pub installation: String,
    /// What is known of others.
    pub others: Arc<Others>,
    /// What the cluster itself puts into the objects that are made.
    pub filled_in: FilledIn,
    /// Ends with the Lease.
    pub term: CancellationToken,
}

impl Context {
    /// A namespace as the caches show it.
    pub(super) fn namespace<'a>(&'a self, name: &'a str) -> Namespace<'a> {
        Namespace { caches: &self.caches, name }
    }

    /// Who serves a namespace.
    pub(super) fn serving(&self, namespace: &str) -> Serving {
        let Some(runtime) = self.namespace(namespace).runtime() else {
            // No replica serves it, so none takes outdated credentials.
            return Serving { are_known: true, ..Serving::default() };
        };
        let name = name_of(runtime.as_ref());
        let (replicas, are_known) = self.replicas.all_of(namespace, &name);
        Serving { replicas, are_known, runtime: Some(name) }
    }

    /// Where the triggers of a namespace are, without `/in/...`, once they are reachable.
    pub(super) async fn url(&self, namespace: &str) -> Result<Option<String>, ReconcileError> {
        let Some(runtime) = self.namespace(namespace).runtime() else { return Ok(None) };
        if let Ok(runtime) = &runtime.0 {
            return Ok(runtime.status.as_ref().and_then(|status| status.url.clone()));
        }
        // One that this version cannot read is reached where it was.
        let (name, kind) = (name_of(runtime.as_ref()), Runtime::kind(&()));
        let found = self.dynamic(&Runtime::api_version(&()), &kind, namespace).get_opt(&name).await;
        let found = found.map_err(ReconcileError::api(format!("get {kind} {name}")))?;
        Ok(found.and_then(|it| it.data["status"]["url"].as_str().map(str::to_owned)))
    }

    /// Objects of a kind in a namespace.
    pub(super) fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Where an object of any kind is, by its own `apiVersion`, `kind` and namespace.
    pub(super) fn api_of(&self, object: &Value) -> Api<DynamicObject> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (group_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        self.dynamic(&group_version, &kind, &text(&object["metadata"]["namespace"]))
    }

    /// Objects of a kind that is known by its words only.
    pub(super) fn dynamic(&self, group_version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), namespace, &resource)
    }
}
