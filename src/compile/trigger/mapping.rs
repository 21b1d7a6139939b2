//! Where parameters come from: `from` and `forEach`, and which fields of a body they make known.

use std::collections::BTreeSet;

use super::{Findings, KnownFields};
use crate::api::ApiTriggerSpec;
use crate::domain::expression::{Declared, Expression, Place, TriggerScope};
use crate::domain::params::{DeclaredParameter, ParameterKind};
use crate::domain::value::Kind;

/// Names and types of the parameters, as expressions see them.
pub(super) fn scope(name: &str, parameters: &[DeclaredParameter]) -> TriggerScope {
    let declared = |parameter: &DeclaredParameter| {
        let (kind, word) = seen(parameter.kind);
        (parameter.name.to_string(), Declared { kind, word })
    };
    TriggerScope {
        name: name.to_owned(),
        parameters: parameters.iter().map(declared).collect(),
        is_missing: false,
    }
}

fn seen(kind: ParameterKind) -> (Kind, &'static str) {
    match kind {
        ParameterKind::String => (Kind::Text, "string"),
        ParameterKind::Number => (Kind::Number, "number"),
        ParameterKind::Integer => (Kind::Number, "integer"),
        ParameterKind::Boolean => (Kind::Boolean, "boolean"),
        ParameterKind::Timestamp => (Kind::Timestamp, "timestamp"),
        ParameterKind::List => (Kind::List, "list"),
        ParameterKind::Object => (Kind::Object, "object"),
    }
}

/// Each parameter's `from`, in their order.
pub(super) fn compile_all(spec: &ApiTriggerSpec, findings: &mut Findings<'_>) -> Vec<Option<Expression>> {
    let place = if spec.for_each.is_some() { Place::Element } else { Place::Request };
    let scope = findings.scope(place, Vec::new());
    let mut mapping = Vec::with_capacity(spec.parameters.len());
    for (index, parameter) in spec.parameters.iter().enumerate() {
        let path = format!("spec.parameters[{index}].from");
        let source = parameter.from.as_deref();
        mapping.push(source.and_then(|source| findings.expression(&path, source, &scope)));
    }
    mapping
}

pub(super) fn for_each(spec: &ApiTriggerSpec, findings: &mut Findings<'_>) -> Option<Expression> {
    let source = spec.for_each.as_deref()?;
    let scope = findings.scope(Place::Request, Vec::new());
    findings.expression("spec.forEach", source, &scope)
}

/// The fields that a call may bring where unknown ones are refused.
pub(super) fn known_fields(
    parameters: &[DeclaredParameter],
    mapping: &[Option<Expression>],
    of_element: bool,
) -> KnownFields {
    let named = parameters.iter().zip(mapping).filter(|(_, from)| from.is_none());
    let names = named.map(|(parameter, _)| parameter.name.to_string()).collect();
    read_by(mapping.iter().flatten(), of_element, names)
}

/// The fields of the body around the elements of a `forEach`. Without one nothing is around them.
pub(super) fn known_around(mapping: &[Option<Expression>], for_each: Option<&Expression>) -> KnownFields {
    match for_each {
        Some(for_each) => read_by(mapping.iter().flatten().chain([for_each]), false, BTreeSet::new()),
        None => KnownFields::All,
    }
}

/// These fields, and those that the expressions read.
fn read_by<'a>(
    expressions: impl Iterator<Item = &'a Expression>,
    of_element: bool,
    mut known: BTreeSet<String>,
) -> KnownFields {
    for path in expressions.flat_map(Expression::request_paths).filter(|path| path.of_element == of_element) {
        match path.names.into_iter().next() {
            Some(field) => known.insert(field),
            None => return KnownFields::All,
        };
    }
    KnownFields::Named(known)
}
