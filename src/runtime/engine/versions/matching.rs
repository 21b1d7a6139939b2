//! Which scenarios of a version fire for a call, and why the others that listen to its trigger do not.

use std::sync::Arc;

use super::bound_scenario::CallScenario;
use crate::api::State;
use crate::compile::{Scenario, Snapshot};
use crate::domain::expression::{CallFacts, Condition, Facts, Truth};
use crate::domain::name::{ChannelName, ScenarioName};
use crate::domain::params::params_from_stored;
use crate::runtime::engine::live::{BoundScenario, Version};
use crate::store::calls::AcceptedCall;
use crate::store::runs::Matched;

/// A version in force, once or still.
pub(super) struct CompiledVersion {
    pub snapshot: Arc<Snapshot>,
    /// Part of every delivery's key.
    pub tenant: Arc<str>,
}

impl Version for CompiledVersion {
    fn match_call(&self, call: &AcceptedCall) -> Matched {
        let mut matched = Matched::default();
        for scenario in self.snapshot.scenarios.values() {
            let listens = scenario.listeners.iter().any(|listener| listener.trigger == call.trigger);
            if !listens {
                continue;
            }
            match refusal(scenario, &facts_of(&self.snapshot, scenario, call), call) {
                None => matched.fired.push(scenario.name.clone()),
                Some(reason) => matched.not_fired.push((scenario.name.clone(), reason)),
            }
        }
        for (name, left_out) in &self.snapshot.left_out {
            if left_out.triggers.contains(call.trigger.as_str()) {
                let reason = format!("it is not in force: {}", left_out.problem);
                matched.not_fired.push((ScenarioName::new(name.as_str()), reason));
            }
        }
        matched
    }

    fn bind(&self, call: &AcceptedCall, scenario: &ScenarioName) -> Option<Arc<dyn BoundScenario>> {
        let scenario = self.snapshot.scenarios.get(scenario)?;
        let facts = facts_of(&self.snapshot, scenario, call);
        Some(Arc::new(CallScenario::new(Arc::clone(scenario), facts, &self.tenant)))
    }

    fn sends_by(&self, scenario: &ScenarioName, channel: &ChannelName) -> bool {
        self.snapshot
            .scenarios
            .get(scenario)
            .is_some_and(|scenario| scenario.flow.channels().contains(channel))
    }
}

/// What every decision about the call may look at.
fn facts_of(snapshot: &Snapshot, scenario: &Scenario, call: &AcceptedCall) -> CallFacts {
    let parameters = snapshot.triggers.get(&call.trigger).map_or(&[][..], |trigger| &trigger.parameters);
    CallFacts {
        id: call.id.clone(),
        trigger: call.trigger.clone(),
        received_at: call.received_at,
        params: Arc::new(params_from_stored(parameters, &call.params)),
        consent_defaults: Arc::clone(&scenario.consent_defaults),
    }
}

/// Why a scenario that listens does not fire; `None` if it does. One entry that holds is enough.
fn refusal(scenario: &Scenario, call: &CallFacts, accepted: &AcceptedCall) -> Option<String> {
    match scenario.state {
        State::Active => {}
        State::Draft => return Some("it is a draft".into()),
        State::Inactive => return Some("it is inactive".into()),
    }
    let facts = Facts::of_call(call, accepted.received_at);
    let mut reasons = Vec::new();
    for listener in scenario.listeners.iter().filter(|listener| listener.trigger == accepted.trigger) {
        match &listener.condition {
            None => return None,
            Some(condition) if condition.decide(facts).is_true() => return None,
            Some(condition) => reasons.push(told(condition, facts)),
        }
    }
    Some(reasons.join("; "))
}

/// The parts of a condition that kept it from holding, with the values they saw.
fn told(condition: &Condition, facts: Facts<'_>) -> String {
    let (truth, steps) = condition.explain(facts);
    let parts: Vec<&str> =
        steps.iter().filter(|step| !step.truth.is_true()).map(|step| step.text.as_str()).collect();
    let verdict = if matches!(truth, Truth::Unknown(_)) { "unknown" } else { "false" };
    match parts.as_slice() {
        [] => format!("`{}` is {verdict}", condition.source()),
        parts => format!("`{}` is {verdict}: {}", condition.source(), parts.join(", ")),
    }
}
