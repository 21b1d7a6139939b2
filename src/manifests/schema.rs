//! Checks a value against a structural schema as the API server does: the same verdict at the same field paths.
//!
//! Only what our own definitions use is here; a test holds that they use nothing else.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::path::{child, index};
use crate::api::definitions;
use crate::compile::ObjectKind;

/// Something a value violates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// The field path.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// Whether the API server then leaves the CEL rules unchecked.
    pub blocking: bool,
}

impl Violation {
    pub fn blocking(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), blocking: true }
    }

    pub fn other(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), blocking: false }
    }
}

static SCHEMAS: LazyLock<BTreeMap<ObjectKind, Value>> = LazyLock::new(|| {
    use ObjectKind::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};
    let schema = |kind: ObjectKind| {
        (kind, definitions::schema_of(&kind.to_string()).expect("every kind has a definition"))
    };
    [Runtime, ApiTrigger, Scenario, Channel, ApiKey].map(schema).into()
});

static PATTERNS: LazyLock<BTreeMap<String, Regex>> = LazyLock::new(|| {
    let mut patterns = BTreeMap::new();
    SCHEMAS.values().for_each(|schema| collect_patterns(schema, &mut patterns));
    patterns
});

/// The schema of one of our kinds.
pub(super) fn of(kind: ObjectKind) -> Option<&'static Value> {
    SCHEMAS.get(&kind)
}

/// Everything the value violates, in the order of the fields' names.
pub(super) fn validate(schema: &Value, value: &Value, field: &str, out: &mut Vec<Violation>) {
    if let Some(problem) = wrong_type(schema, value) {
        return out.push(Violation::blocking(field, problem));
    }
    match value {
        Value::String(text) => check_text(schema, text, field, out),
        Value::Number(number) => check_number(schema, number.as_f64().unwrap_or(f64::NAN), field, out),
        Value::Array(items) => check_list(schema, items, field, out),
        Value::Object(_) => check_object(schema, value, field, out),
        Value::Null | Value::Bool(_) => {}
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed.iter().map(shown).collect();
        out.push(Violation::blocking(
            field,
            format!("must be one of {}; it is {}", allowed.join(", "), shown(value)),
        ));
    }
}

fn check_text(schema: &Value, text: &str, field: &str, out: &mut Vec<Violation>) {
    let length = text.chars().count() as u64;
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        return out.push(Violation::blocking(
            field,
            format!("must have at most {most} characters; it has {length}"),
        ));
    }
    if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
        let message = if least == 1 {
            "must not be empty".to_owned()
        } else {
            format!("must have at least {least} characters")
        };
        return out.push(Violation::other(field, message));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && PATTERNS.get(pattern).is_some_and(|regex| !regex.is_match(text))
    {
        out.push(Violation::other(field, format!("must match {pattern}")));
    }
}

fn check_number(schema: &Value, number: f64, field: &str, out: &mut Vec<Violation>) {
    if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
        out.push(Violation::other(field, format!("must be at most {most}")));
    }
    if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
        out.push(Violation::other(field, format!("must be at least {least}")));
    }
}

fn check_list(schema: &Value, items: &[Value], field: &str, out: &mut Vec<Violation>) {
    for (at, item) in items.iter().enumerate() {
        validate(&schema["items"], item, &index(field, at), out);
    }
    let count = items.len() as u64;
    if let Some(least) = schema["minItems"].as_u64().filter(|least| count < *least) {
        out.push(Violation::other(field, format!("must have at least {least} element(s)")));
    }
    if let Some(most) = schema["maxItems"].as_u64().filter(|most| count > *most) {
        out.push(Violation::blocking(field, format!("must have at most {most} elements; it has {count}")));
    }
}

fn check_object(schema: &Value, object: &Value, field: &str, out: &mut Vec<Violation>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = object.get(name) {
            validate(property, value, &child(field, name), out);
        }
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in required.filter(|name| object.get(name).is_none()) {
        out.push(Violation::blocking(child(field, name), "is required"));
    }
}

/// Says so if the value is not of the schema's type. A field without a type takes anything.
fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    let wanted = schema["type"].as_str()?;
    let fits = match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => true,
    };
    if fits {
        return None;
    }
    let quoted = wanted == "string" && (value.is_boolean() || value.is_number());
    let remedy = if quoted { "; quote it if a text is meant" } else { "" };
    Some(format!("must be {}, not {}{remedy}", with_article(wanted), described(value)))
}

fn with_article(kind: &str) -> &str {
    match kind {
        "object" => "an object",
        "array" => "a list",
        "string" => "a text",
        "boolean" => "true or false",
        "number" => "a number",
        "integer" => "a whole number",
        other => other,
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(truth) => format!("the boolean {truth}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn collect_patterns(schema: &Value, patterns: &mut BTreeMap<String, Regex>) {
    match schema {
        Value::Object(members) => {
            if let Some(pattern) = members.get("pattern").and_then(Value::as_str) {
                patterns.insert(pattern.to_owned(), Regex::new(pattern).expect("our own patterns are valid"));
            }
            members.values().for_each(|member| collect_patterns(member, patterns));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_patterns(item, patterns)),
        _ => {}
    }
}
