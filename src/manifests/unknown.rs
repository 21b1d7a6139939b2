//! Fields that no kind has: a typo must not go unnoticed.

use serde_json::Value;

use super::path::{child, index};
use super::schema::Violation;

/// What the metadata of any object may hold.
const METADATA: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Reports every field of an object of our kinds that its schema does not have.
pub(super) fn find(schema: &Value, object: &Value, out: &mut Vec<Violation>) {
    let root = ["apiVersion", "kind", "metadata", "spec", "status"];
    report(object, &root, "", out);
    find_in_metadata(object, out);
    for part in ["spec", "status"] {
        find_below(&schema["properties"][part], &object[part], part, out);
    }
}

/// Reports every unknown field of the metadata.
pub(super) fn find_in_metadata(object: &Value, out: &mut Vec<Violation>) {
    report(&object["metadata"], METADATA, "metadata", out);
}

/// Reports every member that is not among the known ones.
pub(super) fn report(object: &Value, known: &[&str], field: &str, out: &mut Vec<Violation>) {
    let names = || object.as_object().into_iter().flat_map(|members| members.keys());
    let unknown = || names().filter(|name| !known.contains(&name.as_str()));
    let is_cut = unknown().any(|name| is_no_name(name));
    for name in unknown() {
        let message = if is_cut { CUT_AT_A_COMMA.to_owned() } else { message(name, known) };
        out.push(Violation::blocking(child(field, name), message));
    }
}

/// An expression within braces ends at its first comma, and YAML reads what follows as a field of its own.
const CUT_AT_A_COMMA: &str = "unknown field; within {…} and […], a value with a comma, a quote, a colon or a bracket \
    must be quoted, or put into a block behind `>-`";

/// Whether no field's name could be meant.
fn is_no_name(name: &str) -> bool {
    !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.' | '$'))
}

fn find_below(schema: &Value, value: &Value, field: &str, out: &mut Vec<Violation>) {
    if schema["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true) {
        return;
    }
    match value {
        Value::Object(members) => {
            let known: Vec<&str> = schema["properties"]
                .as_object()
                .into_iter()
                .flat_map(|p| p.keys().map(String::as_str))
                .collect();
            report(value, &known, field, out);
            for (name, value) in members.iter().filter(|(name, _)| known.contains(&name.as_str())) {
                find_below(&schema["properties"][name], value, &child(field, name), out);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                find_below(&schema["items"], item, &index(field, at), out);
            }
        }
        _ => {}
    }
}

/// Names the field that was probably meant, or all there are.
fn message(name: &str, known: &[&str]) -> String {
    let close =
        known.iter().map(|other| (distance(name, other), other)).min().filter(|(distance, _)| *distance <= 2);
    match close {
        Some((_, meant)) => format!("unknown field; did you mean `{meant}`?"),
        None if known.is_empty() => "unknown field; this object has none".to_owned(),
        None => format!("unknown field; there are {}", known.join(", ")),
    }
}

/// How many letters must be changed, added or removed to make one word of another.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
