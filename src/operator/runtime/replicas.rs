//! How many replicas a Deployment is to have: as many as declared, or as many as its autoscaler says.
//!
//! A field that is applied no more is removed, and no number means one. So the number is left to the autoscaler only
//! once that has written it; until then there are as many as there were, within its bounds.

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::api::{Autoscaling, RuntimeSpec};
use crate::operator::context::{Context, FIELD_MANAGER};
use crate::operator::error::ReconcileError;

/// The number that is ours to say; `None` where it is the autoscaler's.
pub(super) async fn look(
    context: &Context,
    namespace: &str,
    name: &str,
    spec: &RuntimeSpec,
) -> Result<Option<i32>, ReconcileError> {
    let Some(autoscaling) = &spec.autoscaling else { return Ok(Some(spec.replicas.unwrap_or(1))) };
    let deployments = context.dynamic("apps/v1", "Deployment", namespace);
    let found = deployments.get_opt(name).await;
    let found = found.map_err(ReconcileError::api(format!("get Deployment {name}")))?;
    Ok(scaled(autoscaling, found.as_ref()))
}

fn scaled(autoscaling: &Autoscaling, found: Option<&DynamicObject>) -> Option<i32> {
    let Some(found) = found else { return Some(autoscaling.min_replicas) };
    let now = found.data.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let now = i32::try_from(now).unwrap_or(i32::MAX);
    is_ours(found).then(|| now.max(autoscaling.min_replicas).min(autoscaling.max_replicas))
}

/// Whether the number is there because it was applied; another writer of the field takes it over.
fn is_ours(deployment: &DynamicObject) -> bool {
    deployment.managed_fields().iter().any(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && fields.is_some_and(|fields| fields.pointer("/f:spec/f:replicas").is_some())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(replicas: i32, managers: Value) -> Option<i32> {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "main-runtime", "managedFields": managers}, "spec": {"replicas": replicas}});
        let autoscaling = Autoscaling { min_replicas: 2, max_replicas: 6, cpu_percent: 70 };
        scaled(&autoscaling, Some(&serde_json::from_value(deployment).unwrap()))
    }

    fn manager(name: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": name, "operation": operation, "fieldsV1": fields})
    }

    #[test]
    fn the_number_is_ours_until_somebody_else_writes_it() {
        let replicas = json!({"f:spec": {"f:replicas": {}}});
        let ours = json!([manager(FIELD_MANAGER, "Apply", replicas.clone())]);
        assert_eq!(number(4, ours.clone()), Some(4));
        assert_eq!(number(1, ours.clone()), Some(2));
        assert_eq!(number(9, ours), Some(6));
        let rest = manager(FIELD_MANAGER, "Apply", json!({"f:spec": {"f:selector": {}}}));
        let theirs = manager("kube-controller-manager", "Update", replicas);
        assert_eq!(number(4, json!([rest, theirs])), None);
        assert_eq!(number(1, json!([])), None);
    }

    #[test]
    fn the_first_are_as_many_as_there_must_be() {
        let autoscaling = Autoscaling { min_replicas: 3, max_replicas: 6, cpu_percent: 70 };
        assert_eq!(scaled(&autoscaling, None), Some(3));
    }
}
