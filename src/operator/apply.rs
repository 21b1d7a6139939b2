//! Puts the objects that belong to one of ours where they should be, and removes those that should not be.
//!
//! What is there already as it should is not written: at rest the operator writes nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};

use super::context::{Context, FIELD_MANAGER};
use super::error::{ReconcileError, is_absent};
use crate::api::labels::{MANAGED_BY_LABEL, RUNTIME_LABEL};
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
        match whose(observed, owner, &wanted) {
            Whose::Own => {}
            Whose::Formers => return Err(ReconcileError::OfFormer { kind, name }),
            Whose::Others => return Err(ReconcileError::NotOurs { kind, name }),
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

/// Removes an object that belonged to `owner`, or was left by a former one, and is not wanted any more. What is not
/// there, or belongs to somebody else, is left alone.
pub(super) async fn remove(
    context: &Context,
    owner: &OwnerReference,
    unwanted: &Value,
) -> Result<(), ReconcileError> {
    let (kind, name) = (word(&unwanted["kind"]), word(&unwanted["metadata"]["name"]));
    let api = context.api_of(unwanted);
    let found = match api.get_opt(&name).await {
        Ok(found) => found.filter(|found| whose(found, owner, unwanted) == Whose::Own),
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

/// Whose an object is that has a name which is ours.
#[derive(Debug, PartialEq, Eq)]
enum Whose {
    /// The owner's, or made for one of its name and left behind: nobody else controls it.
    Own,
    /// A former owner's of the same name; it goes by itself.
    Formers,
    /// Somebody else's.
    Others,
}

fn whose(object: &DynamicObject, owner: &OwnerReference, wanted: &Value) -> Whose {
    let references = || object.metadata.owner_references.iter().flatten();
    if belongs_to(object, owner) {
        return Whose::Own;
    }
    let is_of_its_name = |other: &OwnerReference| {
        (&other.api_version, &other.kind, &other.name) == (&owner.api_version, &owner.kind, &owner.name)
    };
    let label = |name: &str| object.labels().get(name).map(String::as_str);
    let is_labelled = [MANAGED_BY_LABEL, RUNTIME_LABEL]
        .iter()
        .all(|name| label(name).is_some() && label(name) == wanted["metadata"]["labels"][name].as_str());
    match references().find(|reference| reference.controller == Some(true)) {
        None if is_labelled => Whose::Own,
        Some(other) if is_of_its_name(other) => Whose::Formers,
        _ => Whose::Others,
    }
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
    fn what_a_former_one_left_is_taken_up_and_what_others_have_is_not() {
        let of = |kind: &str, name: &str, uid: &str, controller: bool| json!([{"apiVersion": "fanfare.dev/v1alpha1", "kind": kind, "name": name, "uid": uid, "controller": controller}]);
        let owner = OwnerReference {
            api_version: "fanfare.dev/v1alpha1".into(),
            kind: "Runtime".into(),
            name: "main".into(),
            uid: "new".into(),
            ..OwnerReference::default()
        };
        let labels = json!({MANAGED_BY_LABEL: "fanfare", RUNTIME_LABEL: "main"});
        let wanted = json!({"metadata": {"labels": labels}});
        let found = |owners: &Value, labels: &Value| {
            let object =
                json!({"metadata": {"name": "main-runtime", "ownerReferences": owners, "labels": labels}});
            whose(&serde_json::from_value(object).unwrap(), &owner, &wanted)
        };
        let former = of("Runtime", "main", "old", true);
        assert_eq!(found(&of("Runtime", "main", "new", true), &json!({})), Whose::Own);
        assert_eq!(found(&former, &labels), Whose::Formers);
        assert_eq!(found(&json!([]), &labels), Whose::Own);
        assert_eq!(found(&of("Release", "all", "r", false), &labels), Whose::Own);
        for (owners, labels) in [
            (json!([]), json!({})),
            (json!([]), json!({MANAGED_BY_LABEL: "fanfare", RUNTIME_LABEL: "other"})),
            (json!([]), json!({MANAGED_BY_LABEL: "Helm", RUNTIME_LABEL: "main"})),
            (of("Runtime", "other", "o", true), labels.clone()),
            (of("Release", "main", "r", true), labels.clone()),
        ] {
            assert_eq!(found(&owners, &labels), Whose::Others, "{owners} {labels}");
        }
    }

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
