//! The example a trigger shows: a payload that it accepts, and a command that sends it.

use serde_json::{Value, json};

use crate::api::{ApiTriggerSpec, Parameter, ParameterType};
use crate::domain::expression::{Expression, RequestPath};

/// A payload with every parameter's example; one without gets a default, an allowed value, or one of its type.
///
/// A parameter that a mapping takes from elsewhere stands at the first path that the mapping reads, as in
/// `body.ends or body.expires`; what a mapping makes of it, only a call shows.
pub(super) fn payload(
    spec: &ApiTriggerSpec,
    mapping: &[Option<Expression>],
    for_each: Option<&Expression>,
) -> Value {
    let (mut body, mut element) = (json!({}), json!({}));
    for (parameter, from) in spec.parameters.iter().zip(mapping) {
        let value = example(parameter);
        match from.as_ref().map(Expression::request_paths).as_deref() {
            None if for_each.is_some() => put(&mut element, std::slice::from_ref(&parameter.name), value),
            None => put(&mut body, std::slice::from_ref(&parameter.name), value),
            Some([path, ..]) if path.of_element => put(&mut element, &path.names, listed(path, value)),
            Some([path, ..]) => put(&mut body, &path.names, listed(path, value)),
            Some([]) => {}
        }
    }
    if let Some([path]) = for_each.map(Expression::request_paths).as_deref() {
        put(&mut body, &path.names, json!([element]));
    }
    body
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

fn example(parameter: &Parameter) -> Value {
    let first_allowed = || {
        let first = parameter.r#enum.as_ref()?.first()?.clone();
        Some(if parameter.r#type == ParameterType::List { json!([first]) } else { first })
    };
    let declared = parameter.example.clone().or_else(|| parameter.default.clone()).or_else(first_allowed);
    declared.unwrap_or_else(|| of_type(parameter))
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
