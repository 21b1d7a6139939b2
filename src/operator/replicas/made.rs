//! Which Pods are replicas of a Runtime: those that its workload made. Labels anybody may put on a Pod; who made it is said
//! by its owners, up to a workload that belongs to a Runtime and has that one's name.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::api::GROUP;
use crate::api::labels::workload_name;

/// A Pod, and the Runtime that it is a replica of.
#[derive(Debug, Clone)]
pub(in crate::operator) struct ReplicaPod {
    pub runtime: String,
    pub pod: Arc<Pod>,
}

/// What workloads are made of: each by its namespace and UID.
#[derive(Debug, Default)]
pub(in crate::operator) struct Made(HashMap<(String, String), Maker>);

#[derive(Debug)]
struct Maker {
    kind: &'static str,
    name: String,
    controller: OwnerReference,
}

impl Made {
    /// Adds an object that has a controller.
    pub(in crate::operator) fn add(&mut self, kind: &'static str, meta: &ObjectMeta) {
        let (Some(namespace), Some(uid), Some(name)) = (&meta.namespace, &meta.uid, &meta.name) else {
            return;
        };
        let Some(controller) = controller(meta).cloned() else { return };
        self.0.insert((namespace.clone(), uid.clone()), Maker { kind, name: name.clone(), controller });
    }

    /// The replicas among these Pods.
    pub(in crate::operator) fn replicas(&self, pods: Vec<Arc<Pod>>) -> Vec<ReplicaPod> {
        pods.into_iter()
            .filter_map(|pod| Some(ReplicaPod { runtime: self.runtime_of(&pod.metadata)?, pod }))
            .collect()
    }

    /// The Runtime of a Pod: by its StatefulSet, or by its ReplicaSet and that one's Deployment.
    fn runtime_of(&self, pod: &ObjectMeta) -> Option<String> {
        let namespace = pod.namespace.clone()?;
        let find = |wanted: &OwnerReference| {
            let maker = self.0.get(&(namespace.clone(), wanted.uid.clone()))?;
            (maker.kind == wanted.kind && maker.name == wanted.name).then_some(maker)
        };
        let first = find(controller(pod)?)?;
        let workload = match first.kind {
            "ReplicaSet" => find(&first.controller).filter(|it| it.kind == "Deployment")?,
            "StatefulSet" => first,
            _ => return None,
        };
        let owner = &workload.controller;
        let is_runtime = owner.kind == "Runtime" && owner.api_version.split('/').next() == Some(GROUP);
        (is_runtime && workload.name == workload_name(&owner.name)).then(|| owner.name.clone())
    }
}

fn controller(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::labels::RUNTIME_LABEL;

    fn owner(kind: &str, name: &str, uid: &str) -> Value {
        let version = if kind == "Runtime" { "fanfare.dev/v1alpha1" } else { "apps/v1" };
        json!({"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": true})
    }

    fn meta(namespace: &str, name: &str, uid: &str, owners: Value) -> ObjectMeta {
        let labels = json!({RUNTIME_LABEL: "main"});
        serde_json::from_value(
            json!({"namespace": namespace, "name": name, "uid": uid, "labels": labels, "ownerReferences": owners}),
        )
        .unwrap()
    }

    #[test]
    fn only_what_a_runtimes_own_workload_made_is_a_replica() {
        let mut made = Made::default();
        let of =
            |namespace: &str, name: &str, uid: &str, owner: Value| meta(namespace, name, uid, json!([owner]));
        made.add("Deployment", &of("shop", "main-runtime", "d", owner("Runtime", "main", "r")));
        made.add("ReplicaSet", &of("shop", "main-runtime-1", "rs", owner("Deployment", "main-runtime", "d")));
        made.add("StatefulSet", &of("files", "main-runtime", "s", owner("Runtime", "main", "r")));
        // Made by somebody who may make workloads, and say of them what they like.
        made.add("StatefulSet", &of("shop", "mine", "m", owner("Runtime", "main", "r")));
        made.add("ReplicaSet", &of("shop", "bare", "b", owner("Runtime", "main", "r")));
        let runtime = |namespace: &str, owners: Value| made.runtime_of(&meta(namespace, "p", "p", owners));
        let main = Some("main".to_owned());
        assert_eq!(runtime("shop", json!([owner("ReplicaSet", "main-runtime-1", "rs")])), main);
        assert_eq!(runtime("files", json!([owner("StatefulSet", "main-runtime", "s")])), main);
        for (namespace, owners) in [
            ("shop", json!([])),
            ("shop", json!([owner("Runtime", "main", "r")])),
            ("shop", json!([owner("Deployment", "main-runtime", "d")])),
            ("shop", json!([owner("StatefulSet", "mine", "m")])),
            ("shop", json!([owner("ReplicaSet", "bare", "b")])),
            ("shop", json!([owner("ReplicaSet", "main-runtime-1", "guessed")])),
            ("shop", json!([owner("StatefulSet", "main-runtime-1", "rs")])),
            // An owner is of the same namespace.
            ("shop", json!([owner("StatefulSet", "main-runtime", "s")])),
        ] {
            assert_eq!(runtime(namespace, owners.clone()), None, "{namespace} {owners}");
        }
    }
}
