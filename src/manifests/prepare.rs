//! What the API server does to an object before it checks it: nulls that mean "left out" go, defaults come.

use serde_json::{Map, Value};

use super::schema;
use crate::compile::ObjectKind;

/// Removes explicit nulls and fills in defaults. Objects that are not of our kinds stay as they are.
pub(super) fn as_stored(kind: ObjectKind, object: &mut Value) {
    let Some(schema) = schema::of(kind) else { return };
    // The status is the operator's; what a manifest says of it is dropped.
    let status = object.as_object_mut().and_then(|members| members.remove("status"));
    if let Some(spec) = object.get_mut("spec") {
        fill(&schema["properties"]["spec"], spec);
    }
    drop_null_spec(object);
    if let (Some(members), Some(status)) = (object.as_object_mut(), status) {
        members.insert("status".to_owned(), status);
    }
}

fn drop_null_spec(object: &mut Value) {
    if let Some(members) = object.as_object_mut()
        && members.get("spec").is_some_and(Value::is_null)
    {
        members.remove("spec");
    }
}

fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                fill_members(properties, members);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(&schema["items"], item)),
        _ => {}
    }
}

fn fill_members(properties: &Map<String, Value>, members: &mut Map<String, Value>) {
    members.retain(|name, value| !(value.is_null() && properties.contains_key(name)));
    for (name, property) in properties {
        if let (Some(default), false) = (property.get("default"), members.contains_key(name)) {
            members.insert(name.clone(), default.clone());
        }
        if let Some(value) = members.get_mut(name) {
            fill(property, value);
        }
    }
}
