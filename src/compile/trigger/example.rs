//! The example a trigger shows: a payload that it accepts, and a command that sends it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Findings;
use crate::api::{ApiTriggerSpec, Parameter, ParameterType};
use crate::domain::expression::{Expression, Facts, RequestFacts, RequestPath, Steps};
use crate::domain::params::{DeclaredParameter, Raw};
use crate::domain::value;

/// What the mappings of one trigger may cost together over its example, in units of a byte looked at: a few tens of
/// milliseconds. The operator evaluates them for every namespace.
const EXAMPLE_UNITS_MAX: u64 = 4 * 1024 * 1024;

/// What an example is made from.
pub(super) struct Parts<'a> {
    pub spec: &'a ApiTriggerSpec,
    pub rules: &'a [DeclaredParameter],
    pub mapping: &'a [Option<Expression>],
    pub for_each: Option<&'a Expression>,
}

/// A payload with every parameter's example; one without gets a default, an allowed value, or one of its type.
///
/// A parameter that a mapping takes from elsewhere stands at the first path that the mapping reads, as in
/// `body.ends or body.expires`. What no value can be found for is left out, and named if a call needs it.
pub(super) fn payload(parts: &Parts<'_>, findings: &mut Findings<'_>) -> Value {
    // What is wrong is said already, and this is not shown.
    if findings.failed() {
        return json!({});
    }
    let mut left_out = parts.unfit(findings);
    let underivable = parts.underivable(&parts.written(&left_out), &left_out);
    for (index, cost) in underivable {
        if let Some(cost) = cost {
            findings
                .error(format!("spec.parameters[{index}].from"), format!("with the example body, {cost}"));
            continue;
        }
        findings.warning(
            format!("spec.parameters[{index}].from"),
            "no example body can be made for this, so the example call leaves it out; try the trigger with a body as \
             its caller sends it",
        );
        left_out.insert(index);
    }
    let (mut body, element) = parts.written(&left_out);
    if let Some([path]) = parts.for_each.map(Expression::request_paths).as_deref() {
        put(&mut body, &path.names, json!([element]));
    }
    body
}

impl Parts<'_> {
    /// Parameters whose rules no invented value keeps: optional ones can be left out, others need an example.
    fn unfit(&self, findings: &mut Findings<'_>) -> BTreeSet<usize> {
        let mut left_out = BTreeSet::new();
        for (index, (parameter, rules)) in self.spec.parameters.iter().zip(self.rules).enumerate() {
            let Err(wrong) = rules.read(Raw::Json(&self.example(parameter))) else { continue };
            if declared(parameter).is_some() {
                continue;
            }
            if parameter.required {
                let message = format!(
                    "must be {}: give it an `example`, or the example call is refused",
                    wrong.expected
                );
                findings.warning(format!("spec.parameters[{index}]"), message);
            } else {
                left_out.insert(index);
            }
        }
        left_out
    }

    /// Parameters that the mapping would not find, or find empty, in what the example puts at its path; with the
    /// reason where it costs more than it may.
    fn underivable(
        &self,
        (body, element): &(Value, Value),
        left_out: &BTreeSet<usize>,
    ) -> Vec<(usize, Option<String>)> {
        let value = |json: &Value| value::Value::from_json(json).ok().flatten();
        let request = RequestFacts { body: value(body), item: value(element), ..RequestFacts::default() };
        let facts = Facts::of_request(&request, Timestamp::UNIX_EPOCH);
        let steps = Steps::new(EXAMPLE_UNITS_MAX);
        let mut lost = Vec::new();
        for (index, (from, parameter)) in self.mapping.iter().zip(&self.spec.parameters).enumerate() {
            let Some(from) = from.as_ref().filter(|_| !left_out.contains(&index)) else { continue };
            let wanted = self.example(parameter) != json!([]) && !from.request_paths().is_empty();
            match from.evaluate_within(facts, &steps) {
                Err(reason) if reason.is_cost() => lost.push((index, Some(reason.to_string()))),
                Ok(Some(value::Value::List(items))) if items.is_empty() && wanted => lost.push((index, None)),
                Ok(None) | Err(_) if wanted => lost.push((index, None)),
                Ok(_) | Err(_) => {}
            }
        }
        lost
    }

    /// The body and the element of a `forEach`, not yet in it.
    fn written(&self, left_out: &BTreeSet<usize>) -> (Value, Value) {
        let (mut body, mut element) = (json!({}), json!({}));
        for (index, (parameter, from)) in self.spec.parameters.iter().zip(self.mapping).enumerate() {
            if left_out.contains(&index) {
                continue;
            }
            let value = self.example(parameter);
            match from.as_ref().map(Expression::request_paths).as_deref() {
                None if self.for_each.is_some() => {
                    put(&mut element, std::slice::from_ref(&parameter.name), value);
                }
                None => put(&mut body, std::slice::from_ref(&parameter.name), value),
                Some([path, ..]) if path.of_element => put(&mut element, &path.names, listed(path, value)),
                Some([path, ..]) => put(&mut body, &path.names, listed(path, value)),
                Some([]) => {}
            }
        }
        (body, element)
    }

    fn example(&self, parameter: &Parameter) -> Value {
        // A call must not have expired by the time that somebody tries the example.
        let expires = self.spec.expires.as_ref().is_some_and(|expires| expires.at.is_some());
        declared(parameter).unwrap_or_else(|| match parameter.r#type {
            ParameterType::Timestamp if expires => json!("2099-01-31T18:00:00Z"),
            _ => of_type(parameter),
        })
    }
}

/// What stands behind an index is the first of a list.
fn listed(path: &RequestPath, value: Value) -> Value {
    if path.goes_on { json!([value]) } else { value }
}

/// Puts a value at the end of a way of names, unless something else already stands on it.
fn put(target: &mut Value, names: &[String], value: Value) {
    let Some((first, rest)) = names.split_first() else {
        if target.as_object().is_some_and(serde_json::Map::is_empty) {
            *target = value;
        }
        return;
    };
    if let Value::Object(members) = target {
        put(members.entry(first.as_str()).or_insert_with(|| json!({})), rest, value);
    }
}

/// The example, the default or the first allowed value.
fn declared(parameter: &Parameter) -> Option<Value> {
    let first_allowed = || {
        let first = parameter.r#enum.as_ref()?.first()?.clone();
        Some(if parameter.r#type == ParameterType::List { json!([first]) } else { first })
    };
    parameter.example.clone().or_else(|| parameter.default.clone()).or_else(first_allowed)
}

fn of_type(parameter: &Parameter) -> Value {
    let bound = || parameter.minimum.clone().or_else(|| parameter.maximum.clone()).map(Value::Number);
    match parameter.r#type {
        ParameterType::String => json!("text"),
        ParameterType::Number => bound().unwrap_or_else(|| json!(1.5)),
        ParameterType::Integer => bound().unwrap_or_else(|| json!(1)),
        ParameterType::Boolean => json!(true),
        ParameterType::Timestamp => json!("2026-01-31T18:00:00Z"),
        ParameterType::List => json!(["text"]),
        ParameterType::Object => json!({}),
    }
}

/// A command that sends the example. `credentials` is what follows `--user`: a shell's reading of a Secret, or the
/// words themselves where they are only shown to the one who runs it.
pub fn curl(url: &str, credentials: &str, example: &Value) -> String {
    let body = example.to_string().replace('\'', r"'\''");
    format!("curl --fail-with-body --user {credentials} --json '{body}' '{url}'")
}
