//! The CEL rules of our definitions, evaluated as the API server evaluates them.

use std::collections::BTreeMap;

use kube_cel::{CompiledSchema, Validator, compile_schema};
use serde_json::Value;

use super::schema::{self, Violation};
use crate::compile::ObjectKind;

thread_local! {
    static RULES: Rules = Rules::new();
}

struct Rules {
    validator: Validator,
    schemas: BTreeMap<ObjectKind, CompiledSchema>,
}

impl Rules {
    fn new() -> Self {
        use ObjectKind::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};
        let compiled =
            |kind| (kind, compile_schema(schema::of(kind).expect("every kind of ours has a schema")));
        let schemas = [Runtime, ApiTrigger, Scenario, Channel, ApiKey].map(compiled).into();
        Self { validator: Validator::new(), schemas }
    }
}

/// Every rule that does not hold. `old` is the object as it was, for the rules about what cannot be changed.
pub(super) fn validate(kind: ObjectKind, object: &Value, old: Option<&Value>, out: &mut Vec<Violation>) {
    RULES.with(|rules| {
        let Some(schema) = rules.schemas.get(&kind) else { return };
        let Err(errors) = rules.validator.validate_compiled(schema, object, old) else { return };
        out.extend(errors.into_iter().map(|error| Violation::other(error.field_path, error.message)));
    });
}
