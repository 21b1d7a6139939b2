//! Writes status, and only what has changed; says aloud when an object becomes ready or ceases to be.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use serde::Serialize;
use serde_json::{Value, json};

use super::conditions::{Finding, Ground, find, ready};
use super::context::{Context, FIELD_MANAGER};
use super::error::ReconcileError;
use super::kind::Kind;
use super::left_out::CUSTOMERS_REACHED;
use super::paused::PAUSED;
use super::verdict::ACCEPTED;
use crate::causes::in_words;

/// The most an Event's note may hold.
const NOTE_BYTES_MAX: usize = 1000;
/// The condition that is there while a former Runtime's volume is.
pub(super) const LEFT_BEHIND: &str = "VolumeLeftBehind";
/// The condition that is there while an object cannot be looked at to the end.
const RECONCILED: &str = "Reconciled";
/// How long publishing an Event may take: nothing waits for it.
const EVENT_MAX: Duration = Duration::from_secs(5);

/// Writes an object's status if it differs from what was observed.
pub(super) async fn write<K: Kind, S: Serialize + PartialEq>(
    context: &Context,
    object: &K,
    observed: Option<&S>,
    new: &S,
    conditions: (&[Condition], &[Condition]),
) -> Result<(), ReconcileError> {
    if observed == Some(new) {
        return Ok(());
    }
    let value = |status: &S| serde_json::to_value(status).unwrap_or_default();
    let observed = observed.map(value).unwrap_or_default();
    patch_status::<K>(context, object.meta(), &observed, value(new)).await?;
    let (before, after) = conditions;
    announce(context, object, before, after).await;
    announce_pause(context, object, before, after).await;
    announce_left_behind(context, object, before, after).await;
    announce_left_out(context, object, before, after).await;
    Ok(())
}

/// Writes a status over the observed one. It is the operator's alone: with server-side apply, a condition or a field
/// that another writer set would stay for ever.
async fn patch_status<K: Kind>(
    context: &Context,
    meta: &ObjectMeta,
    observed: &Value,
    new: Value,
) -> Result<(), ReconcileError> {
    let (namespace, name) =
        (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    let api: Api<DynamicObject> = context.dynamic(&K::api_version(&()), &K::kind(&()), namespace);
    // An object of the same name that was made since is another one: it must not get this status.
    let patch = json!({ "metadata": { "uid": meta.uid }, "status": over(observed, new) });
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match api.patch_status(name, &parameters, &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        // It is gone, or another one has taken its name.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(ReconcileError::api(format!("write the status of {} {name}", K::NAME))(error)),
    }
}

/// Writes some members of a status, if the object is still as it was read.
pub(super) async fn write_members<K: Kind>(
    context: &Context,
    meta: &ObjectMeta,
    members: Value,
) -> Result<(), ReconcileError> {
    let (namespace, name) =
        (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    let api: Api<DynamicObject> = context.dynamic(&K::api_version(&()), &K::kind(&()), namespace);
    let metadata = json!({ "uid": meta.uid, "resourceVersion": meta.resource_version });
    let patch = json!({ "metadata": metadata, "status": members });
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    let written = api.patch_status(name, &parameters, &Patch::Merge(&patch)).await;
    written.map(drop).map_err(ReconcileError::api(format!("write the status of {} {name}", K::NAME)))
}

/// The merge patch that makes a status of the observed one: what is no longer said is removed.
fn over(observed: &Value, mut new: Value) -> Value {
    let Some(members) = new.as_object_mut() else { return new };
    for name in observed.as_object().into_iter().flat_map(serde_json::Map::keys) {
        members.entry(name.as_str()).or_insert(Value::Null);
    }
    new
}

/// Tells in an Event that an object became ready, or why it is not.
async fn announce<K: Kind>(context: &Context, object: &K, before: &[Condition], after: &[Condition]) {
    let (before, Some(after)) = (ready(before), ready(after)) else { return };
    let is_news =
        before.is_none_or(|before| (&before.status, &before.reason) != (&after.status, &after.reason));
    if !is_news || after.status == "Unknown" {
        return;
    }
    if after.status == "False" {
        let meta = object.meta();
        tracing::warn!(
            kind = K::NAME,
            namespace = meta.namespace,
            name = meta.name,
            generation = meta.generation,
            reason = after.reason,
            message = after.message,
            "an object is not ready"
        );
    }
    let type_ = if after.status == "True" { EventType::Normal } else { EventType::Warning };
    publish(context, object, type_, &after.reason, "Reconcile", &after.message).await;
}

/// Tells in an Event that something was paused or resumed: nothing else of it changes.
async fn announce_pause<K: Kind>(context: &Context, object: &K, before: &[Condition], after: &[Condition]) {
    let (before, after) = (find(before, PAUSED), find(after, PAUSED));
    let (reason, note) = match (before, after) {
        (None, Some(paused)) => ("Paused", paused.message.as_str()),
        (Some(_), None) => ("Resumed", "it is not paused any more; what waited goes on"),
        _ => return,
    };
    publish(context, object, EventType::Normal, reason, "Pause", note).await;
}

/// Tells in an Event that a former Runtime's volume is there: a Runtime that was renamed is empty, and ready.
async fn announce_left_behind<K: Kind>(
    context: &Context,
    object: &K,
    before: &[Condition],
    after: &[Condition],
) {
    if let (None, Some(left)) = (find(before, LEFT_BEHIND), find(after, LEFT_BEHIND)) {
        publish(context, object, EventType::Warning, LEFT_BEHIND, "Reconcile", &left.message).await;
    }
}

/// Tells in an Event that a run of a scenario left customers out, once for each cause.
async fn announce_left_out<K: Kind>(
    context: &Context,
    object: &K,
    before: &[Condition],
    after: &[Condition],
) {
    let Some(left_out) = find(after, CUSTOMERS_REACHED) else { return };
    let is_news = find(before, CUSTOMERS_REACHED).is_none_or(|before| before.message != left_out.message);
    if is_news {
        publish(context, object, EventType::Warning, &left_out.reason, "Run", &left_out.message).await;
    }
}

/// Publishes an Event about an object; that it cannot be published is logged and changes nothing else.
pub(super) async fn publish<K: Kind>(
    context: &Context,
    object: &K,
    type_: EventType,
    reason: &str,
    action: &str,
    note: &str,
) {
    let end = note.floor_char_boundary(NOTE_BYTES_MAX.min(note.len()));
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note[..end].to_owned()),
        action: action.to_owned(),
        secondary: None,
    };
    let reference = object.object_ref(&());
    let published = tokio::time::timeout(EVENT_MAX, context.recorder.publish(&event, &reference)).await;
    let trouble = match published {
        Ok(Ok(())) => return,
        Ok(Err(error)) => in_words(&error),
        Err(_) => format!("no answer within {EVENT_MAX:?}"),
    };
    tracing::warn!(kind = K::NAME, reason, trouble, "an Event could not be published");
}

/// Says of an object that cannot be read what is wrong with it. The rest of its status stays: what it declared last is
/// still in force, and others rest on where it is reached.
pub(super) async fn write_unreadable<K: Kind>(
    context: &Context,
    meta: &ObjectMeta,
    what: &str,
) -> Result<(), ReconcileError> {
    let finding = Finding::stalled(ACCEPTED, "NotUnderstood", what);
    write_conditions::<K>(context, meta, |ground| ground.conditions(&[finding], &[])).await
}

/// Says of an object that it could not be looked at to the end. What was found out about this generation before stays, and
/// of a former one nothing is known any more.
pub(super) async fn write_failed<K: Kind>(
    context: &Context,
    meta: &ObjectMeta,
    reason: &'static str,
    what: &str,
) -> Result<(), ReconcileError> {
    let finding = Finding::retrying(RECONCILED, reason, what);
    write_conditions::<K>(context, meta, |ground| ground.failed(&finding)).await
}

/// Writes an object's conditions and leaves the rest of its status.
async fn write_conditions<K: Kind>(
    context: &Context,
    meta: &ObjectMeta,
    of: impl FnOnce(&Ground<'_>) -> Vec<Condition>,
) -> Result<(), ReconcileError> {
    let (namespace, name) =
        (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    let api: Api<DynamicObject> = context.dynamic(&K::api_version(&()), &K::kind(&()), namespace);
    let found = api.get_opt(name).await.map_err(ReconcileError::api(format!("get {} {name}", K::NAME)))?;
    let Some(found) = found else { return Ok(()) };
    let observed: Vec<Condition> =
        serde_json::from_value(found.data["status"]["conditions"].clone()).unwrap_or_default();
    let generation = meta.generation.unwrap_or_default();
    let conditions = of(&Ground { observed: &observed, generation, now: Timestamp::now(), made: None });
    if conditions == observed {
        return Ok(());
    }
    let new = json!({ "observedGeneration": generation, "conditions": conditions });
    patch_status::<K>(context, meta, &Value::Null, new).await
}
