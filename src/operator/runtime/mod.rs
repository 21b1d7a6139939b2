//! Runtime: the workload that serves a namespace, how it is reached, and how it stands.

mod access;
mod database;
mod exposed;
mod exposure;
mod listeners;
mod network;
mod observe;
mod parents;
mod pod;
mod replicas;
mod rollout;
mod route;
mod shape;
#[cfg(test)]
mod tests;
mod volume;
mod workload;

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::apply;
use super::caches::name_of;
use super::conditions::{Finding, Ground};
use super::context::Context;
use super::controller::Reconcile;
use super::error::ReconcileError;
use super::kind::Kind;
use super::managed_by::{Manager, look_again, manager};
use super::paused::paused;
use super::programmed::{PROGRAMMED, Replica, Wanted, in_force, programmed, tell_in_force};
use super::status;
use super::verdict::{ACCEPTED, Verdict, judge};
use crate::api::labels::{TAKE_OVER_ANNOTATION, workload_name};
use crate::api::{Runtime, RuntimeStatus};
use crate::compile::{ObjectKind, spec_digest};
use crate::domain::replica_report::ReplicaReport;
use shape::Shape;
use volume::Claim;

/// What runtimes listen on beside their admin port.
pub const PORTS: [(&str, u16); 2] = [("calls", pod::CALLS_PORT), ("their API", pod::API_PORT)];

/// How often it is looked at when nothing happens: what others changed of its objects is put right by then.
const INTERVAL: Duration = Duration::from_secs(600);
/// While something is not as it should be of which nothing might tell.
const UNSETTLED_INTERVAL: Duration = Duration::from_secs(30);
const STORE_READY: &str = "StoreReady";

impl Reconcile for Runtime {
    const DEBOUNCE: Duration = Duration::from_millis(100);

    async fn reconcile(context: &Context, runtime: &Self) -> Result<Duration, ReconcileError> {
        let namespace = runtime.namespace().unwrap_or_default();
        if let Some(other) = context.managed_by_other(&namespace) {
            let manages = context.namespace(&namespace).runtime();
            let is_it = manages.is_some_and(|it| it.meta().uid == runtime.metadata.uid);
            if !is_it || !context.may_take_over(runtime).await {
                context.stand_back(runtime, &other).await;
                return Ok(look_again::<Self>());
            }
        }
        let in_force =
            context.namespace(&namespace).runtime().map(|it| (name_of(it.as_ref()), it.meta().uid.clone()));
        match in_force {
            Some((_, uid)) if uid == runtime.metadata.uid => serve(context, runtime, &namespace).await,
            Some((older, _)) => {
                let message = format!(
                    "a namespace has one Runtime in force, the oldest, and that is {older}; delete one of them"
                );
                let findings = [Finding::stalled(ACCEPTED, "NotTheOldest", message)];
                report(context, runtime, &findings, None).await?;
                Ok(INTERVAL)
            }
            // It is newer than the cache.
            None => Ok(Duration::from_secs(1)),
        }
    }
}

/// Makes the workload of the Runtime in force and says how it stands.
async fn serve(context: &Context, runtime: &Runtime, namespace: &str) -> Result<Duration, ReconcileError> {
    let (name, space) = (name_of(runtime), context.namespace(namespace));
    claim(context, runtime).await?;
    let verdict = judge(&space.sources(), ObjectKind::Runtime, &name, &runtime.spec);
    let owner = runtime.controller_owner_ref(&()).unwrap_or_default();
    let (resolved, database) = database::look(context, runtime, namespace).await?;
    let declared = runtime.spec.storage.sqlite.as_ref().map(|sqlite| sqlite.size.clone());
    let volume_size = match declared {
        Some(size) => volume::size_in_template(context, namespace, &workload_name(&name), &size).await?,
        None => String::new(),
    };
    let mut shape = Shape {
        name: &name,
        namespace,
        spec: &runtime.spec,
        settings: &context.settings,
        cluster_id: &context.cluster_id,
        account_uid: None,
        secrets: access::secrets(context, namespace, &workload_name(&name)).await?,
        database,
        replicas: replicas::look(context, namespace, &workload_name(&name), &runtime.spec).await?,
        volume_size,
        pages: space.written_by_pages(),
        take_over_from: take_over_from(runtime),
    };
    let claim = volume::look(context, &shape).await?;
    let failed = make(context, &owner, &mut shape, claim.as_ref()).await.err();
    if let Some(error) = failed.as_ref().filter(|error| !error.is_in_the_way()) {
        tracing::warn!(namespace, name, %error, "the objects of the Runtime could not all be made");
    }
    // What was read is out of date: it is read again at once, and nothing is said of it.
    let failed = match failed {
        Some(error) if error.is_conflict() => return Err(error),
        failed => failed,
    };
    let replicas = context.replicas.of(namespace, &name);
    let last = runtime.status.as_ref().and_then(|status| status.url.as_deref());
    let exposed = exposure::look(context, &shape, &owner, last).await?;
    let findings = [
        accepted(&verdict, claim.as_ref()),
        resolved,
        match claim.as_ref().and_then(Claim::going) {
            Some(going) => going,
            None => workload_ready(context, &shape, replicas.len(), failed.as_ref()).await?,
        },
        store_ready(&replicas),
        exposed.finding,
        programmed(Some(&name), &replicas, &wanted(&name, runtime)),
    ];
    let is_settled = findings.iter().all(|finding| finding.standing == super::conditions::Standing::Good);
    let left_behind = volume::left_behind(context, &shape).await?;
    let seen = Seen { url: exposed.url, replicas: &replicas, left_behind };
    report(context, runtime, &findings, Some(seen)).await?;
    match failed {
        Some(error) if !error.is_in_the_way() => Err(ReconcileError::Told(Box::new(error))),
        _ => Ok(if is_settled { INTERVAL } else { UNSETTLED_INTERVAL }),
    }
}

/// Writes this installation down as the one that manages the namespace. Of two who do, one gets a conflict.
async fn claim(context: &Context, runtime: &Runtime) -> Result<(), ReconcileError> {
    if manager(runtime, &context.installation) == Manager::Own {
        return Ok(());
    }
    let members = json!({ "operator": context.installation });
    status::write_members::<Runtime>(context, &runtime.metadata, members).await?;
    tracing::info!(
        namespace = runtime.namespace(),
        operator = context.installation,
        "manages this namespace from now on"
    );
    Ok(())
}

/// Whether the declaration is right, and can be had of the volume that is there.
fn accepted(verdict: &Verdict, claim: Option<&Claim>) -> Finding {
    let refused = claim.and_then(Claim::finding).filter(|_| verdict.errors.is_empty());
    refused.unwrap_or_else(|| verdict.finding())
}

/// Who hands the tenant over. What is no `<cluster>/<namespace>` is left out: it would end a process that serves, and one
/// that is refused says how to write it.
fn take_over_from(runtime: &Runtime) -> Option<String> {
    let holder = runtime.annotations().get(TAKE_OVER_ANNOTATION)?;
    let is_one = holder.rsplit_once('/').is_some_and(|(cluster, namespace)| {
        !cluster.is_empty() && !namespace.is_empty() && !cluster.starts_with('-')
    });
    is_one.then(|| holder.clone())
}

fn wanted(name: &str, runtime: &Runtime) -> Wanted {
    let object = (ReplicaReport::object(Runtime::NAME, name), spec_digest(&runtime.spec));
    Wanted { object, ..Wanted::default() }
}

/// Applies everything that belongs to the Runtime, and removes what the former declaration left.
async fn make(
    context: &Context,
    owner: &OwnerReference,
    shape: &mut Shape<'_>,
    claim: Option<&Claim>,
) -> Result<(), ReconcileError> {
    shape.account_uid = Some(apply::apply(context, owner, access::account(shape)).await?);
    let shape = &*shape;
    for object in objects(shape) {
        match apply::apply(context, owner, object).await {
            // Whether there can be routes, the condition Exposed says.
            Err(ReconcileError::UnknownKind { kind }) if kind == "HTTPRoute" => {}
            applied => drop(applied?),
        }
    }
    rollout::unblock(context, shape).await?;
    let can_be = |object: &Value| object["kind"] != "HTTPRoute" || context.has_routes.load(Ordering::Acquire);
    for object in unwanted(shape).into_iter().filter(can_be) {
        apply::remove(context, owner, &object).await?;
    }
    match claim {
        Some(claim) => claim.grow(context, shape).await,
        None => Ok(()),
    }
}

async fn workload_ready(
    context: &Context,
    shape: &Shape<'_>,
    asked: usize,
    failed: Option<&ReconcileError>,
) -> Result<Finding, ReconcileError> {
    match failed {
        Some(ReconcileError::NotOurs { kind, name }) => {
            let message = format!(
                "there is a {kind} {name} that Fanfare did not make, and the Runtime needs one of that name; rename or delete it"
            );
            Ok(Finding::retrying(observe::WORKLOAD_READY, "NotOurs", message))
        }
        Some(error @ ReconcileError::OfFormer { .. }) => {
            let message = format!("{error}; the Runtime gets its own once it is");
            Ok(Finding::progressing(observe::WORKLOAD_READY, "FormerNotGone", message))
        }
        Some(error) => Ok(Finding::retrying(
            observe::WORKLOAD_READY,
            "NotApplied",
            format!("its objects cannot be made: {}", error.told()),
        )),
        None => observe::workload(context, shape, asked).await,
    }
}

/// Whether every replica can use its store.
fn store_ready(replicas: &[Replica]) -> Finding {
    let reports =
        || replicas.iter().filter_map(|replica| Some((&replica.pod, replica.report.as_ref().ok()?)));
    let problem = reports().find_map(|(pod, report)| Some((pod, report.store_problem.as_ref()?)));
    match problem {
        Some((pod, why)) => Finding::retrying(
            STORE_READY,
            "StoreUnavailable",
            format!("replica {pod} cannot use the store: {why}"),
        ),
        None if reports().next().is_none() => {
            Finding::progressing(STORE_READY, "NoReplicaReady", "no replica has tried the store yet")
        }
        None => match reports().find_map(|(_, report)| report.store_caution.as_ref()) {
            Some(caution) => Finding {
                reason: "TimelineNotTold",
                ..Finding::good(STORE_READY, format!("every ready replica can use the store, but {caution}"))
            },
            None => {
                let kept = reports().find_map(|(_, report)| report.kept.as_ref());
                let kept = kept.map(|kept| format!(", and keeps {kept}")).unwrap_or_default();
                Finding::good(STORE_READY, format!("every ready replica can use the store{kept}"))
            }
        },
    }
}

/// What is seen of the Runtime in force.
struct Seen<'a> {
    url: Option<String>,
    replicas: &'a [Replica],
    /// A volume of a former Runtime.
    left_behind: Option<Finding>,
}

async fn report(
    context: &Context,
    runtime: &Runtime,
    findings: &[Finding],
    seen: Option<Seen<'_>>,
) -> Result<(), ReconcileError> {
    let observed = runtime.status.as_ref();
    let generation = runtime.metadata.generation;
    let conditions = observed.map_or(&[][..], |status| &status.conditions);
    let ground = Ground {
        observed: conditions,
        generation: generation.unwrap_or_default(),
        now: Timestamp::now(),
        made: runtime.creation_timestamp().map(|time| time.0),
    };
    let before = observed.and_then(|status| status.generation_in_force);
    let programmed = findings.iter().find(|finding| finding.kind == PROGRAMMED);
    let generation_in_force = programmed.and_then(|programmed| in_force(programmed, before, generation));
    let mut findings = findings.to_vec();
    tell_in_force(&mut findings, generation_in_force, generation);
    let paused = seen.as_ref().and_then(|seen| paused(seen.replicas, conditions, "runtime", ""));
    let mut beside: Vec<Finding> = paused.into_iter().collect();
    beside.extend(seen.as_ref().and_then(|seen| seen.left_behind.clone()));
    let new = RuntimeStatus {
        observed_generation: generation,
        generation_in_force,
        conditions: ground.conditions(&findings, &beside),
        ready_replicas: seen.as_ref().and_then(|seen| i32::try_from(seen.replicas.len()).ok()),
        operator: seen.as_ref().map(|_| context.installation.clone()),
        url: seen.and_then(|seen| seen.url),
    };
    status::write(context, runtime, observed, &new, (conditions, &new.conditions)).await
}

/// Every object, in the order in which they are needed.
fn objects(shape: &Shape<'_>) -> Vec<Value> {
    let mut objects = Vec::from(access::objects(shape));
    objects.push(network::service(shape));
    // Without the database nothing could run; what runs already goes on with what it has.
    if shape.spec.storage.postgres.is_none() || shape.database.is_some() {
        objects.push(network::policy(shape));
        objects.extend(workload::objects(shape));
    }
    objects.extend(exposure::objects(shape));
    objects
}

/// Objects that another declaration would have, so that a former one may have left them. What is declared and cannot
/// be made for now is none of them.
fn unwanted(shape: &Shape<'_>) -> Vec<Value> {
    let exposure = shape.spec.exposure.as_ref();
    let optional = [
        ("gateway.networking.k8s.io/v1", "HTTPRoute", exposure.is_some_and(|it| it.route.is_some())),
        ("networking.k8s.io/v1", "Ingress", exposure.is_some_and(|it| it.ingress.is_some())),
        ("autoscaling/v2", "HorizontalPodAutoscaler", shape.spec.autoscaling.is_some()),
    ];
    let left_over = optional.into_iter().filter(|(_, _, is_declared)| !is_declared);
    left_over.map(|(version, kind, _)| shape.object(version, kind, json!({}))).collect()
}
