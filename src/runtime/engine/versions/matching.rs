//! Which scenarios of a version fire for a call, and why the others that listen to its trigger do not.

use std::sync::Arc;

use super::bound_scenario::CallScenario;
use crate::api::State;
use crate::compile::{Scenario, Snapshot};
use crate::domain::expression::{CallFacts, Condition, Facts, Truth};
use crate::domain::name::{ChannelName, ScenarioName};
use crate::domain::params::{Params, params_from_stored};
use crate::runtime::engine::live::{BoundScenario, Version};
use crate::store::calls::AcceptedCall;
use crate::store::runs::{Matched, UnmatchedScenario};

/// Of more scenarios that require something else of one param, one is named with its reason, and the others are counted:
/// thousands may listen, and each call keeps what it says of them.
const ONE_BY_ONE: usize = 50;

/// A version in force, once or still.
pub(super) struct CompiledVersion {
    pub snapshot: Arc<Snapshot>,
    /// Part of every delivery's key.
    pub tenant: Arc<str>,
}

impl Version for CompiledVersion {
    fn match_call(&self, call: &AcceptedCall) -> Matched {
        let mut matched = Matched::default();
        let params = Arc::new(params_of(&self.snapshot, call));
        let mut ask = |name: &ScenarioName, more| {
            let Some(scenario) = self.snapshot.scenarios.get(name) else { return };
            match refusal(scenario, &facts_of(scenario, call, &params), call) {
                None => matched.fired.push(scenario.name.clone()),
                Some(reason) => {
                    matched.not_fired.push(UnmatchedScenario {
                        scenario: scenario.name.clone(),
                        reason,
                        more,
                    });
                }
            }
        };
        let (candidates, elsewhere) = self.snapshot.listeners.candidates(&call.trigger, &params);
        candidates.into_iter().for_each(|name| ask(name, 0));
        for others in elsewhere {
            match others.as_slice() {
                [first, more @ ..] if more.len() >= ONE_BY_ONE => ask(first, more.len()),
                few => few.iter().for_each(|name| ask(name, 0)),
            }
        }
        for (name, left_out) in &self.snapshot.left_out {
            if left_out.triggers.contains(call.trigger.as_str()) {
                let reason = format!("it is not in force: {}", left_out.problem);
                matched.not_fired.push(UnmatchedScenario {
                    scenario: ScenarioName::new(name.as_str()),
                    reason,
                    more: 0,
                });
            }
        }
        matched.not_fired.sort_by(|one, other| one.scenario.cmp(&other.scenario));
        matched
    }

    fn bind(&self, call: &AcceptedCall, scenario: &ScenarioName) -> Option<Arc<dyn BoundScenario>> {
        let scenario = self.snapshot.scenarios.get(scenario)?;
        let facts = facts_of(scenario, call, &Arc::new(params_of(&self.snapshot, call)));
        Some(Arc::new(CallScenario::new(Arc::clone(scenario), facts, &self.tenant)))
    }

    fn sends_by(&self, scenario: &ScenarioName, channel: &ChannelName) -> bool {
        self.snapshot
            .scenarios
            .get(scenario)
            .is_some_and(|scenario| scenario.flow.channels().contains(channel))
    }
}

fn params_of(snapshot: &Snapshot, call: &AcceptedCall) -> Params {
    let parameters = snapshot.triggers.get(&call.trigger).map_or(&[][..], |trigger| &trigger.parameters);
    params_from_stored(parameters, &call.params)
}

/// What every decision about the call may look at.
fn facts_of(scenario: &Scenario, call: &AcceptedCall, params: &Arc<Params>) -> CallFacts {
    CallFacts {
        id: call.id.clone(),
        trigger: call.trigger.clone(),
        received_at: call.received_at,
        params: Arc::clone(params),
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
