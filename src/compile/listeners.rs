//! Who listens to a trigger, found by what the filters on its params require: a call looks at the scenarios that may
//! fire for it, not at each that listens.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Scenario;
use crate::api::State;
use crate::domain::expression::RequiredText;
use crate::domain::name::{ScenarioName, TriggerName};
use crate::domain::params::Params;
use crate::domain::value::Value;

/// The scenarios of a snapshot by the triggers that they listen to; their names, as a snapshot counts who shares them.
#[derive(Debug, Default)]
pub struct Listeners(BTreeMap<TriggerName, OfTrigger>);

/// The scenarios that listen to one trigger.
#[derive(Debug, Default)]
struct OfTrigger {
    /// Those that must be asked at each call.
    any: Vec<ScenarioName>,
    /// Those that fire only where a param is one of their texts, by the param.
    by_param: BTreeMap<Arc<str>, ByText>,
}

#[derive(Debug, Default)]
struct ByText {
    scenarios: Vec<ScenarioName>,
    /// Where they stand in that list.
    places: BTreeMap<Arc<str>, Vec<usize>>,
}

impl Listeners {
    pub(super) fn of(scenarios: &BTreeMap<ScenarioName, Arc<Scenario>>) -> Self {
        let mut listeners = Listeners::default();
        for scenario in scenarios.values() {
            let mut triggers: Vec<&TriggerName> = scenario.listeners.iter().map(|it| &it.trigger).collect();
            triggers.sort_unstable();
            triggers.dedup();
            for trigger in triggers {
                listeners
                    .0
                    .entry(trigger.clone())
                    .or_default()
                    .add(&scenario.name, required(scenario, trigger));
            }
        }
        listeners
    }

    /// The scenarios that may fire for a call with these params; and, a list for each param, those that require another text
    /// of it. All in the order of their names.
    pub fn candidates(
        &self,
        trigger: &TriggerName,
        params: &Params,
    ) -> (Vec<&ScenarioName>, Vec<Vec<&ScenarioName>>) {
        let Some(of_trigger) = self.0.get(trigger) else { return (Vec::new(), Vec::new()) };
        let mut candidates: Vec<&ScenarioName> = of_trigger.any.iter().collect();
        let mut elsewhere = Vec::new();
        for (param, by_text) in &of_trigger.by_param {
            let places = match params.get(param.as_ref()) {
                Some(Value::Text(text)) => by_text.places.get(text).map_or(&[][..], Vec::as_slice),
                _ => &[],
            };
            candidates.extend(places.iter().map(|place| &by_text.scenarios[*place]));
            let others = by_text.scenarios.iter().enumerate();
            let others = others.filter(|(place, _)| places.binary_search(place).is_err());
            elsewhere.push(others.map(|(_, name)| name).collect());
        }
        candidates.sort_unstable();
        (candidates, elsewhere)
    }
}

impl OfTrigger {
    fn add(&mut self, scenario: &ScenarioName, required: Option<RequiredText>) {
        let Some(RequiredText { param, mut texts }) = required else {
            self.any.push(scenario.clone());
            return;
        };
        texts.sort_unstable();
        texts.dedup();
        let by_text = self.by_param.entry(param).or_default();
        for text in texts {
            by_text.places.entry(text).or_default().push(by_text.scenarios.len());
        }
        by_text.scenarios.push(scenario.clone());
    }
}

/// What a scenario requires of the trigger's params. One that is not active does not fire for another reason.
fn required(scenario: &Scenario, trigger: &TriggerName) -> Option<RequiredText> {
    if scenario.state != State::Active {
        return None;
    }
    let mut conditions = scenario
        .listeners
        .iter()
        .filter(|it| it.trigger == *trigger)
        .map(|it| it.condition.as_ref()?.required_text());
    let first = conditions.next()??;
    conditions.try_fold(first, |all, its| all.or(its?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::compile::{Sources, compile};
    use crate::domain::params::params_from_stored;

    /// Scenarios that listen to one trigger with these filters, named s0, s1, ….
    fn listeners(filters: &[&str]) -> Listeners {
        let mut sources = Sources { namespace: "default".into(), ..Sources::default() };
        let trigger =
            json!({"parameters": [{"name": "kind", "type": "string"}, {"name": "n", "type": "number"}]});
        sources.triggers.insert("alert".into(), serde_json::from_value(trigger).unwrap());
        sources.channels.insert("out".into(), serde_json::from_value(json!({"log": {}})).unwrap());
        for (number, filter) in filters.iter().enumerate() {
            let triggers: Vec<_> = filter
                .split(';')
                .map(|filter| json!({"triggerRef": {"name": "alert"}, "where": filter}))
                .collect();
            let message = json!({"channelRef": {"name": "out"}, "consent": "None", "log": {"text": "hello"}});
            let scenario = json!({
                "triggers": triggers, "state": if filter.contains("draft") { "Draft" } else { "Active" },
                "audience": {"where": "customer.age > 18"}, "nodes": [{"name": "tell", "message": message}],
            });
            sources.scenarios.insert(format!("s{number}"), serde_json::from_value(scenario).unwrap());
        }
        let compilation = compile(&sources);
        assert!(compilation.problems.is_empty(), "{:?}", compilation.problems);
        compilation.snapshot.listeners
    }

    fn candidates(listeners: &Listeners, trigger: &str, params: serde_json::Value) -> (String, usize) {
        let params = params_from_stored(&[], params.as_object().unwrap());
        let (names, elsewhere) = listeners.candidates(&TriggerName::new(trigger), &params);
        let names: Vec<&str> = names.into_iter().map(ScenarioName::as_str).collect();
        (names.join(" "), elsewhere.iter().map(Vec::len).sum())
    }

    #[test]
    fn a_call_is_matched_with_those_that_may_fire() {
        let listeners = listeners(&[
            "params.kind == 'snow'",
            "params.kind == 'rain'",
            "params.kind in ['snow', 'rain', 'snow']",
            "params.n > 3",
            "params.kind == 'rain'; params.kind == 'snow'",
            "params.kind == 'rain'; params.n > 3",
            "params.kind == 'draft'",
        ]);
        let of = |params| candidates(&listeners, "alert", params);
        assert_eq!(of(json!({"kind": "snow"})), ("s0 s2 s3 s4 s5 s6".into(), 1));
        assert_eq!(of(json!({"kind": "rain"})), ("s1 s2 s3 s4 s5 s6".into(), 1));
        assert_eq!(of(json!({"kind": "hail"})), ("s3 s5 s6".into(), 4));
        assert_eq!(of(json!({"kind": 7})), ("s3 s5 s6".into(), 4));
        assert_eq!(of(json!({})), ("s3 s5 s6".into(), 4));
        assert_eq!(candidates(&listeners, "other", json!({"kind": "snow"})), (String::new(), 0));
    }
}
