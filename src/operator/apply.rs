//! Puts the objects that belong to one of ours where they should be, and removes those that should not be.
//!
//! What is there already as it should is not written: at rest the operator writes nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};

use super::context::{Context, FIELD_MANAGER};
use super::error::{ReconcileError, is_absent};
use crate::compile::spec_digest;
use crate::domain::quantity::same_quantity;

/// The digest of what was applied last: a field that is no longer wanted shows by it.
const DIGEST: &str = "fanfare.dev/applied";
/// Members that hold quantities.
const QUANTITIES: [&str; 2] = ["limits", "requests"];

/// Applies an object that belongs to `owner`, unless it is there as it should be.
pub(super) async fn apply(
    context: &Context,
    owner: &OwnerReference,
    mut wanted: Value,
) -> Result<(), ReconcileError> {
    wanted["metadata"]["ownerReferences"] = json!([owner]);
    let digest = spec_digest(&wanted);
    wanted["metadata"]["annotations"][DIGEST] = json!(digest);
    let (kind, name) = (word(&wanted["kind"]), word(&wanted["metadata"]["name"]));
    let api = context.api_of(&wanted);
    let observed = match api.get_opt(&name).await {
        Ok(observed) => observed,
        Err(error) if is_absent(&error) => return Err(ReconcileError::UnknownKind { kind }),
        Err(error) => return Err(ReconcileError::api(format!("get {kind} {name}"))(error)),
    };
    if let Some(observed) = &observed {
        if !belongs_to(observed, owner) {
            return Err(ReconcileError::NotOurs { kind, name });
        }
        let observed = serde_json::to_value(observed).unwrap_or_default();
        if covers(&observed, &wanted) {
            return Ok(());
        }
    }
    let parameters = PatchParams::apply(FIELD_MANAGER).force().validation_strict();
    let mut applied = api.patch(&name, &parameters, &Patch::Apply(&wanted)).await;
    if matches!(&applied, Err(kube::Error::Api(status)) if status.is_invalid()) && observed.is_some() {
        // What others put into our lists can contradict ours; then the lists are taken over as they should be.
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        applied = api.patch(&name, &parameters, &Patch::Merge(&wanted)).await;
    }
    applied.map_err(ReconcileError::api(format!("apply {kind} {name}")))?;
    tracing::info!(kind, name, owner = %owner.name, "applied");
    Ok(())
}

/// Removes an object that belonged to `owner` and is not wanted any more. What is not there, or belongs to somebody
/// else, is left alone.
pub(super) async fn remove(
    context: &Context,
    owner: &OwnerReference,
    unwanted: &Value,
) -> Result<(), ReconcileError> {
    let (kind, name) = (word(&unwanted["kind"]), word(&unwanted["metadata"]["name"]));
    let api = context.api_of(unwanted);
    let found = match api.get_opt(&name).await {
        Ok(found) => found.filter(|found| belongs_to(found, owner)),
        // A kind that the cluster does not know has no objects.
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(ReconcileError::api(format!("get {kind} {name}"))(error)),
    };
    let Some(found) = found else { return Ok(()) };
    let preconditions = Preconditions { uid: found.metadata.uid, resource_version: None };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
    match api.delete(&name, &parameters).await {
        Ok(_) => tracing::info!(kind, name, owner = %owner.name, "removed"),
        Err(error) if is_absent(&error) => {}
        Err(error) => return Err(ReconcileError::api(format!("delete {kind} {name}"))(error)),
    }
    Ok(())
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Whether it was made for the owner.
pub(super) fn belongs_to(object: &DynamicObject, owner: &OwnerReference) -> bool {
    object.metadata.owner_references.iter().flatten().any(|reference| reference.uid == owner.uid)
}

/// Whether everything that is wanted is there. More may be: what the API server filled in, and what others added.
pub(super) fn covers(observed: &Value, wanted: &Value) -> bool {
    match (observed, wanted) {
        (Value::Object(observed), Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| match observed.get(name) {
                Some(observed) if QUANTITIES.contains(&name.as_str()) => covers_quantities(observed, wanted),
                Some(observed) => covers(observed, wanted),
                None => is_empty(wanted),
            })
        }
        (Value::Array(observed), Value::Array(wanted))
            if wanted.iter().all(|item| item["name"].is_string()) =>
        {
            wanted
                .iter()
                .all(|item| observed.iter().any(|other| other["name"] == item["name"] && covers(other, item)))
        }
        (Value::Array(observed), Value::Array(wanted)) => {
            observed.len() == wanted.len() && observed.iter().zip(wanted).all(|(o, w)| covers(o, w))
        }
        _ => observed == wanted,
    }
}

/// The same for quantities, each by its name: the API server writes them in its own way.
fn covers_quantities(observed: &Value, wanted: &Value) -> bool {
    let is_there = |(name, wanted): (&String, &Value)| match (observed[name].as_str(), wanted.as_str()) {
        (Some(observed), Some(wanted)) => observed == wanted || same_quantity(observed, wanted),
        _ => false,
    };
    wanted.as_object().is_some_and(|wanted| wanted.iter().all(is_there))
}

/// The API server leaves empty members out.
fn is_empty(wanted: &Value) -> bool {
    match wanted {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_filled_in_or_added_by_others_does_not_count() {
        let wanted =
            json!({"spec": {"ports": [{"name": "calls", "port": 80}], "selector": {"a": "b"}, "none": {}}});
        let observed = json!({"spec": {
            "ports": [{"name": "more", "port": 1}, {"name": "calls", "port": 80, "protocol": "TCP"}],
            "selector": {"a": "b"}, "clusterIP": "10.0.0.1"}});
        assert!(covers(&observed, &wanted));
    }

    #[test]
    fn quantities_are_the_same_however_they_are_written() {
        let container = |cpu: &str, memory: &str| json!({"resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}});
        let observed = container("500m", "1Gi");
        assert!(covers(&observed, &container("0.5", "1024Mi")));
        assert!(!covers(&observed, &container("0.5", "1G")));
        // What is no quantity is a text.
        let labels = |text: &str| json!({"labels": {"memory": text}});
        assert!(!covers(&labels("1Gi"), &labels("1024Mi")));
    }

    #[test]
    fn what_was_changed_or_removed_counts() {
        let wanted = json!({"spec": {"args": ["a", "b"], "ports": [{"name": "calls", "port": 80}]}});
        for observed in [
            json!({"spec": {"args": ["a"], "ports": [{"name": "calls", "port": 80}]}}),
            json!({"spec": {"args": ["a", "b"], "ports": []}}),
            json!({"spec": {"args": ["a", "b"], "ports": [{"name": "calls", "port": 81}]}}),
            json!({}),
        ] {
            assert!(!covers(&observed, &wanted), "{observed}");
        }
    }
}
