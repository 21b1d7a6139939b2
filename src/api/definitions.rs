//! The CustomResourceDefinitions of all kinds, as `fanfare crds` prints them and `crds/` holds them.
//!
//! What the derive cannot say is put in here: the status of an object nobody has seen yet, what an object may be
//! called (its name is part of names and URLs made from it), and that an explicit `null` means "left out".

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::status::NEVER_OBSERVED;
use super::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};

/// How long a name may be, and what it consists of.
const OF_OTHERS: (u64, &str) = (63, "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$");
/// Of `<name>-runtime` a Service is made, whose name begins with a letter, and a StatefulSet, whose Pods carry
/// `<name>-runtime-<hash>`, at most 63 characters with a hash of 10, as a label.
const OF_RUNTIMES: (u64, &str) = (44, "^[a-z]([-a-z0-9]*[a-z0-9])?$");

/// The definitions of all kinds as JSON, in the order of their names in the documentation.
pub fn definitions() -> Vec<Value> {
    [Runtime::crd(), ApiTrigger::crd(), Scenario::crd(), Channel::crd(), ApiKey::crd()]
        .iter()
        .map(definition)
        .collect()
}

/// The schema of one kind (`openAPIV3Schema`), or none if the kind is not ours.
pub fn schema_of(kind: &str) -> Option<Value> {
    let definition = definitions().into_iter().find(|crd| crd["spec"]["names"]["kind"] == kind)?;
    Some(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
}

fn definition(crd: &CustomResourceDefinition) -> Value {
    let mut crd = serde_json::to_value(crd).expect("a definition is plain data with text keys");
    let (longest, pattern) = if crd["spec"]["names"]["kind"] == "Runtime" { OF_RUNTIMES } else { OF_OTHERS };
    let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    tidy(schema);
    leave_items_alone(schema, false);
    // Else `kubectl explain` says that the kind was derived.
    schema["description"] = schema["properties"]["spec"]["description"].clone();
    schema["properties"]["metadata"] = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "maxLength": longest, "pattern": pattern }
        }
    });
    schema["properties"]["status"]["default"] = json!({ "observedGeneration": NEVER_OBSERVED });
    // One order, so that a field's place in the source changes nothing here.
    crd.sort_all_objects();
    crd
}

/// Removes what the derive adds and the API server makes worse errors of: `nullable` of every optional field (without
/// it, an explicit `null` is dropped and the field is left out) and the format of integers that have bounds of their own.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("nullable") == Some(&Value::Bool(true)) {
                members.remove("nullable");
            }
            if matches!(members.get("format").and_then(Value::as_str), Some("int32" | "int64")) {
                members.remove("format");
            }
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// Removes defaults below the items of lists. What reads the kinds has them too; written into an item, `kubectl apply` takes
/// the list for another one than that of the manifest, and says each time that the object was configured.
fn leave_items_alone(schema: &mut Value, is_item: bool) {
    let Some(members) = schema.as_object_mut() else { return };
    if is_item {
        members.remove("default");
    }
    // A property may have the name of a member: `default`, say.
    for property in members.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        leave_items_alone(property.1, is_item);
    }
    if let Some(items) = members.get_mut("items") {
        leave_items_alone(items, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Visits every schema below one, with its path.
    fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
        visit(path, schema);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            walk(&format!("{path}.{name}"), property, visit);
        }
        if schema["items"].is_object() {
            walk(&format!("{path}[]"), &schema["items"], visit);
        }
    }

    fn each(part: &str, mut visit: impl FnMut(&str, &Value)) {
        for definition in definitions() {
            let kind = definition["spec"]["names"]["kind"].as_str().unwrap();
            let schema = schema_of(kind).unwrap();
            walk(&format!("{kind}.{part}"), &schema["properties"][part], &mut visit);
        }
    }

    #[test]
    fn an_item_of_a_list_stays_as_it_was_written() {
        each("spec", |path, schema| {
            assert!(!path.contains("[]") || schema["default"].is_null(), "{path}: {schema}");
        });
        let smtp = &schema_of("Channel").unwrap()["properties"]["spec"]["properties"]["smtp"];
        assert_eq!(smtp["properties"]["tls"]["default"], "StartTls");
    }

    #[test]
    fn a_kind_is_explained_in_words() {
        for kind in ["Runtime", "ApiTrigger", "Scenario", "Channel", "ApiKey"] {
            let text = schema_of(kind).unwrap()["description"].as_str().unwrap().to_owned();
            assert!(!text.contains("derived") && text.ends_with('.'), "{kind}: {text}");
        }
    }

    #[test]
    fn everything_a_person_writes_has_a_bound_and_a_description() {
        each("spec", |path, schema| {
            let bounded = match schema["type"].as_str() {
                Some("string") => schema["maxLength"].is_u64() || schema["enum"].is_array(),
                Some("array") => schema["maxItems"].is_u64(),
                Some("integer") => schema["minimum"].is_number() && schema["maximum"].is_number(),
                Some("object") => schema["additionalProperties"].is_null(),
                _ => true,
            };
            assert!(bounded, "{path}: {schema}");
            assert!(schema["description"].is_string() || path.ends_with("[]"), "{path} has no description");
        });
    }

    #[test]
    fn the_schemas_use_only_what_validate_knows() {
        const KNOWN: &[&str] = &[
            "default",
            "description",
            "enum",
            "format",
            "items",
            "maxItems",
            "maxLength",
            "maximum",
            "minItems",
            "minLength",
            "minimum",
            "pattern",
            "properties",
            "required",
            "type",
            "x-kubernetes-list-map-keys",
            "x-kubernetes-list-type",
            "x-kubernetes-preserve-unknown-fields",
            "x-kubernetes-validations",
        ];
        let mut strays = Vec::new();
        let mut check = |path: &str, schema: &Value| {
            let keywords = schema.as_object().unwrap().keys();
            strays.extend(
                keywords.filter(|word| !KNOWN.contains(&word.as_str())).map(|word| format!("{path}: {word}")),
            );
            // A format is checked by nobody, and only the status, which `validate` does not look at, has one.
            assert!(schema.get("format").is_none() || path.contains(".status"), "{path} has a format");
        };
        each("spec", &mut check);
        each("status", &mut check);
        assert!(strays.is_empty(), "teach `manifests::schema` these first: {strays:?}");
    }
}
