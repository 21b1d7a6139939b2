//! Standing back from a namespace that another installation of the operator manages, and taking its place once it is gone.

use kube::ResourceExt as _;
use kube::runtime::events::EventType;

use super::context::Context;
use super::managed_by::{Manager, manager};
use super::status::publish;
use crate::api::Runtime;
use crate::api::labels::OPERATOR_ANNOTATION;

impl Context {
    /// Whether another installation manages the namespace; which one.
    pub(super) fn managed_by_other(&self, namespace: &str) -> Option<String> {
        let runtime = self.namespace(namespace).runtime()?;
        let Ok(runtime) = &runtime.0 else { return None };
        match manager(runtime, &self.installation) {
            Manager::Other { installation, .. } => Some(installation),
            Manager::Own | Manager::Nobody => {
                self.others.note(namespace, None);
                None
            }
        }
    }

    /// Whether the installation that manages the Runtime's namespace is gone, so that this one may take its place.
    pub(super) async fn may_take_over(&self, runtime: &Runtime) -> bool {
        // One without a Lease could not be told from one that is gone, and each would take the other's place.
        match manager(runtime, &self.installation) {
            Manager::Other { installation, is_declared: false } if self.settings.elects_leader => {
                self.others.is_gone(&self.client, &installation).await
            }
            _ => false,
        }
    }

    /// Says once that this installation stands back from a namespace.
    pub(super) async fn stand_back(&self, runtime: &Runtime, other: &str) {
        let namespace = runtime.namespace().unwrap_or_default();
        if !self.others.note(&namespace, Some(other)) {
            return;
        }
        let own = &self.installation;
        tracing::warn!(
            namespace,
            other,
            own,
            "another installation of the operator manages this namespace; standing back"
        );
        let note = format!(
            "the operator of {other} manages this namespace, so that of {own} stands back; serve it by one of them \
             (watchNamespaces), or hand it over: `kubectl annotate runtime {} -n {namespace} --overwrite \
             {OPERATOR_ANNOTATION}={own}`",
            runtime.name_any()
        );
        publish(self, runtime, EventType::Warning, "ManagedByAnother", "StandBack", &note).await;
    }
}
