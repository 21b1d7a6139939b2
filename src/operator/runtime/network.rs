//! How a runtime is reached inside the cluster, and what may reach it and be reached from it.

use serde_json::{Value, json};

use super::pod::{API_PORT, CALLS_PORT};
use super::shape::Shape;

/// The port of PostgreSQL, and of the poolers in front of it that have their own.
const DATABASE_PORTS: [u16; 2] = [5432, 6432];
/// Addresses that are not public: what a channel may reach of them, the egress rules say.
const NOT_PUBLIC_V4: [&str; 7] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
];
const NOT_PUBLIC_V6: [&str; 3] = ["::1/128", "fc00::/7", "fe80::/10"];

pub(super) fn objects(shape: &Shape<'_>) -> [Value; 2] {
    [service(shape), policy(shape)]
}

/// Made once and never made anew: its address and its name are in other people's systems.
fn service(shape: &Shape<'_>) -> Value {
    let ports = json!([
        { "name": "calls", "port": 80, "targetPort": "calls", "protocol": "TCP" },
        { "name": "api", "port": API_PORT, "targetPort": "api", "protocol": "TCP" },
    ]);
    shape.object(
        "v1",
        "Service",
        json!({ "spec": { "type": "ClusterIP", "selector": shape.selector(), "ports": ports } }),
    )
}

fn policy(shape: &Shape<'_>) -> Value {
    let spec = json!({
        "podSelector": { "matchLabels": shape.selector() },
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress(shape),
        "egress": egress(shape),
    });
    shape.object("networking.k8s.io/v1", "NetworkPolicy", json!({ "spec": spec }))
}

/// Calls from anywhere: whoever has credentials may call. The API from the namespace, and the admin port from the
/// operator's, by which numbers are collected too.
fn ingress(shape: &Shape<'_>) -> Value {
    let operator = json!({ "matchLabels": { "kubernetes.io/metadata.name": shape.settings.own_namespace } });
    json!([
        { "ports": [{ "port": CALLS_PORT, "protocol": "TCP" }] },
        { "ports": [{ "port": API_PORT, "protocol": "TCP" }], "from": [{ "podSelector": {} }] },
        { "ports": [{ "port": shape.settings.admin_port, "protocol": "TCP" }], "from": [{ "namespaceSelector": operator }] },
    ])
}

/// Names, the API server, the database, and providers. The guard in the process is the finer one: it knows names and
/// checks each connection.
fn egress(shape: &Shape<'_>) -> Value {
    let dns = json!([{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }]);
    let api_server = json!([{ "port": 443, "protocol": "TCP" }, { "port": 6443, "protocol": "TCP" }]);
    let public = json!([
        { "ipBlock": { "cidr": "0.0.0.0/0", "except": NOT_PUBLIC_V4 } },
        { "ipBlock": { "cidr": "::/0", "except": NOT_PUBLIC_V6 } },
    ]);
    let mut rules = vec![json!({ "ports": dns }), json!({ "ports": api_server }), json!({ "to": public })];
    if shape.spec.storage.postgres.is_some() {
        let ports: Vec<Value> =
            DATABASE_PORTS.iter().map(|port| json!({ "port": port, "protocol": "TCP" })).collect();
        rules.push(json!({ "ports": ports }));
    }
    if shape.settings.egress.same_namespace {
        rules.push(json!({ "to": [{ "podSelector": {} }] }));
    }
    let allowed = &shape.settings.egress.allow;
    if !allowed.is_empty() {
        let blocks: Vec<Value> =
            allowed.iter().map(|net| json!({ "ipBlock": { "cidr": net.to_string() } })).collect();
        rules.push(json!({ "to": blocks }));
    }
    // Which Pods a Service of another namespace leads to cannot be said here.
    for service in &shape.settings.egress.services {
        let namespace = json!({ "matchLabels": { "kubernetes.io/metadata.name": service.namespace } });
        rules.push(json!({ "to": [{ "namespaceSelector": namespace }] }));
    }
    json!(rules)
}
