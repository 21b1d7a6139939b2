//! The example a trigger shows: a payload that it accepts, and a command that sends it.

use serde_json::{Value, json};

use crate::api::{ApiTriggerSpec, Parameter, ParameterType};

/// A payload with every parameter's example; one without gets a default, an allowed value, or one of its type.
///
/// A parameter that is taken from elsewhere by `from` is not a field of the payload by its name.
pub(super) fn payload(spec: &ApiTriggerSpec) -> Value {
    let fields = spec.parameters.iter().filter(|parameter| parameter.from.is_none());
    fields.map(|parameter| (parameter.name.clone(), example(parameter))).collect()
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
