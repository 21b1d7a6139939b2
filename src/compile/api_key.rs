//! A shared key and what may be done with it; its secret is elsewhere.
//!
//! A public key stands in a page for everyone to read, so every trigger it may call must limit its calls.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::confined::confined;
use super::problem::Severity;
use super::{ObjectKind, ObjectName, Problem, Problems, Sources, Trigger, rotation_schedule};
use crate::api::{ApiKeySpec, KeyType, Origin, Permission as Declared, TrackName, TrackRules};
use crate::domain::credentials::{KeyPermission, Permissions, TrackScope, normal_origin};
use crate::domain::name::TriggerName;
use crate::domain::secret::Secret;

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
    /// The origins of the pages that it stands in.
    pub origins: Arc<HashSet<String>>,
    /// What it may write of customers, without the secrets that prove them; `None` for all.
    pub track: Option<TrackScope>,
}

impl ApiKey {
    /// What it may write of customers, where these are the secrets of the key that proves them.
    pub fn track_scope(&self, secrets: impl FnOnce(&str) -> Vec<Secret>) -> Option<Arc<TrackScope>> {
        let scope = self.track.clone()?;
        let secrets = scope.proven_by.as_deref().map(secrets).unwrap_or_default();
        Some(Arc::new(TrackScope { secrets, ..scope }))
    }
}

pub(super) fn compile_all(
    sources: &Sources,
    triggers: &BTreeMap<TriggerName, Arc<Trigger>>,
    problems: &mut Problems,
) -> BTreeMap<String, Arc<ApiKey>> {
    let mut compiled = BTreeMap::new();
    for (name, spec) in &sources.api_keys {
        let object = ObjectName { kind: ObjectKind::ApiKey, name: name.clone() };
        let key = confined(&object, problems, |problems| {
            for (severity, path, message) in findings(spec, sources, triggers) {
                problems.push(Problem { object: object.clone(), path, span: None, severity, message });
            }
            compile(name, spec)
        });
        if let Some(key) = key.filter(|_| !problems.has_errors(&object)) {
            compiled.insert(name.clone(), Arc::new(key));
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
        origins: Arc::new(spec.origins.iter().map(|Origin(origin)| normal_origin(origin)).collect()),
        track: (spec.r#type == KeyType::Public)
            .then(|| spec.track.as_ref().map(track_scope).unwrap_or_default()),
        spec: spec.clone(),
    }
}

fn permission(declared: Declared) -> KeyPermission {
    match declared {
        Declared::Trigger => KeyPermission::Trigger,
        Declared::Track => KeyPermission::Track,
        Declared::ReadLog => KeyPermission::ReadLog,
        Declared::ReadCustomers => KeyPermission::ReadCustomers,
        Declared::Control => KeyPermission::Control,
    }
}

fn track_scope(rules: &TrackRules) -> TrackScope {
    let names = |listed: &[TrackName]| listed.iter().map(|TrackName(name)| name.clone()).collect();
    TrackScope {
        proven_by: Some(rules.proven_by.name.clone()),
        secrets: Vec::new(),
        events: names(&rules.events),
        attributes: names(&rules.attributes),
        ids: names(&rules.ids),
        consents: names(&rules.consents),
    }
}

/// The attributes by which messages find a customer unless a message says otherwise.
const ADDRESSES: [&str; 2] = ["email", "phone"];

fn track_findings(spec: &ApiKeySpec, sources: &Sources) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |severity, path: &str, message| found.push((severity, path.to_owned(), message));
    let may_track = spec.r#type == KeyType::Public && spec.permissions.contains(&Declared::Track);
    let Some(rules) = &spec.track else {
        if may_track {
            let message = "a Public key can be read by anyone, so it may write only what spec.track lists: without it, nothing";
            say(Severity::Warning, "spec.permissions", message.to_owned());
        }
        return found;
    };
    let name = &rules.proven_by.name;
    match sources.api_keys.get(name) {
        Some(key) if key.r#type == KeyType::Public => {
            let message =
                format!("ApiKey {name:?} is Public, so anyone could make proofs with it; name a Private one");
            say(Severity::Error, "spec.track.provenBy", message);
        }
        Some(_) => {}
        None if sources.wrong.contains(&ObjectName { kind: ObjectKind::ApiKey, name: name.clone() }) => {}
        None => {
            let message = format!("there is no ApiKey {name:?} in this namespace (yet)");
            say(Severity::Warning, "spec.track.provenBy", message);
        }
    }
    for (index, TrackName(attribute)) in rules.attributes.iter().enumerate() {
        if ADDRESSES.contains(&attribute.as_str()) {
            let message = format!(
                "whoever is logged in to the page may change {attribute}, and with it where messages go"
            );
            say(Severity::Warning, &format!("spec.track.attributes[{index}]"), message);
        }
    }
    found
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
    found.extend(track_findings(spec, sources));
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
    if spec.track.is_some()
        && (spec.r#type != KeyType::Public || !spec.permissions.contains(&Declared::Track))
    {
        error("track is for a Public key with the permission Track; a Private one may write everything");
    }
    if !spec.origins.is_empty() && spec.r#type != KeyType::Public {
        error("origins is for a Public key; a Private one must not stand in a page");
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
    fn a_public_key_writes_what_it_lists_of_whom_a_private_one_proves() {
        let key = |track| json!({"type": "Public", "permissions": ["Track"], "track": track});
        let said = problems(json!({"type": "Public", "permissions": ["Track"]}));
        assert!(said.len() == 1 && said[0].contains("without it, nothing"), "{said:?}");
        let said = problems(key(json!({"provenBy": {"name": "shop"}, "attributes": ["size", "email"]})));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("spec.track.provenBy: there is no ApiKey \"shop\""));
        assert!(said[1].starts_with("spec.track.attributes[1]: whoever is logged in"));
        let said = problems(key(json!({"provenBy": {"name": "key"}})));
        assert!(said.len() == 1 && said[0].contains("is Public, so anyone could make proofs"), "{said:?}");
        let private = json!({"permissions": ["Track"], "track": {"provenBy": {"name": "shop"}}, "origins": ["https://a.b"]});
        assert!(problems(private).iter().filter(|said| said.starts_with("spec: ")).count() == 2);
    }

    #[test]
    fn a_schedule_that_cannot_be_kept_is_refused() {
        let key = |every| json!({"permissions": ["ReadLog"], "rotation": {"every": every, "overlap": "1h"}});
        assert_eq!(problems(key("1d")), Vec::<String>::new());
        assert_eq!(problems(key("0s")), ["spec.rotation.every: must be at least 1m"]);
    }
}
