//! Who a runtime's processes are, and what they may read: exactly the Secrets they need, by name.

use serde_json::{Value, json};

use super::shape::Shape;
use crate::api::GROUP;

pub(super) fn objects(shape: &Shape<'_>) -> [Value; 3] {
    let account = shape.object("v1", "ServiceAccount", json!({ "automountServiceAccountToken": false }));
    let role = shape.object("rbac.authorization.k8s.io/v1", "Role", json!({ "rules": rules(shape) }));
    let binding = json!({
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": shape.child() },
        "subjects": [{ "kind": "ServiceAccount", "name": shape.child(), "namespace": shape.namespace }],
    });
    [account, role, shape.object("rbac.authorization.k8s.io/v1", "RoleBinding", binding)]
}

fn rules(shape: &Shape<'_>) -> Vec<Value> {
    let read = ["get", "list", "watch"];
    let kinds = ["apikeys", "apitriggers", "channels", "runtimes", "scenarios"];
    let mut rules = vec![
        json!({ "apiGroups": [GROUP], "resources": kinds, "verbs": read }),
        json!({ "apiGroups": [""], "resources": ["configmaps", "services"], "verbs": read }),
        json!({ "apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"] }),
    ];
    // A rule without names would be one for every Secret.
    if !shape.secrets.is_empty() {
        rules.push(json!({
            "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": shape.secrets,
        }));
    }
    rules
}
