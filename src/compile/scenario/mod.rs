//! A scenario that can run: conditions, contents and targets are compiled, names are resolved.
//!
//! Everything that is wrong is found at once. Triggers and channels count as they are declared, whether or not they
//! compile themselves: one bad object never takes another down.

mod content;
mod flow;
mod message;
mod plan;
mod report;
mod scope;
mod wait;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::confined::confined;
use super::{Before, ObjectKind, ObjectName, Problems, Sources};
use crate::api::{ConsentAssumption, OnStop, ScenarioSpec, State};
use crate::domain::expression::{Condition, EventTypes, Place, Scope};
use crate::domain::flow::Flow;
use crate::domain::local_defaults::LocalDefaults;
use crate::domain::name::{ScenarioName, TriggerName};
use crate::domain::selection::IndexNeed;
use report::Report;

/// A scenario that can run.
#[derive(Debug)]
pub struct Scenario {
    /// Its name.
    pub name: ScenarioName,
    /// As it was declared.
    pub spec: ScenarioSpec,
    /// Whether it fires.
    pub state: State,
    /// What becomes of runs under way when it is stopped.
    pub on_stop: OnStop,
    /// The triggers it listens to, in their order; one may be listed more than once.
    pub listeners: Vec<Listener>,
    /// Whom it concerns.
    pub audience: CompiledAudience,
    /// What happens to each of them.
    pub flow: Flow,
    /// The events the audience's condition asks for.
    pub audience_events: EventTypes,
    /// The events the nodes ask for.
    pub flow_events: EventTypes,
    /// What a consent is when a customer said nothing, by category; false for a category that is not here.
    pub consent_defaults: Arc<BTreeMap<String, bool>>,
}

/// A trigger a scenario listens to.
#[derive(Debug)]
pub struct Listener {
    /// The trigger.
    pub trigger: TriggerName,
    /// Which of its calls count; `None` for all.
    pub condition: Option<Condition>,
}

/// Whom a scenario concerns.
#[derive(Debug)]
pub enum CompiledAudience {
    /// Every customer there is.
    Everyone,
    /// The customers for whom it is true.
    Where(Condition),
}

impl Scenario {
    /// The indexes by which the audience would be found; empty if only by looking at each customer.
    pub fn index_needs(&self) -> Vec<IndexNeed> {
        match &self.audience {
            CompiledAudience::Everyone => Vec::new(),
            CompiledAudience::Where(condition) => condition.index_needs(),
        }
    }

    /// Whether a call of the trigger can start it.
    pub fn fires(&self) -> bool {
        self.state == State::Active
    }
}

pub(super) fn compile_all(
    sources: &Sources,
    before: Option<&Before>,
    local: &Arc<LocalDefaults>,
    problems: &mut Problems,
) -> BTreeMap<ScenarioName, Arc<Scenario>> {
    let consent_defaults = Arc::new(consent_defaults(sources));
    let mut compiled = BTreeMap::new();
    for (name, spec) in &sources.scenarios {
        if let Some(same) = before.and_then(|before| before.scenario(name, sources)) {
            compiled.insert(same.name.clone(), same);
            continue;
        }
        let object = ObjectName { kind: ObjectKind::Scenario, name: name.clone() };
        let scenario = confined(&object, problems, |problems| {
            let mut report = Report::new(object.clone(), problems);
            let scenario = compile(name, spec, sources, (&consent_defaults, local), &mut report);
            scenario.filter(|_| !report.failed())
        });
        if let Some(scenario) = scenario.flatten() {
            compiled.insert(scenario.name.clone(), Arc::new(scenario));
        }
    }
    compiled
}

fn compile(
    name: &str,
    spec: &ScenarioSpec,
    sources: &Sources,
    (consent_defaults, local): (&Arc<BTreeMap<String, bool>>, &Arc<LocalDefaults>),
    report: &mut Report<'_>,
) -> Option<Scenario> {
    let known = scope::triggers(spec, sources, report);
    let listeners = listeners(spec, sources, local, report);
    let scope = Scope { place: Place::Customer, triggers: known, local: Arc::clone(local) };
    let audience = audience(spec, &scope, report);
    let samples = scope::samples(spec, &scope, sources);
    let flow = flow::compile(spec, sources, (&scope, &samples), report);
    wait::warn_of_expiry(spec, sources, report);
    let audience = audience?;
    Some(Scenario {
        name: ScenarioName::new(name),
        state: spec.state,
        on_stop: spec.on_stop,
        listeners,
        audience_events: match &audience {
            CompiledAudience::Everyone => EventTypes::default(),
            CompiledAudience::Where(condition) => condition.event_types().clone(),
        },
        audience,
        flow_events: flow.event_types(),
        flow,
        consent_defaults: Arc::clone(consent_defaults),
        spec: spec.clone(),
    })
}

fn listeners(
    spec: &ScenarioSpec,
    sources: &Sources,
    local: &Arc<LocalDefaults>,
    report: &mut Report<'_>,
) -> Vec<Listener> {
    let mut listeners = Vec::with_capacity(spec.triggers.len());
    for (index, entry) in spec.triggers.iter().enumerate() {
        let scope = Scope {
            place: Place::Trigger,
            triggers: scope::trigger(&entry.trigger_ref.name, sources).into_iter().collect(),
            local: Arc::clone(local),
        };
        let path = format!("spec.triggers[{index}].where");
        // Without its trigger no name of it could be checked; that it is missing is said already.
        let source = entry.condition.as_ref().filter(|_| !scope.triggers.is_empty());
        let condition = source.and_then(|source| report.condition(&path, source, &scope));
        listeners.push(Listener { trigger: TriggerName::new(entry.trigger_ref.name.as_str()), condition });
    }
    listeners
}

fn audience(spec: &ScenarioSpec, scope: &Scope, report: &mut Report<'_>) -> Option<CompiledAudience> {
    match (&spec.audience.condition, &spec.audience.everyone) {
        (Some(source), None) => {
            let condition = report.condition("spec.audience.where", source, scope)?;
            if !condition.needs_customer() {
                report.warn(
                    "spec.audience.where",
                    "nothing here is about the customer, so that a call reaches everyone or nobody; write it as the \
                     trigger's `where`, and here what must hold of a customer, or `everyone: {}`",
                );
            }
            Some(CompiledAudience::Where(condition))
        }
        (None, Some(_)) => Some(CompiledAudience::Everyone),
        _ => report.refuse("spec.audience", "exactly one of where and everyone must be set"),
    }
}

fn consent_defaults(sources: &Sources) -> BTreeMap<String, bool> {
    let declared = sources.runtime.iter().flat_map(|runtime| &runtime.consents);
    declared.map(|entry| (entry.category.clone(), entry.unless_said == ConsentAssumption::Given)).collect()
}
