//! Lists whose elements must differ: `x-kubernetes-list-type` map (by its keys) and set.

use serde_json::Value;

use super::path::{child, index};
use super::schema::Violation;

/// Reports every element that repeats an earlier one.
pub(super) fn validate(schema: &Value, value: &Value, field: &str, out: &mut Vec<Violation>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                validate(&schema["properties"][name], value, &child(field, name), out);
            }
        }
        Value::Array(items) => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array();
            match (schema["x-kubernetes-list-type"].as_str(), keys) {
                (Some("set"), _) => repeated(items, field, out),
                (Some("map"), Some(keys)) => repeated_keys(items, keys, field, out),
                _ => {}
            }
            for (at, item) in items.iter().enumerate() {
                validate(&schema["items"], item, &index(field, at), out);
            }
        }
        _ => {}
    }
}

fn repeated_keys(items: &[Value], keys: &[Value], field: &str, out: &mut Vec<Violation>) {
    if let Some(at) = items.iter().position(|item| !item.is_object() && !item.is_null()) {
        return out.push(Violation::other(index(field, at), "must be an object"));
    }
    let key = |item: &Value| -> Value {
        keys.iter().filter_map(Value::as_str).map(|key| item[key].clone()).collect()
    };
    let keys: Vec<Value> = items.iter().map(key).collect();
    repeated(&keys, field, out);
}

/// The API server names each value that repeats once, at its second place.
fn repeated(values: &[Value], field: &str, out: &mut Vec<Violation>) {
    for (at, value) in values.iter().enumerate() {
        if values[..at].iter().filter(|earlier| *earlier == value).count() == 1 {
            out.push(Violation::other(index(field, at), format!("stands here for the second time: {value}")));
        }
    }
}
