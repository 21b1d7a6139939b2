//! A shared key and what may be done with it; its secret is elsewhere.
//!
//! A public key stands in a page for everyone to read, so every trigger it may call must limit its calls.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::problem::Severity;
use super::{ObjectKind, ObjectName, Problem, Problems, Sources, Trigger, rotation_schedule};
use crate::api::{ApiKeySpec, KeyType, Permission as Declared};
use crate::domain::credentials::{Permission, Permissions};
use crate::domain::name::TriggerName;

/// A shared key and what may be done with it.
#[derive(Debug)]
pub struct ApiKey {
    /// Its name.
    pub name: String,
    /// As it was declared.
    pub spec: ApiKeySpec,
    /// Whether it is a token that may stand in a page.
    pub public: bool,
    /// What it may be used for.
    pub permissions: Permissions,
    /// The only triggers it may call; `None` for all.
    pub triggers: Option<HashSet<TriggerName>>,
}

pub(super) fn compile_all(
    sources: &Sources,
    triggers: &BTreeMap<TriggerName, Arc<Trigger>>,
    problems: &mut Problems,
) -> BTreeMap<String, Arc<ApiKey>> {
    let mut compiled = BTreeMap::new();
    for (name, spec) in &sources.api_keys {
        let object = ObjectName { kind: ObjectKind::ApiKey, name: name.clone() };
        for (severity, path, message) in findings(spec, sources, triggers) {
            problems.push(Problem { object: object.clone(), path, span: None, severity, message });
        }
        if !problems.has_errors(&object) {
            compiled.insert(name.clone(), Arc::new(compile(name, spec)));
        }
    }
    compiled
}

fn compile(name: &str, spec: &ApiKeySpec) -> ApiKey {
    let named = spec.triggers.iter().map(|reference| TriggerName::new(reference.name.as_str()));
    ApiKey {
        name: name.to_owned(),
        public: spec.r#type == KeyType::Public,
        permissions: spec.permissions.iter().copied().map(permission).collect(),
        triggers: (!spec.triggers.is_empty()).then(|| named.collect()),
        spec: spec.clone(),
    }
}

fn permission(declared: Declared) -> Permission {
    match declared {
        Declared::Trigger => Permission::Trigger,
        Declared::Track => Permission::Track,
        Declared::ReadLog => Permission::ReadLog,
        Declared::ReadCustomers => Permission::ReadCustomers,
        Declared::Control => Permission::Control,
    }
}

type Finding = (Severity, String, String);

fn findings(
    spec: &ApiKeySpec,
    sources: &Sources,
    triggers: &BTreeMap<TriggerName, Arc<Trigger>>,
) -> Vec<Finding> {
    let mut found = shape(spec);
    if let Some(Err((field, message))) = spec.rotation.as_ref().map(rotation_schedule) {
        found.push((Severity::Error, format!("spec.rotation.{field}"), message));
    }
    for (index, reference) in spec.triggers.iter().enumerate() {
        let (name, path) = (&reference.name, format!("spec.triggers[{index}]"));
        if sources.wrong.contains(&ObjectName { kind: ObjectKind::ApiTrigger, name: name.clone() }) {
            continue;
        }
        let Some(declared) = sources.triggers.get(name) else {
            // Keys and triggers are applied in any order: a key for a trigger to come is no error.
            let message = format!("there is no ApiTrigger {name:?} in this namespace (yet)");
            found.push((Severity::Warning, path, message));
            continue;
        };
        let limited =
            triggers.get(name.as_str()).map_or(declared.rate_window.is_some(), |t| t.rate.is_some());
        if spec.r#type == KeyType::Public && !limited {
            let message = format!(
                "a Public key can be read by anyone, so ApiTrigger {name:?} must set rateWindow to be called with it"
            );
            found.push((Severity::Error, path, message));
        }
    }
    found
}

/// The rules that the kind's schema states too.
fn shape(spec: &ApiKeySpec) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut error = |message: &str| found.push((Severity::Error, "spec".to_owned(), message.to_owned()));
    let triggers = spec.permissions.contains(&Declared::Trigger);
    if spec.r#type == KeyType::Public {
        if spec.permissions.iter().any(|it| !matches!(it, Declared::Track | Declared::Trigger)) {
            error("a Public key may only have the permissions Track and Trigger");
        }
        if triggers && spec.triggers.is_empty() {
            error("a Public key with the permission Trigger must list the triggers it may call");
        }
    }
    if !triggers && !spec.triggers.is_empty() {
        error("triggers narrows the permission Trigger, which this key does not have");
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::compile::{Sources, compile};

    fn problems(key: serde_json::Value) -> Vec<String> {
        let mut sources = Sources::default();
        let limited = json!({"rateWindow": {"calls": 10, "per": "1m"}});
        sources.triggers.insert("limited".into(), serde_json::from_value(limited).unwrap());
        sources.triggers.insert("open".into(), serde_json::from_value(json!({})).unwrap());
        sources.api_keys.insert("key".into(), serde_json::from_value(key).unwrap());
        let said = compile(&sources).problems.into_iter();
        said.map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
    }

    #[test]
    fn a_public_key_calls_only_what_is_limited() {
        let key =
            |trigger| json!({"type": "Public", "permissions": ["Trigger"], "triggers": [{"name": trigger}]});
        assert_eq!(problems(key("limited")), Vec::<String>::new());
        assert!(problems(key("open"))[0].starts_with("spec.triggers[0]: a Public key can be read by anyone"));
        assert!(problems(key("later"))[0].contains("(yet)"));
    }

    #[test]
    fn the_rules_of_the_schema_hold_here_too() {
        let said = problems(json!({"type": "Public", "permissions": ["ReadLog", "Trigger"]}));
        assert_eq!(said.len(), 2, "{said:?}");
        let said = problems(json!({"permissions": ["ReadLog"], "triggers": [{"name": "open"}]}));
        assert_eq!(said.len(), 1, "{said:?}");
    }

    #[test]
    fn a_schedule_that_cannot_be_kept_is_refused() {
        let key = |every| json!({"permissions": ["ReadLog"], "rotation": {"every": every, "overlap": "1h"}});
        assert_eq!(problems(key("1d")), Vec::<String>::new());
        assert_eq!(problems(key("0s")), ["spec.rotation.every: must be at least 1m"]);
    }
}
