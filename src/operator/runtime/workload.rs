//! What runs a runtime's processes: a Deployment on PostgreSQL, a StatefulSet with a volume on SQLite.

use serde_json::{Value, json};

use super::pod;
use super::shape::Shape;
use super::volume::VOLUME;
use crate::api::{Autoscaling, VolumeDeletion};

/// How many former templates are kept to go back to.
const REVISIONS_KEPT: i64 = 3;

pub(super) fn objects(shape: &Shape<'_>) -> Vec<Value> {
    let mut objects = match &shape.spec.storage.sqlite {
        Some(_) => vec![stateful_set(shape)],
        None => vec![deployment(shape)],
    };
    objects.push(disruption_budget(shape));
    objects.extend(shape.spec.autoscaling.as_ref().map(|autoscaling| autoscaler(shape, autoscaling)));
    objects
}

fn deployment(shape: &Shape<'_>) -> Value {
    let mut spec = json!({
        "selector": { "matchLabels": shape.selector() },
        "revisionHistoryLimit": REVISIONS_KEPT,
        // One more while one is replaced: calls are answered throughout.
        "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
        "template": pod::template(shape),
    });
    if let Some(replicas) = shape.replicas {
        spec["replicas"] = json!(replicas);
    }
    shape.object("apps/v1", "Deployment", json!({ "spec": spec }))
}

fn stateful_set(shape: &Shape<'_>) -> Value {
    let sqlite = shape.spec.storage.sqlite.as_ref();
    let when_deleted = match sqlite.map(|sqlite| sqlite.when_deleted) {
        Some(VolumeDeletion::Delete) => "Delete",
        _ => "Retain",
    };
    let mut claim = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": shape.volume_size } },
    });
    if let Some(class) = sqlite.and_then(|sqlite| sqlite.storage_class_name.as_ref()) {
        claim["storageClassName"] = json!(class);
    }
    let spec = json!({
        "serviceName": shape.child(),
        "replicas": 1,
        "selector": { "matchLabels": shape.selector() },
        "revisionHistoryLimit": REVISIONS_KEPT,
        "persistentVolumeClaimRetentionPolicy": { "whenDeleted": when_deleted, "whenScaled": "Retain" },
        "template": pod::template(shape),
        "volumeClaimTemplates": [{ "metadata": { "name": VOLUME }, "spec": claim }],
    });
    shape.object("apps/v1", "StatefulSet", json!({ "spec": spec }))
}

/// At most one Pod is evicted at a time while nodes are drained.
fn disruption_budget(shape: &Shape<'_>) -> Value {
    let spec = json!({
        "maxUnavailable": 1,
        "selector": { "matchLabels": shape.selector() },
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    });
    shape.object("policy/v1", "PodDisruptionBudget", json!({ "spec": spec }))
}

fn autoscaler(shape: &Shape<'_>, autoscaling: &Autoscaling) -> Value {
    let target = json!({ "type": "Utilization", "averageUtilization": autoscaling.cpu_percent });
    let spec = json!({
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": shape.child() },
        "minReplicas": autoscaling.min_replicas,
        "maxReplicas": autoscaling.max_replicas,
        "metrics": [{ "type": "Resource", "resource": { "name": "cpu", "target": target } }],
    });
    shape.object("autoscaling/v2", "HorizontalPodAutoscaler", json!({ "spec": spec }))
}
