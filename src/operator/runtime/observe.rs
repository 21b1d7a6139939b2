//! How a runtime's workload stands, as the cluster's own controllers say.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use serde_json::Value;

use super::shape::Shape;
use crate::operator::conditions::Finding;
use crate::operator::context::Context;
use crate::operator::error::ReconcileError;

pub(super) const WORKLOAD_READY: &str = "WorkloadReady";
/// A refusal that is repeated for less than this passes by itself.
const PASSES_WITHIN: SignedDuration = SignedDuration::from_secs(1);
/// As many Events are read as one workload may have of one reason.
const EVENTS_MAX: u32 = 50;

/// Whether as many Pods are available, of the newest template, as there should be.
///
/// `asked` is how many ready replicas have answered: Kubernetes may count one as available before it was asked.
pub(super) async fn workload(
    context: &Context,
    shape: &Shape<'_>,
    asked: usize,
) -> Result<Finding, ReconcileError> {
    let kind = if shape.spec.storage.sqlite.is_some() { "StatefulSet" } else { "Deployment" };
    let api = context.dynamic("apps/v1", kind, shape.namespace);
    let name = shape.child();
    let found = api.get_opt(&name).await.map_err(ReconcileError::api(format!("get {kind} {name}")))?;
    let Some(found) = found else {
        let message = format!("{kind} {name} is not made yet, as what it needs is not there");
        return Ok(Finding::progressing(WORKLOAD_READY, "NotMade", message));
    };
    if let Some(message) = refused(context, shape, kind, &found.data).await? {
        return Ok(Finding::retrying(WORKLOAD_READY, "PodRefused", message));
    }
    let told = Told {
        trouble: context.replicas.trouble_of(shape.namespace, shape.name),
        awaits: context.replicas.awaited_by(shape.namespace, shape.name),
        asked,
    };
    Ok(judge(kind, &name, found.metadata.generation, &found.data, told))
}

/// Why Kubernetes does not make a Pod that should be there: a quota or a policy refuses it. A Deployment says so itself; of a
/// StatefulSet only an Event tells.
async fn refused(
    context: &Context,
    shape: &Shape<'_>,
    kind: &str,
    object: &Value,
) -> Result<Option<String>, ReconcileError> {
    let lacks_pods = object["status"]["replicas"].as_i64().unwrap_or_default() == 0;
    if kind != "StatefulSet" || !lacks_pods {
        return Ok(None);
    }
    let events = context.api::<Event>(shape.namespace);
    let about = format!("regarding.kind={kind},regarding.name={},reason=FailedCreate", shape.child());
    let found = events.list(&ListParams::default().fields(&about).limit(EVENTS_MAX)).await;
    let found = match found {
        Ok(found) => found,
        // It explains, and nothing rests on it.
        Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(None),
        Err(error) => {
            return Err(ReconcileError::api(format!("list Events of {kind} {}", shape.child()))(error));
        }
    };
    let lasting = found.items.iter().filter(|event| lasts(event));
    let newest = lasting.max_by_key(|event| last_observed(event));
    Ok(newest.and_then(|event| event.note.as_ref()).map(|note| {
        format!(
            "{kind} {} has no Pod, as Kubernetes refuses to make it (FailedCreate): {note}",
            shape.child()
        )
    }))
}

fn last_observed(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().map(|series| series.last_observed_time.0);
    series.or(event.deprecated_last_timestamp.as_ref().map(|time| time.0))
}

/// Whether a refusal was repeated for so long that it does not pass by itself. A ServiceAccount that was made just now is not
/// known yet to all of the API server, and the first Pod is then refused; the controller tries again within milliseconds.
fn lasts(event: &Event) -> bool {
    let first = event.deprecated_first_timestamp.as_ref().map(|time| time.0);
    let first = first.or(event.event_time.as_ref().map(|time| time.0));
    match (first, last_observed(event)) {
        (Some(first), Some(last)) => last.duration_since(first) >= PASSES_WITHIN,
        _ => true,
    }
}

/// What is known of the Pods besides what their controller counts.
#[derive(Default)]
struct Told {
    /// How many ready ones have answered.
    asked: usize,
    /// What the cluster says is wrong with one.
    trouble: Option<String>,
    /// What the process of one says it waits for.
    awaits: Option<String>,
}

fn judge(kind: &str, name: &str, generation: Option<i64>, object: &Value, told: Told) -> Finding {
    let count = |field: &str| object["status"][field].as_i64().unwrap_or_default();
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    if object["status"]["observedGeneration"].as_i64() < generation {
        return Finding::progressing(
            WORKLOAD_READY,
            "RollingOut",
            format!("{kind} {name} is about to change"),
        );
    }
    let (updated, available) = (count("updatedReplicas"), count("availableReplicas"));
    if available >= wanted && updated >= wanted {
        if i64::try_from(told.asked).is_ok_and(|asked| asked < wanted) {
            let message = format!(
                "{available} of {wanted} replicas are available, {} have answered so far",
                told.asked
            );
            return Finding::progressing(WORKLOAD_READY, "RollingOut", message);
        }
        return Finding::good(WORKLOAD_READY, format!("{available} of {wanted} replicas are available"));
    }
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let failed = conditions.clone().find(|it| it["type"] == "ReplicaFailure" && it["status"] == "True");
    let stuck = conditions.clone().find(|it| it["type"] == "Progressing" && it["status"] == "False");
    if let Some(condition) = failed.or(stuck) {
        let message = condition["message"].as_str().unwrap_or_default();
        return Finding::retrying(WORKLOAD_READY, "RolloutFailed", format!("{kind} {name}: {message}"));
    }
    if let Some(trouble) = told.trouble {
        let message = format!("{available} of {wanted} replicas are available; {trouble}");
        return Finding::retrying(WORKLOAD_READY, "PodFailing", message);
    }
    let hint = "`kubectl describe pod` and `kubectl logs` say what one waits for";
    let awaits = told.awaits.unwrap_or_else(|| hint.to_owned());
    let message =
        format!("{available} of {wanted} replicas are available, {updated} of the newest template; {awaits}");
    Finding::progressing(WORKLOAD_READY, "RollingOut", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operator::conditions::Standing;

    fn told(asked: usize) -> Told {
        Told { asked, ..Told::default() }
    }

    #[test]
    fn a_refusal_that_passes_by_itself_is_none() {
        let event = |times: Value| -> Event {
            let mut event = json!({"metadata": {}, "eventTime": null});
            event.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
            serde_json::from_value(event).unwrap()
        };
        let at = |second: u32| format!("2026-12-01T05:25:{second:02}Z");
        let told =
            |first, last| json!({"deprecatedFirstTimestamp": at(first), "deprecatedLastTimestamp": at(last)});
        assert!(!lasts(&event(told(16, 16))));
        assert!(lasts(&event(told(16, 18))));
        let series = |last: &str| {
            let series = json!({"count": 2, "lastObservedTime": last});
            json!({"eventTime": "2026-12-01T05:25:16.100000Z", "series": series})
        };
        assert!(!lasts(&event(series("2026-12-01T05:25:16.900000Z"))));
        assert!(lasts(&event(series("2026-12-01T05:25:17.200000Z"))));
        assert!(lasts(&event(json!({}))), "it does not say");
    }

    #[test]
    fn a_rollout_is_ready_at_its_end_and_not_before() {
        let standing = |object: Value| judge("Deployment", "main", Some(2), &object, told(2)).standing;
        let done = json!({"spec": {"replicas": 2}, "status": {"observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 2}});
        assert_eq!(standing(done.clone()), Standing::Good);
        let unasked = judge("Deployment", "main", Some(2), &done, told(1)).standing;
        assert_eq!(unasked, Standing::Progressing, "one is available and has not answered yet");
        let stale = json!({"spec": {"replicas": 2}, "status": {"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 2}});
        assert_eq!(standing(stale), Standing::Progressing);
        let old = json!({"spec": {"replicas": 2}, "status": {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 2}});
        assert_eq!(standing(old), Standing::Progressing);
        let stuck = json!({"spec": {}, "status": {"observedGeneration": 2, "conditions": [
            {"type": "Progressing", "status": "False", "message": "deadline exceeded"}]}});
        assert_eq!(standing(stuck), Standing::Retrying);
        assert_eq!(standing(json!({"spec": {}})), Standing::Progressing);
    }
}
