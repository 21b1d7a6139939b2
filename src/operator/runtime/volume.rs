//! The size of a runtime's volume: the StatefulSet's template never changes, so a larger one is asked for at the volume
//! claim, and a smaller one cannot be had.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt as _;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::json;

use super::observe::WORKLOAD_READY;
use super::shape::Shape;
use crate::api::labels::{RUNTIME_LABEL, workload_name};
use crate::domain::quantity::{less_quantity, same_quantity};
use crate::operator::caches::get;
use crate::operator::conditions::{Finding, Standing};
use crate::operator::context::{Context, FIELD_MANAGER};
use crate::operator::error::ReconcileError;
use crate::operator::status::LEFT_BEHIND;
use crate::operator::verdict::ACCEPTED;

/// The name of the volume with SQLite's files.
pub(super) const VOLUME: &str = "data";
/// What was asked for last, as it was written: the API server may write the same size differently.
const ASKED: &str = "fanfare.dev/size";

/// The size in the template: what it was made with, if it is there, for the template of a StatefulSet never changes.
pub(super) async fn size_in_template(
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

/// A volume claim beside the size that is declared.
pub(super) struct Claim {
    name: String,
    declared: String,
    step: Step,
    /// Whether it is being deleted: it goes when no Pod uses it any more.
    is_going: bool,
}

/// What is said of a volume that a Runtime of another name left in the namespace: a Runtime that was renamed began with an
/// empty one.
pub(super) async fn left_behind(
    context: &Context,
    shape: &Shape<'_>,
) -> Result<Option<Finding>, ReconcileError> {
    if shape.spec.storage.sqlite.is_none() {
        return Ok(None);
    }
    let claims = context.api::<PersistentVolumeClaim>(shape.namespace);
    let labelled = ListParams::default().labels(&format!("{RUNTIME_LABEL},{RUNTIME_LABEL}!={}", shape.name));
    let found = claims.list_metadata(&labelled).await;
    let found = match found {
        Ok(found) => found,
        // It warns, and nothing rests on it.
        Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(None),
        Err(error) => {
            return Err(ReconcileError::api("list the PersistentVolumeClaims of former Runtimes")(error));
        }
    };
    let is_served = |runtime: &str| get(&context.caches.runtimes, shape.namespace, runtime).is_some();
    let left =
        found.items.iter().filter(|claim| claim.metadata.deletion_timestamp.is_none()).find_map(|claim| {
            let runtime = claim.labels().get(RUNTIME_LABEL)?;
            let (name, usual) = (claim.name_any(), format!("{VOLUME}-{}-0", workload_name(runtime)));
            (name == usual && !is_served(runtime)).then(|| (name, runtime.clone()))
        });
    Ok(left.map(|(claim, former)| told_of_left(shape.name, &claim, &former)))
}

fn told_of_left(name: &str, claim: &str, former: &str) -> Finding {
    let message = format!(
        "PersistentVolumeClaim {claim} holds the customers and calls of a former Runtime {former}; Runtime {name} has a volume of \
         its own. To go on with the former one, name the Runtime {former} again, or take a backup under that name and restore it \
         under this one; if it is not needed any more, `kubectl delete pvc {claim}`"
    );
    Finding { kind: LEFT_BEHIND, standing: Standing::Good, reason: "RuntimeRenamed", message }
}

/// What can be done about the size of a claim.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// It is asked for already.
    Stay,
    /// It is to be asked for.
    Ask,
    /// It cannot be had, as the claim has this.
    Refuse { has: String },
}

/// The claim of the runtime's volume, if there is one.
pub(super) async fn look(context: &Context, shape: &Shape<'_>) -> Result<Option<Claim>, ReconcileError> {
    let Some(sqlite) = &shape.spec.storage.sqlite else { return Ok(None) };
    let name = format!("{VOLUME}-{}-0", shape.child());
    let claims = context.dynamic("v1", "PersistentVolumeClaim", shape.namespace);
    let found = claims
        .get_opt(&name)
        .await
        .map_err(ReconcileError::api(format!("get PersistentVolumeClaim {name}")))?;
    Ok(found.map(|found| Claim {
        name,
        declared: sqlite.size.clone(),
        step: step(&found, &sqlite.size),
        is_going: found.metadata.deletion_timestamp.is_some(),
    }))
}

fn step(claim: &DynamicObject, declared: &str) -> Step {
    let size = |path: &str| claim.data.pointer(path).and_then(serde_json::Value::as_str).unwrap_or_default();
    let (asked, has) = (size("/spec/resources/requests/storage"), size("/status/capacity/storage"));
    if same_quantity(asked, declared) {
        return Step::Stay;
    }
    // Less than was asked for can be asked for while the volume has not grown so far: it may be that it cannot.
    if less_quantity(declared, asked) && !less_quantity(has, declared) {
        return Step::Refuse { has: asked.to_owned() };
    }
    match claim.annotations().get(ASKED).map(String::as_str) == Some(declared) {
        true => Step::Stay,
        false => Step::Ask,
    }
}

impl Claim {
    /// What only an edit can heal.
    pub(super) fn finding(&self) -> Option<Finding> {
        let Step::Refuse { has } = &self.step else { return None };
        let message = format!(
            "spec.storage.sqlite.size: {} is less than the {has} of PersistentVolumeClaim {}, and a volume cannot shrink; declare {has}, or take a backup and restore it to a new volume",
            self.declared, self.name
        );
        Some(Finding::stalled(ACCEPTED, "VolumeCannotShrink", message))
    }

    /// The message about one that is being deleted.
    pub(super) fn going(&self) -> Option<Finding> {
        let message = format!(
            "PersistentVolumeClaim {0} was deleted (Terminating): it goes with all customers and calls as soon as no Pod uses \
             it. Take a backup now (`kubectl fanfare backup`); afterwards delete the Pod, which then begins with an empty volume",
            self.name
        );
        self.is_going.then(|| Finding::retrying(WORKLOAD_READY, "VolumeTerminating", message))
    }

    /// Asks for the declared size, if that can be had and was not asked for.
    pub(super) async fn grow(&self, context: &Context, shape: &Shape<'_>) -> Result<(), ReconcileError> {
        if self.step != Step::Ask {
            return Ok(());
        }
        let (name, size) = (&self.name, &self.declared);
        let patch = json!({
            "metadata": { "annotations": { ASKED: size } },
            "spec": { "resources": { "requests": { "storage": size } } },
        });
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let claims = context.dynamic("v1", "PersistentVolumeClaim", shape.namespace);
        let grown = claims.patch(name, &parameters, &Patch::Merge(&patch)).await;
        grown
            .map(drop)
            .map_err(ReconcileError::api(format!("ask for {size} at PersistentVolumeClaim {name}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step_of(asked: &str, has: Option<&str>, noted: Option<&str>, declared: &str) -> Step {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data-main-runtime-0", "annotations": noted.map(|noted| json!({ASKED: noted}))},
            "spec": {"resources": {"requests": {"storage": asked}}},
            "status": {"capacity": has.map(|has| json!({"storage": has}))}});
        step(&serde_json::from_value(claim).unwrap(), declared)
    }

    fn refused(has: &str) -> Step {
        Step::Refuse { has: has.to_owned() }
    }

    #[test]
    fn a_volume_grows_and_does_not_shrink() {
        assert_eq!(step_of("1Gi", Some("1Gi"), None, "1024Mi"), Step::Stay);
        assert_eq!(step_of("1Gi", Some("1Gi"), None, "2Gi"), Step::Ask);
        assert_eq!(step_of("2Gi", Some("2Gi"), None, "1Gi"), refused("2Gi"));
        // Nothing is bound yet.
        assert_eq!(step_of("2Gi", None, None, "1Gi"), refused("2Gi"));
        // Some give more than is asked for.
        assert_eq!(step_of("1Gi", Some("10Gi"), None, "1Gi"), Step::Stay);
        assert_eq!(step_of("1Gi", Some("10Gi"), None, "2Gi"), Step::Ask);
    }

    #[test]
    fn what_could_not_be_had_is_taken_back() {
        assert_eq!(step_of("100Ti", Some("1Gi"), Some("100Ti"), "2Gi"), Step::Ask);
        // As little as it has, Kubernetes does not let be asked for.
        assert_eq!(step_of("100Ti", Some("1Gi"), Some("100Ti"), "1Gi"), refused("100Ti"));
    }

    #[test]
    fn what_is_written_differently_is_asked_for_once() {
        assert_eq!(step_of("1e3", Some("1e3"), Some("1001"), "1001"), Step::Stay);
        assert_eq!(step_of("1e3", Some("1e3"), None, "1001"), Step::Ask);
    }
}
