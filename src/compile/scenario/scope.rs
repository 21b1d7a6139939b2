//! The parameters a scenario's sources may use, from its triggers as they are declared.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{ObjectKind, ObjectName, Sources};
use super::report::Report;
use crate::api::{ParameterType, ScenarioSpec};
use crate::domain::expression::{Declared, Scope, TriggerScope, nearest, needed_parameters};
use crate::domain::render::{SampleParameter, Samples};
use crate::domain::value::Kind;

/// The triggers a scenario lists, each once; one that does not exist is an error, and the only one: what it would
/// declare is not known.
pub(super) fn triggers(spec: &ScenarioSpec, sources: &Sources, report: &mut Report<'_>) -> Vec<TriggerScope> {
    let mut known: Vec<TriggerScope> = Vec::new();
    for (index, entry) in spec.triggers.iter().enumerate() {
        let name = &entry.trigger_ref.name;
        match trigger(name, sources) {
            Some(scope) if known.iter().any(|known| known.name == scope.name) => {}
            Some(scope) => known.push(scope),
            None => {
                let declared = sources.triggers.keys().map(String::as_str);
                let message = missing(sources, ObjectKind::ApiTrigger, name, declared);
                let _: Option<()> = report.refuse(format!("spec.triggers[{index}].triggerRef.name"), message);
                let name = name.clone();
                known.push(TriggerScope { name, parameters: BTreeMap::new(), is_missing: true });
            }
        }
    }
    known
}

/// A trigger's parameters.
pub(super) fn trigger(name: &str, sources: &Sources) -> Option<TriggerScope> {
    let spec = sources.triggers.get(name)?;
    let parameters =
        spec.parameters.iter().map(|parameter| (parameter.name.clone(), declared(parameter.r#type)));
    Some(TriggerScope { name: name.to_owned(), parameters: parameters.collect(), is_missing: false })
}

/// What the calls of the triggers and the customers may hold. What the conditions need is never missing.
pub(super) fn samples(spec: &ScenarioSpec, scope: &Scope, sources: &Sources) -> Samples {
    let of_audience = spec.audience.condition.as_deref().map(|source| needed_parameters(source, scope));
    let of_trigger = |trigger: &TriggerScope| {
        let declared_by = sources.triggers.get(&trigger.name)?;
        let mut needed = of_audience.clone().unwrap_or_default();
        let entries = spec.triggers.iter().filter(|entry| entry.trigger_ref.name == trigger.name);
        let conditions: Vec<_> = entries.map(|entry| entry.condition.as_deref()).collect();
        // Of a trigger that is listed twice, either condition lets a call in.
        if let [Some(condition)] = conditions.as_slice() {
            needed.extend(needed_parameters(condition, scope));
        }
        let parameters = declared_by.parameters.iter().map(|parameter| {
            let is_there = parameter.required || parameter.default.is_some();
            let may_be_missing = !is_there && !needed.contains(&parameter.name);
            (
                parameter.name.clone(),
                SampleParameter { kind: declared(parameter.r#type).kind, may_be_missing },
            )
        });
        Some((trigger.name.clone(), parameters.collect()))
    };
    let triggers = scope.triggers.iter().filter_map(of_trigger).collect();
    Samples { triggers, attributes: Arc::clone(&sources.attributes) }
}

/// That an object does not exist, and which one may be meant; or that it is there, but wrong itself.
pub(super) fn missing<'n>(
    sources: &Sources,
    kind: ObjectKind,
    name: &str,
    known: impl Iterator<Item = &'n str>,
) -> String {
    if sources.wrong.contains(&ObjectName { kind, name: name.to_owned() }) {
        return format!("{kind} {name} is there, but wrong itself; correct that first");
    }
    match nearest(name, known) {
        Some(near) => format!("there is no {kind} {name}; did you mean {near}?"),
        None => format!("there is no {kind} {name}; apply it, or correct the name"),
    }
}

fn declared(parameter: ParameterType) -> Declared {
    let (kind, word) = match parameter {
        ParameterType::String => (Kind::Text, "string"),
        ParameterType::Number => (Kind::Number, "number"),
        ParameterType::Integer => (Kind::Number, "integer"),
        ParameterType::Boolean => (Kind::Boolean, "boolean"),
        ParameterType::Timestamp => (Kind::Timestamp, "timestamp"),
        ParameterType::List => (Kind::List, "list"),
        ParameterType::Object => (Kind::Object, "object"),
    };
    Declared { kind, word }
}
