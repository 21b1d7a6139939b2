//! What runs a runtime's processes: a Deployment on PostgreSQL, a StatefulSet with a volume on SQLite.

use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::pod;
use super::shape::Shape;
use crate::api::{Autoscaling, VolumeDeletion};
use crate::domain::quantity::same_quantity;
use crate::operator::context::{Context, FIELD_MANAGER};
use crate::operator::error::ReconcileError;

/// The name of the volume with SQLite's files.
const VOLUME: &str = "data";
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

/// At most one is taken away at a time, by whoever drains nodes.
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

/// The size in the template: what it was made with, if it is there, for the template of a StatefulSet never changes.
pub(super) async fn volume_size(
    context: &Context,
    namespace: &str,
    name: &str,
    declared: &str,
) -> Result<String, ReconcileError> {
    let sets = context.dynamic("apps/v1", "StatefulSet", namespace);
    let found = sets.get_opt(name).await.map_err(ReconcileError::api(format!("get StatefulSet {name}")))?;
    let size = found.and_then(|found| {
        let size = found.data.pointer("/spec/volumeClaimTemplates/0/spec/resources/requests/storage")?;
        size.as_str().map(str::to_owned)
    });
    Ok(size.unwrap_or_else(|| declared.to_owned()))
}

/// Asks for the declared size at the volume claim, once there is one: a StatefulSet's template never changes.
pub(super) async fn grow_volume(context: &Context, shape: &Shape<'_>) -> Result<(), ReconcileError> {
    let Some(sqlite) = &shape.spec.storage.sqlite else { return Ok(()) };
    let name = format!("{VOLUME}-{}-0", shape.child());
    let claims = context.dynamic("v1", "PersistentVolumeClaim", shape.namespace);
    let found = claims
        .get_opt(&name)
        .await
        .map_err(ReconcileError::api(format!("get PersistentVolumeClaim {name}")))?;
    let Some(found) = found else { return Ok(()) };
    let asked = &found.data["spec"]["resources"]["requests"]["storage"];
    let is_asked = asked.as_str().is_some_and(|asked| same_quantity(asked, &sqlite.size));
    if is_asked || found.annotations().get(ASKED) == Some(&sqlite.size) {
        return Ok(());
    }
    let patch = json!({
        "metadata": { "annotations": { ASKED: sqlite.size } },
        "spec": { "resources": { "requests": { "storage": sqlite.size } } },
    });
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    let grown = claims.patch(&name, &parameters, &Patch::Merge(&patch)).await;
    grown
        .map(drop)
        .map_err(ReconcileError::api(format!("ask for {} at PersistentVolumeClaim {name}", sqlite.size)))
}

/// What was asked for last, as it was written: the API server may write the same size differently.
const ASKED: &str = "fanfare.dev/size";
