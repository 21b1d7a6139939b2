//! What can be seen of an object: what it compiles to, its status, and the objects that were made for it.

use fanfare::compile::{Sources, compile, spec_digest};
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::bases::{bases, referred};

/// What can be seen of an object, without what changes with every look.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub status: Value,
    pub made: Vec<Value>,
    pub compiled: String,
    pub digest: String,
}

/// Objects of a kind in a namespace.
pub fn objects(client: &Client, version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// A status without times and generations.
pub fn status(object: &Value) -> Value {
    let mut status = object["status"].clone();
    let Some(members) = status.as_object_mut() else { return status };
    for name in [
        "observedGeneration",
        "generationInForce",
        "acceptedWith",
        "secretRevision",
        "rotatedAt",
        "readyReplicas",
    ] {
        members.remove(name);
    }
    // How far the Pods of a rollout have come is not for the operator to say.
    let is_of_pods = |reason: &Value| reason == "RollingOut";
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    // Nothing serves these objects: whether that is waited for, tried again or stalled, time alone decides.
    let is_unserved = |it: &Value| it["reason"] == "NoRuntime";
    let waits_for_a_runtime = conditions.iter().any(|it| it["type"] == "Ready" && is_unserved(it));
    let is_of_time =
        |it: &Value| waits_for_a_runtime && (it["type"] == "Reconciling" || it["type"] == "Stalled");
    let slim = conditions.iter().filter(|it| !is_of_time(it)).map(|it| {
        let message = if is_of_pods(&it["reason"]) || it["type"] == "Reconciling" {
            &Value::Null
        } else {
            &it["message"]
        };
        let status = if is_unserved(it) { &Value::Null } else { &it["status"] };
        json!({"type": it["type"], "status": status, "reason": it["reason"], "message": message})
    });
    members.insert("conditions".into(), slim.collect());
    status
}

/// The kinds of what is made for a Runtime.
const MADE: [(&str, &str); 11] = [
    ("v1", "ServiceAccount"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("v1", "Service"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("policy/v1", "PodDisruptionBudget"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("networking.k8s.io/v1", "Ingress"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
];

/// What was made for a Runtime, as it is declared.
pub async fn made(client: &Client, namespace: &str, name: &str) -> Vec<Value> {
    let mut made = Vec::new();
    for (version, kind) in MADE {
        let found =
            objects(client, version, kind, namespace).get_opt(&format!("{name}-runtime")).await.unwrap();
        let Some(found) = found else { continue };
        let spec = &found.data["spec"];
        made.push(json!({"kind": kind, "spec": spec, "rules": found.data["rules"], "labels": found.metadata.labels}));
    }
    without_scaled_replicas(made)
}

fn made_for_load(made: &[Value]) -> bool {
    made.iter().any(|it| it["kind"] == "HorizontalPodAutoscaler")
}

/// With an autoscaler, how many there are is the autoscaler's to say.
fn without_scaled_replicas(mut made: Vec<Value>) -> Vec<Value> {
    if made_for_load(&made) {
        let scaled = made.iter_mut().filter(|it| it["kind"] == "Deployment");
        scaled.for_each(|it| it["spec"]["replicas"] = Value::Null);
    }
    made
}

fn typed<S: DeserializeOwned + Serialize>(spec: &Value) -> Option<(S, String)> {
    let spec = serde_json::from_value::<S>(spec.clone()).ok()?;
    let digest = spec_digest(&spec);
    Some((spec, digest))
}

fn put(sources: &mut Sources, kind: &str, name: &str, spec: &Value) -> Option<String> {
    let name = name.to_owned();
    let (digest, _) = match kind {
        "ApiTrigger" => typed(spec).map(|(spec, digest)| (digest, drop(sources.triggers.insert(name, spec)))),
        "Channel" => typed(spec).map(|(spec, digest)| (digest, drop(sources.channels.insert(name, spec)))),
        "ApiKey" => typed(spec).map(|(spec, digest)| (digest, drop(sources.api_keys.insert(name, spec)))),
        "Scenario" => typed(spec).map(|(spec, digest)| (digest, drop(sources.scenarios.insert(name, spec)))),
        _ => typed(spec).map(|(spec, digest)| (digest, sources.runtime = Some(spec))),
    }?;
    Some(digest)
}

/// The digest of a spec, and what it compiles to together with what it refers to, but for the spec itself.
pub fn compiled(kind: &str, spec: &Value) -> (String, String) {
    let mut sources = Sources { namespace: "shop".into(), ..Sources::default() };
    for (kind, name, spec) in referred() {
        put(&mut sources, kind, name, &spec);
    }
    let texts = [("city", "\"{{ params.city }}\""), ("town", "\"{{ params.town }}\"")];
    let texts = texts.map(|(key, text)| (key.to_owned(), text.to_owned()));
    sources.texts.insert("texts".into(), texts.into());
    if kind == "Runtime" {
        let scenario = bases().into_iter().find(|base| base.kind == "Scenario").unwrap();
        put(&mut sources, "Scenario", "one", &scenario.spec);
    }
    let Some(digest) = put(&mut sources, kind, "one", spec) else { return Default::default() };
    let snapshot = compile(&sources).snapshot;
    let text = match kind {
        "ApiTrigger" => format!("{:#?}", snapshot.triggers.get("one")),
        "Channel" => format!("{:#?}", snapshot.channels.get("one")),
        "ApiKey" => format!("{:#?}", snapshot.api_keys.get("one")),
        _ => format!("{:#?}", snapshot.scenarios.get("one")),
    };
    (digest, without_spec(&text))
}

/// What is compiled holds the spec as it was declared too, of which nothing comes by itself.
fn without_spec(text: &str) -> String {
    let begins = |line: &str| line.trim_start().starts_with("spec: ") && line.ends_with('{');
    let (mut kept, mut until) = (String::new(), None::<String>);
    for line in text.lines() {
        match &until {
            Some(end) if line == end => until = None,
            Some(_) => {}
            None if begins(line) => {
                let indent = line.len() - line.trim_start().len();
                until = Some(format!("{}}},", " ".repeat(indent)));
            }
            None => kept.extend([line, "\n"]),
        }
    }
    kept
}
