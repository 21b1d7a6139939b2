//! Scenario: whether it is right, has all it refers to, is in force, and how its audience is found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Resource, ResourceExt as _};

use super::caches::{Guarded, get, name_of};
use super::conditions::{Finding, Ground, Standing};
use super::context::Context;
use super::controller::{Reconcile, again};
use super::error::ReconcileError;
use super::kind::Kind;
use super::left_out::left_out;
use super::namespace::{Namespace, channels_of};
use super::paused::{no_replica_tells, paused};
use super::programmed::{Replica, Wanted, in_force, tell_in_force};
use super::scenario_summary::summary;
use super::status;
use super::user_secret::RESOLVED_REFS;
use super::verdict::{ACCEPTED, Verdict, judge};
use crate::api::{ObservedObject, Scenario, ScenarioStatus, State};
use crate::compile::references::config_maps;
use crate::compile::{ObjectKind, Sources, spec_digest, texts_digest};
use crate::domain::name::ScenarioName;
use crate::domain::replica_report::{AudienceReport, ReplicaReport};

const AUDIENCE_INDEXED: &str = "AudienceIndexed";
/// The state of a scenario that fires no more and has runs under way.
const FINISHING: &str = "Finishing";

impl Reconcile for Scenario {
    const DEBOUNCE: Duration = Duration::from_millis(20);

    async fn reconcile(context: &Context, scenario: &Self) -> Result<Duration, ReconcileError> {
        let (namespace, name, now) =
            (scenario.namespace().unwrap_or_default(), name_of(scenario), Timestamp::now());
        let space = context.namespace(&namespace);
        let mut sources = space.sources_of_scenario(&name, &scenario.spec);
        sources.texts = texts(context, scenario, &namespace).await?;
        let missing = missing(&space, scenario, &sources);
        let with = accepted_with(&space, scenario);
        let verdict = judge(&sources, ObjectKind::Scenario, &name, &scenario.spec);
        let accepted = accepted(scenario, &verdict, missing.as_ref(), &with);
        let serving = context.serving(&namespace);
        let digests = sources.texts.iter().map(|(name, texts)| (name.clone(), texts_digest(texts)));
        let wanted = Wanted {
            object: (ReplicaReport::object(Self::NAME, &name), spec_digest(&scenario.spec)),
            config_maps: digests.collect(),
            ..Wanted::default()
        };
        let programmed = serving.programmed(&wanted);
        let compiled = verdict.snapshot.scenarios.get(&ScenarioName::new(name.as_str()));
        let audience = compiled.map(|compiled| compiled.plan_in_words());
        let (is_accepted, is_resolved) = (accepted.standing == Standing::Good, missing.is_none());
        let mut beside = vec![indexed(&name, audience.as_deref(), &serving.replicas)];
        let resolved =
            missing.unwrap_or_else(|| Finding::good(RESOLVED_REFS, "everything it refers to is there"));
        let observed = scenario.status.as_ref();
        let generation = scenario.metadata.generation;
        let conditions = observed.map_or(&[][..], |status| &status.conditions);
        beside.extend(paused(&serving.replicas, conditions, "scenario", &name));
        beside.extend(left_out(&serving.replicas, conditions, &name));
        let was = observed.and_then(|status| status.state.as_deref());
        let is_finishing = finishing(&name, &serving.replicas, was);
        let made = scenario.creation_timestamp().map(|time| time.0);
        let ground = Ground { observed: conditions, generation: generation.unwrap_or_default(), now, made };
        let before = observed.and_then(|status| status.generation_in_force);
        let generation_in_force = in_force(&programmed, before, generation);
        let mut findings = [accepted, resolved, programmed];
        tell_in_force(&mut findings, generation_in_force, generation);
        let before = observed.map(|status| status.accepted_with.clone()).unwrap_or_default();
        let new = ScenarioStatus {
            observed_generation: generation,
            state: Some(state(scenario, is_accepted || !is_resolved, is_finishing).to_owned()),
            generation_in_force,
            conditions: ground.conditions(&findings, &beside),
            audience,
            summary: Some(summary(scenario)),
            accepted_with: if is_accepted { with } else { before },
        };
        status::write(context, scenario, observed, &new, (conditions, &new.conditions)).await?;
        Ok(again(is_resolved, ground.due(&findings)))
    }
}

/// The ConfigMaps the scenario uses, those that are there.
async fn texts(
    context: &Context,
    scenario: &Scenario,
    namespace: &str,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, ReconcileError> {
    let mut texts = BTreeMap::new();
    for name in config_maps(&scenario.spec) {
        let found = context.api::<ConfigMap>(namespace).get_opt(&name).await;
        let found = found.map_err(ReconcileError::api(format!("get ConfigMap {name}")))?;
        texts.extend(found.map(|found| (name, found.data.unwrap_or_default())));
    }
    Ok(texts)
}

/// The first thing it refers to that is not there, or that this version cannot read.
fn missing(space: &Namespace<'_>, scenario: &Scenario, sources: &Sources) -> Option<Finding> {
    let spec = &scenario.spec;
    let lacks = |reason, kind: &str, name: &str| {
        let message = format!("there is no {kind} {name} in this namespace; apply it, or name another one");
        Some(Finding::retrying(RESOLVED_REFS, reason, message))
    };
    let trigger = spec
        .triggers
        .iter()
        .map(|entry| &entry.trigger_ref.name)
        .find(|name| !sources.triggers.contains_key(*name));
    if let Some(name) = trigger {
        let found = get(&space.caches.triggers, space.name, name);
        return not_understood(found, "ApiTrigger", name)
            .or_else(|| lacks("TriggerNotFound", "ApiTrigger", name));
    }
    if let Some(name) = channels_of(spec).find(|name| !sources.channels.contains_key(*name)) {
        let found = get(&space.caches.channels, space.name, name);
        return not_understood(found, "Channel", name).or_else(|| lacks("ChannelNotFound", "Channel", name));
    }
    let config_map = config_maps(spec).into_iter().find(|name| !sources.texts.contains_key(name))?;
    lacks("ConfigMapNotFound", "ConfigMap", &config_map)
}

/// What is said of something that is there and that this version cannot read.
fn not_understood<K>(found: Option<Arc<Guarded<K>>>, kind: &str, name: &str) -> Option<Finding> {
    let message = || {
        format!(
            "this version of Fanfare cannot read {kind} {name}, whose status says why; correct it, or upgrade Fanfare"
        )
    };
    let is_there = found.is_some_and(|found| found.0.is_err());
    is_there.then(|| Finding::retrying(RESOLVED_REFS, "ReferenceNotUnderstood", message()))
}

/// The scenario itself, and the triggers and channels it refers to, as they are.
fn accepted_with(space: &Namespace<'_>, scenario: &Scenario) -> Vec<ObservedObject> {
    let mut with = Vec::new();
    let mut add = |kind: &str, name: &str, generation: Option<i64>| {
        let is_new = !with.iter().any(|it: &ObservedObject| it.kind == kind && it.name == name);
        if let Some(generation) = generation.filter(|_| is_new) {
            with.push(ObservedObject { kind: kind.into(), name: name.into(), generation });
        }
    };
    add("Scenario", &name_of(scenario), scenario.metadata.generation);
    for entry in &scenario.spec.triggers {
        let name = &entry.trigger_ref.name;
        add("ApiTrigger", name, get(&space.caches.triggers, space.name, name).and_then(generation));
    }
    for name in channels_of(&scenario.spec) {
        add("Channel", name, get(&space.caches.channels, space.name, name).and_then(generation));
    }
    with
}

/// The generation of an object, whether it can be read or not.
fn generation<K: Resource>(object: Arc<Guarded<K>>) -> Option<i64> {
    object.meta().generation
}

/// What the compile step says; with something missing it cannot say anything.
fn accepted(
    scenario: &Scenario,
    verdict: &Verdict,
    missing: Option<&Finding>,
    with: &[ObservedObject],
) -> Finding {
    if missing.is_some() {
        let message = "it cannot be checked until everything it refers to is there and can be read";
        return Finding::progressing(ACCEPTED, "ReferencesMissing", message);
    }
    let mut finding = verdict.finding();
    if let Some(culprit) = culprit(scenario, with).filter(|_| finding.standing != Standing::Good) {
        finding.message = format!("{culprit}\n{}", finding.message);
    }
    finding
}

/// The edit of something else that broke it: it was right before, and has not changed itself.
fn culprit(scenario: &Scenario, with: &[ObservedObject]) -> Option<String> {
    let status = scenario.status.as_ref()?;
    let itself = status.accepted_with.iter().find(|it| it.kind == Scenario::NAME)?;
    if Some(itself.generation) != scenario.metadata.generation {
        return None;
    }
    let changed = with.iter().filter_map(|now| {
        let before = status.accepted_with.iter().find(|it| (&it.kind, &it.name) == (&now.kind, &now.name))?;
        let ObservedObject { kind, name, generation } = now;
        (before.generation != *generation)
            .then(|| format!("{kind} {name} was changed (generation {} to {generation})", before.generation))
    });
    let changed: Vec<String> = changed.collect();
    (!changed.is_empty()).then(|| format!("it was right until {}:", changed.join(" and ")))
}

/// Whether runs are under way, as any replica tells: they share one store. While none does, it is as it `was`.
fn finishing(name: &str, replicas: &[Replica], was: Option<&str>) -> bool {
    let told = |replica: &Replica| replica.report.as_ref().is_ok_and(|it| it.finishing.contains(name));
    replicas.iter().any(told) || was == Some(FINISHING) && no_replica_tells(replicas)
}

fn state(scenario: &Scenario, is_right: bool, is_finishing: bool) -> &'static str {
    match scenario.spec.state {
        _ if !is_right => "Stalled",
        State::Draft | State::Inactive if is_finishing => FINISHING,
        State::Draft => "Draft",
        State::Active => "Active",
        State::Inactive => "Inactive",
    }
}

/// How the audience is found, and whether the indexes for it are complete.
fn indexed(name: &str, plan: Option<&str>, replicas: &[Replica]) -> Finding {
    let Some(plan) = plan else {
        return Finding::progressing(
            AUDIENCE_INDEXED,
            "NotAccepted",
            "it is not known how the audience would be found",
        );
    };
    if plan.starts_with("full scan") {
        return Finding::retrying(
            AUDIENCE_INDEXED,
            "FullScan",
            format!("{plan}; every call reads all customers"),
        );
    }
    let reports = || replicas.iter().filter_map(|replica| replica.report.as_ref().ok()?.audiences.get(name));
    if reports().any(|report| *report == AudienceReport::Filling) {
        let words = replicas.iter().find_map(|replica| replica.report.as_ref().ok()?.filling.get(name));
        let far = words.map_or(String::new(), |words| format!(" ({words})"));
        let message = format!("{plan}; the index is being filled{far}, until then all customers are read");
        return Finding::progressing(AUDIENCE_INDEXED, "Filling", message);
    }
    match reports().next() {
        Some(_) => Finding::good(AUDIENCE_INDEXED, plan),
        None => Finding::progressing(
            AUDIENCE_INDEXED,
            "NoReplicaReady",
            format!("{plan}; no replica has it in force yet"),
        ),
    }
}
