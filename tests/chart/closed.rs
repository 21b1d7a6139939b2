//! The schema of the values: closed everywhere, so that a typo is an error, and as complete as the values.

use serde_json::Value;

use crate::cluster::file;

/// What Kubernetes itself checks, and what belongs to others.
const OPEN: [&str; 8] = [
    "/global",
    "/affinity",
    "/env/items",
    "/tolerations/items",
    "/topologySpreadConstraints/items",
    "/resources/claims/items",
    "/networkPolicy/metricsFrom/items",
    "/",
];

fn walk(schema: &Value, path: &str, open: &mut Vec<String>) {
    if schema["type"] == "object" {
        match &schema["additionalProperties"] {
            Value::Bool(false) => {}
            Value::Object(_) if schema["maxProperties"].is_number() => {}
            _ => open.push(path.to_owned()),
        }
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        walk(below, &format!("{path}/{name}"), open);
    }
    if schema["items"].is_object() {
        assert!(schema["maxItems"].is_number(), "{path} has no bound");
        walk(&schema["items"], &format!("{path}/items"), open);
    }
}

fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(file(&format!("charts/fanfare/{name}"))).unwrap();
    serde_yaml_ng::from_str(&text).unwrap()
}

#[test]
fn nothing_unknown_is_taken() {
    let mut open = Vec::new();
    walk(&read("values.schema.json"), "", &mut open);
    open.retain(|path| !OPEN.contains(&path.as_str()));
    assert!(open.is_empty(), "close these: {open:?}");
}

/// Names at every depth that the schema knows.
fn names(value: &Value, schema: &Value, path: &str, missing: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, below) in properties {
        let path = format!("{path}.{name}");
        match value.get(name) {
            Some(value) => names(value, below, &path, missing),
            None => missing.push(path),
        }
    }
}

#[test]
fn every_value_of_the_schema_has_a_default() {
    let mut missing = Vec::new();
    names(&read("values.yaml"), &read("values.schema.json"), "", &mut missing);
    missing.retain(|path| path != ".global" && path != ".resources.claims");
    assert!(missing.is_empty(), "values.yaml lacks {missing:?}");
}
