//! The CEL rules of our definitions, evaluated as the API server evaluates them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use kube_cel::{CompiledSchema, Validator, compile_schema};
use serde_json::Value;

use super::schema::{self, Violation};
use crate::compile::ObjectKind;

thread_local! {
    static VALIDATOR: Validator = Validator::new();
    /// Compiling a kind's rules takes longer than checking an object, so each is compiled once it is needed.
    static COMPILED: RefCell<BTreeMap<ObjectKind, Rc<CompiledSchema>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Every rule that does not hold. `old` is the object as it was, for the rules about what cannot be changed.
pub(super) fn validate(kind: ObjectKind, object: &Value, old: Option<&Value>, out: &mut Vec<Violation>) {
    let Some(rules) = rules_of(kind) else { return };
    let verdict = VALIDATOR.with(|validator| validator.validate_compiled(&rules, object, old));
    let errors = verdict.err().into_iter().flatten();
    out.extend(errors.map(|error| Violation::other(error.field_path, error.message)));
}

fn rules_of(kind: ObjectKind) -> Option<Rc<CompiledSchema>> {
    let schema = schema::of(kind)?;
    COMPILED.with_borrow_mut(|compiled| {
        Some(compiled.entry(kind).or_insert_with(|| Rc::new(compile_schema(schema))).clone())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_changed_is_found_against_the_object_as_it_was() {
        let runtime = |spec: Value| json!({ "metadata": { "name": "a" }, "spec": spec });
        let old = runtime(json!({ "storage": { "sqlite": { "size": "1Gi" } }, "tenant": "shop" }));
        let fields = |spec: Value| {
            let mut violations = Vec::new();
            validate(ObjectKind::Runtime, &runtime(spec), Some(&old), &mut violations);
            violations.into_iter().map(|violation| violation.field).collect::<Vec<_>>()
        };
        let empty: [&str; 0] = [];
        assert_eq!(fields(json!({ "storage": { "sqlite": { "size": "2Gi" } }, "tenant": "shop" })), empty);
        assert_eq!(fields(json!({ "storage": { "sqlite": { "size": "1Gi" } } })), ["spec.tenant"]);
        let moved = json!({ "storage": { "postgres": { "secretRef": { "name": "s" } } }, "tenant": "shop" });
        assert_eq!(fields(moved), ["spec.storage"]);
    }
}
