//! Clears the way for the newest template of a StatefulSet: its controller waits for ever for a Pod of a former one that
//! never becomes ready, whatever is declared since (kubernetes/kubernetes#67250).

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Preconditions};

use super::shape::Shape;
use crate::operator::context::Context;
use crate::operator::error::{ReconcileError, is_absent};
use crate::operator::replicas::is_ready;

/// The label by which the controller knows the template of a Pod.
const REVISION_LABEL: &str = "controller-revision-hash";

/// Deletes the Pod of a former template, if it is not ready: nothing is served by it, and one of the newest template gets
/// its name and its volume. One that is ready the controller replaces by itself.
pub(super) async fn unblock(context: &Context, shape: &Shape<'_>) -> Result<(), ReconcileError> {
    if shape.spec.storage.sqlite.is_none() {
        return Ok(());
    }
    let name = shape.child();
    let sets = context.api::<StatefulSet>(shape.namespace);
    let set = sets.get_opt(&name).await.map_err(ReconcileError::api(format!("get StatefulSet {name}")))?;
    let Some(set) = set.filter(is_behind) else { return Ok(()) };
    let (name, pods) = (format!("{name}-0"), context.api::<Pod>(shape.namespace));
    let pod = pods.get_opt(&name).await.map_err(ReconcileError::api(format!("get Pod {name}")))?;
    let Some(pod) = pod.filter(|pod| is_in_the_way(&set, pod)) else { return Ok(()) };
    let preconditions = Preconditions { uid: pod.metadata.uid, resource_version: None };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match pods.delete(&name, &parameters).await {
        Ok(_) => {
            let namespace = shape.namespace;
            tracing::info!(namespace, pod = name, "a Pod of a former template that is not ready was deleted");
            Ok(())
        }
        // It is gone, or another one has taken its name.
        Err(kube::Error::Api(status)) if status.is_conflict() => Ok(()),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(ReconcileError::api(format!("delete Pod {name}"))(error)),
    }
}

/// Whether the controller has seen the newest template, and has no Pod of it.
fn is_behind(set: &StatefulSet) -> bool {
    let Some(status) = &set.status else { return false };
    status.observed_generation >= set.metadata.generation && status.updated_replicas.unwrap_or_default() == 0
}

/// Whether the Pod is the StatefulSet's, of a former template, not ready and not about to end.
fn is_in_the_way(set: &StatefulSet, pod: &Pod) -> bool {
    let newest = set.status.as_ref().and_then(|status| status.update_revision.as_ref());
    let revision = pod.labels().get(REVISION_LABEL);
    let is_former = newest.is_some() && revision.is_some() && revision != newest;
    let is_own = pod
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true) && Some(&owner.uid) == set.metadata.uid.as_ref());
    is_former && is_own && !is_ready(pod) && pod.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn set(status: Value) -> StatefulSet {
        let metadata = json!({"name": "main-runtime", "uid": "s", "generation": 2});
        serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap()
    }

    fn status(observed: i64, updated: i32) -> Value {
        json!({"observedGeneration": observed, "replicas": 1, "updatedReplicas": updated, "updateRevision": "new"})
    }

    /// An unready Pod of a former template, with some of its metadata and its readiness otherwise.
    fn pod(metadata: &Value, ready: &str) -> Pod {
        let mut all = json!({
            "name": "main-runtime-0", "labels": {REVISION_LABEL: "old"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "main-runtime", "uid": "s", "controller": true}],
        });
        all.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        let conditions = json!([{"type": "Ready", "status": ready}]);
        serde_json::from_value(json!({"metadata": all, "status": {"conditions": conditions}})).unwrap()
    }

    #[test]
    fn only_what_the_controller_waits_for_in_vain_is_deleted() {
        let current = set(status(2, 0));
        assert!(is_in_the_way(&current, &pod(&json!({}), "False")));
        assert!(!is_in_the_way(&current, &pod(&json!({}), "True")), "one that serves");
        for other in [
            json!({"labels": {REVISION_LABEL: "new"}}),
            json!({"labels": {}}),
            json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
            json!({"ownerReferences": []}),
            json!({"ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "main-runtime", "uid": "t", "controller": true}]}),
        ] {
            assert!(!is_in_the_way(&current, &pod(&other, "False")), "{other}");
        }
        let unknown = set(json!({"observedGeneration": 2, "replicas": 1}));
        assert!(!is_in_the_way(&unknown, &pod(&json!({}), "False")), "no template is said to be the newest");
    }

    #[test]
    fn nothing_is_decided_by_what_the_controller_has_not_seen() {
        assert!(is_behind(&set(status(2, 0))));
        assert!(!is_behind(&set(status(1, 0))));
        assert!(!is_behind(&set(status(2, 1))));
        assert!(!is_behind(&set(Value::Null)));
    }
}
