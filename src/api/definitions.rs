//! The CustomResourceDefinitions of all kinds, as `fanfare crds` prints them and `crds/` holds them.
//!
//! Two things the derive cannot say are put in here: the status of an object nobody has seen yet, and that an
//! explicit `null` is refused instead of being taken for "left out".

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::status::NEVER_OBSERVED;
use super::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};

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
    let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    refuse_null(schema);
    schema["properties"]["status"]["default"] = json!({ "observedGeneration": NEVER_OBSERVED });
    crd
}

/// Removes `nullable`, which stands for every optional field: `else:` with nothing behind it is a mistake.
fn refuse_null(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("nullable") == Some(&Value::Bool(true)) {
                members.remove("nullable");
            }
            members.values_mut().for_each(refuse_null);
        }
        Value::Array(items) => items.iter_mut().for_each(refuse_null),
        _ => {}
    }
}
