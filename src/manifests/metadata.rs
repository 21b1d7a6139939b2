//! What the API server asks of every object's metadata.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::path::child;
use super::schema::Violation;

/// Annotations may hold so many bytes in all, keys and values.
const MAX_ANNOTATIONS: usize = 256 * 1024;

static NAME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"));
static NAMESPACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"));
static KEY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"));
static LABEL: LazyLock<Regex> = LazyLock::new(|| pattern(r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is valid")
}

/// Fields whose type is wrong, which the client already refuses.
pub(super) fn wrong_types(object: &Value, out: &mut Vec<Violation>) {
    let metadata = &object["metadata"];
    if !metadata.is_object() {
        return out.push(Violation::blocking("metadata", "must be an object with a name"));
    }
    for name in ["name", "namespace", "generateName"] {
        if metadata.get(name).is_some_and(|value| !value.is_string() && !value.is_null()) {
            out.push(Violation::blocking(child("metadata", name), "must be a text; quote it"));
        }
    }
    for name in ["labels", "annotations"] {
        let field = child("metadata", name);
        match metadata.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::Object(entries)) => {
                let wrong = entries.iter().filter(|(_, value)| !value.is_string() && !value.is_null());
                out.extend(
                    wrong.map(|(key, _)| Violation::blocking(child(&field, key), "must be a text; quote it")),
                );
            }
            Some(_) => out.push(Violation::blocking(field, "must be names with texts")),
        }
    }
}

/// What is wrong with the name, the namespace, labels and annotations.
pub(super) fn validate(object: &Value, out: &mut Vec<Violation>) {
    let metadata = &object["metadata"];
    match metadata["name"].as_str() {
        None | Some("") => out.push(Violation::blocking("metadata.name", "is required")),
        Some(name) if name.len() > 253 || !NAME.is_match(name) => {
            let message = "must consist of lowercase letters, digits, `-` and `.`, and begin and end with a letter or digit";
            out.push(Violation::other("metadata.name", message));
        }
        Some(_) => {}
    }
    if let Some(namespace) = metadata["namespace"].as_str().filter(|name| !name.is_empty())
        && (namespace.len() > 63 || !NAMESPACE.is_match(namespace))
    {
        out.push(Violation::other("metadata.namespace", "must consist of lowercase letters, digits and `-`"));
    }
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !is_qualified(key) || value.len() > 63 || !LABEL.is_match(value) {
            out.push(Violation::other("metadata.labels", format!("`{key}: {value}` is no label")));
        }
    }
    validate_annotations(&metadata["annotations"], out);
}

fn validate_annotations(annotations: &Value, out: &mut Vec<Violation>) {
    let entries = || annotations.as_object().into_iter().flatten();
    for (key, _) in entries().filter(|(key, _)| !is_qualified(&key.to_lowercase())) {
        out.push(Violation::other("metadata.annotations", format!("`{key}` is no annotation's name")));
    }
    let size: usize =
        entries().map(|(key, value)| key.len() + value.as_str().unwrap_or_default().len()).sum();
    if size > MAX_ANNOTATIONS {
        out.push(Violation::blocking(
            "metadata.annotations",
            format!("must hold at most {MAX_ANNOTATIONS} bytes in all"),
        ));
    }
}

/// `name` or `domain/name`.
fn is_qualified(key: &str) -> bool {
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    domain.is_none_or(|domain| domain.len() <= 253 && NAME.is_match(domain))
        && name.len() <= 63
        && KEY.is_match(name)
}
