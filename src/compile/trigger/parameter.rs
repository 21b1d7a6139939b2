//! Declared parameters: names that are one, patterns that compile, and values of the declared type.

use std::collections::HashSet;

use super::Findings;
use crate::api::{Parameter as Declared, ParameterType};
use crate::domain::params::{Allowed, DeclaredParameter, PATTERNS_BYTES_MAX, ParameterKind, Pattern, Raw};
use crate::domain::value::{Number, Value};

pub(super) fn compile_all(declared: &[Declared], findings: &mut Findings<'_>) -> Vec<DeclaredParameter> {
    let mut names = HashSet::new();
    let mut parameters = Vec::with_capacity(declared.len());
    let mut bytes_left = PATTERNS_BYTES_MAX;
    for (index, declared) in declared.iter().enumerate() {
        let path = format!("spec.parameters[{index}]");
        if !names.insert(declared.name.as_str()) {
            let name = &declared.name;
            findings.error(&path, format!("the parameter {name:?} is declared twice"));
        }
        parameters.push(compile(declared, &path, &mut bytes_left, findings));
    }
    parameters
}

fn compile(
    declared: &Declared,
    path: &str,
    bytes_left: &mut usize,
    findings: &mut Findings<'_>,
) -> DeclaredParameter {
    let kind = kind(declared.r#type);
    let mut parameter = DeclaredParameter {
        name: declared.name.as_str().into(),
        kind,
        required: declared.required,
        default: None,
        allowed: allowed(declared, kind, path, findings),
        pattern: pattern(declared, path, bytes_left, findings),
        minimum: bound(declared.minimum.as_ref(), &format!("{path}.minimum"), findings),
        maximum: bound(declared.maximum.as_ref(), &format!("{path}.maximum"), findings),
    };
    let bounded = declared.minimum.is_some() || declared.maximum.is_some();
    if bounded && !matches!(kind, ParameterKind::Number | ParameterKind::Integer) {
        findings.error(path, "minimum and maximum are for type: number and integer");
    }
    if let (Some(minimum), Some(maximum)) = (parameter.minimum, parameter.maximum)
        && minimum > maximum
    {
        findings.error(path, "minimum must not exceed maximum");
    }
    parameter.default = fitting(&parameter, declared.default.as_ref(), &format!("{path}.default"), findings);
    fitting(&parameter, declared.example.as_ref(), &format!("{path}.example"), findings);
    parameter
}

/// The kind that a manifest's word means.
pub(super) fn kind(declared: ParameterType) -> ParameterKind {
    match declared {
        ParameterType::String => ParameterKind::String,
        ParameterType::Number => ParameterKind::Number,
        ParameterType::Integer => ParameterKind::Integer,
        ParameterType::Boolean => ParameterKind::Boolean,
        ParameterType::Timestamp => ParameterKind::Timestamp,
        ParameterType::List => ParameterKind::List,
        ParameterType::Object => ParameterKind::Object,
    }
}

/// A default or an example must pass the very checks that a call's value passes.
fn fitting(
    parameter: &DeclaredParameter,
    value: Option<&serde_json::Value>,
    path: &str,
    findings: &mut Findings<'_>,
) -> Option<Value> {
    let value = value?;
    match parameter.read(Raw::Json(value)) {
        Ok(read) => read,
        Err(wrong) => {
            findings.error(path, mismatch(parameter.kind, &wrong.expected, value));
            None
        }
    }
}

/// The allowed values, each of the parameter's type; of a list, any: they are its elements'.
fn allowed(
    declared: &Declared,
    kind: ParameterKind,
    path: &str,
    findings: &mut Findings<'_>,
) -> Option<Allowed> {
    let values = declared.r#enum.as_ref()?;
    let unruled = DeclaredParameter {
        name: "enum".into(),
        kind,
        required: true,
        default: None,
        allowed: None,
        pattern: None,
        minimum: None,
        maximum: None,
    };
    let mut allowed = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let read = match kind {
            ParameterKind::List => Value::from_json(value).ok().flatten(),
            _ => unruled.read(Raw::Json(value)).ok().flatten(),
        };
        match read {
            Some(read) => allowed.push(read),
            None => {
                findings.error(format!("{path}.enum[{index}]"), mismatch(kind, kind.expected(), value));
            }
        }
    }
    Some(Allowed::new(allowed))
}

/// A text that YAML reads as something else is what people get wrong most, so the remedy is named.
fn mismatch(kind: ParameterKind, expected: &str, value: &serde_json::Value) -> String {
    let remedy = match (kind, value.is_number() || value.is_boolean() || value.is_null()) {
        (ParameterKind::String, true) => format!("; YAML read {value} here: quote it if a text is meant"),
        _ => String::new(),
    };
    format!("must be {expected}, found {value}{remedy}")
}

fn pattern(
    declared: &Declared,
    path: &str,
    bytes_left: &mut usize,
    findings: &mut Findings<'_>,
) -> Option<Pattern> {
    let text = declared.pattern.as_ref()?;
    if declared.r#type != ParameterType::String {
        findings.error(path, "pattern is for type: string");
    }
    match Pattern::new(text, bytes_left) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            findings.error(
                format!("{path}.pattern"),
                format!("is not a regular expression that can be used: {error}"),
            );
            None
        }
    }
}

fn bound(declared: Option<&serde_json::Number>, path: &str, findings: &mut Findings<'_>) -> Option<Number> {
    let declared = declared?;
    match Number::from_json(declared) {
        Ok(number) => Some(number),
        Err(error) => {
            findings.error(path, error.to_string());
            None
        }
    }
}
