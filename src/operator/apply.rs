//! Puts the objects that belong to one of ours where they should be, and removes those that should not be.
//!
//! What is there already as it should is not written: at rest the operator writes nothing.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::context::{Context, FIELD_MANAGER};
use super::error::{ReconcileError, is_absent};
use super::exact::{covers, merge_patch, strip};
use crate::api::labels::{MANAGED_BY_LABEL, RUNTIME_LABEL};
use crate::compile::spec_digest;

/// The digest of what was applied last: a field that is no longer wanted shows by it.
const DIGEST: &str = "fanfare.dev/applied";

/// Applies an object that belongs to `owner`, unless it is there as it should be, and takes out what others put into it.
/// Gives the object's UID.
pub(super) async fn apply(
    context: &Context,
    owner: &OwnerReference,
    mut wanted: Value,
) -> Result<String, ReconcileError> {
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
    }
    let mut found = value_of(observed.as_ref());
    if !covers(&found, &wanted) {
        let parameters = PatchParams::apply(FIELD_MANAGER).force().validation_strict();
        let mut applied = api.patch(&name, &parameters, &Patch::Apply(&wanted)).await;
        if matches!(&applied, Err(kube::Error::Api(status)) if status.is_invalid()) && observed.is_some() {
            // What others put into our lists can contradict ours; then the lists are taken over as they should be.
            applied = api.patch(&name, &merging(), &Patch::Merge(&wanted)).await;
        }
        found =
            value_of(Some(&applied.map_err(ReconcileError::write(format!("apply {kind} {name}"), &name))?));
        tracing::info!(kind, name, owner = %owner.name, "applied");
    }
    take_out_foreign(context, &api, &wanted, &found).await?;
    Ok(word(&found["metadata"]["uid"]))
}

/// Takes out what others put into an object. What is there all the same after that is the cluster's.
async fn take_out_foreign(
    context: &Context,
    api: &Api<DynamicObject>,
    wanted: &Value,
    found: &Value,
) -> Result<(), ReconcileError> {
    let (kind, name) = (word(&wanted["kind"]), word(&wanted["metadata"]["name"]));
    let uid = word(&found["metadata"]["uid"]);
    let stripped = strip(found, wanted, &context.filled_in.of(&uid));
    if stripped.foreign.is_empty() {
        return Ok(());
    }
    let patch = merge_patch(found, &stripped.object);
    let patched = api.patch(&name, &merging(), &Patch::Merge(&patch)).await;
    let what = || format!("take out of {kind} {name} what others put into it");
    let patched = value_of(Some(&patched.map_err(ReconcileError::write(what(), &name))?));
    let left = strip(&patched, wanted, &BTreeSet::new()).foreign;
    let taken: Vec<&String> = stripped.foreign.difference(&left).collect();
    if !taken.is_empty() {
        let namespace = wanted["metadata"]["namespace"].as_str();
        tracing::warn!(kind, name, namespace, ?taken, "what others put into an object was taken out of it");
    }
    context.filled_in.remember(uid, left);
    Ok(())
}

fn merging() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}

fn value_of(object: Option<&DynamicObject>) -> Value {
    object.map(|object| serde_json::to_value(object).unwrap_or_default()).unwrap_or_default()
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
    /// The owner's, or made for one of its name and left behind: no other owner controls it.
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
}
