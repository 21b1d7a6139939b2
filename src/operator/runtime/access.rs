//! Who a runtime's processes are, and what they may read: exactly the Secrets they need, by name.

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::{PolicyRule, Role};
use serde_json::{Value, json};

use super::shape::Shape;
use crate::api::GROUP;
use crate::operator::context::Context;
use crate::operator::error::ReconcileError;

/// The Secrets that the processes may read. Of an object that this version cannot read, its last good version stays in
/// force with the Secrets that it refers to: what the Role names already, and such a one may refer to, it names further.
pub(super) async fn secrets(
    context: &Context,
    namespace: &str,
    role: &str,
) -> Result<BTreeSet<String>, ReconcileError> {
    let space = context.namespace(namespace);
    let mut secrets = space.secrets();
    if space.hides_references() {
        let found = context.api::<Role>(namespace).get_opt(role).await;
        let found = found.map_err(ReconcileError::api(format!("get Role {role}")))?;
        let rules = found.and_then(|role| role.rules).unwrap_or_default();
        secrets.extend(named_in(rules).filter(|secret| space.may_refer_to(secret)));
    }
    Ok(secrets)
}

/// The Secrets that rules name.
fn named_in(rules: Vec<PolicyRule>) -> impl Iterator<Item = String> {
    let of_secrets = |rule: &PolicyRule| rule.resources.iter().flatten().any(|it| it == "secrets");
    rules.into_iter().filter(of_secrets).flat_map(|rule| rule.resource_names.unwrap_or_default())
}

/// Who its processes are. Made first: their Pods name its UID.
pub(super) fn account(shape: &Shape<'_>) -> Value {
    shape.object("v1", "ServiceAccount", json!({ "automountServiceAccountToken": false }))
}

/// What its processes may read.
pub(super) fn objects(shape: &Shape<'_>) -> [Value; 2] {
    let role = shape.object("rbac.authorization.k8s.io/v1", "Role", json!({ "rules": rules(shape) }));
    let binding = json!({
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": shape.child() },
        "subjects": [{ "kind": "ServiceAccount", "name": shape.child(), "namespace": shape.namespace }],
    });
    [role, shape.object("rbac.authorization.k8s.io/v1", "RoleBinding", binding)]
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
