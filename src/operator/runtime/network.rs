//! How a runtime is reached inside the cluster, and what may reach it and be reached from it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::pod::{API_PORT, CALLS_PORT};
use super::shape::Shape;
use crate::domain::egress_target::EgressTarget;
use crate::operator::settings::Tracing;

/// The port of PostgreSQL, and of the poolers in front of it that have their own: where its address cannot be read.
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

/// Made once and never made anew: its address and its name are in other people's systems.
pub(super) fn service(shape: &Shape<'_>) -> Value {
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

/// What may reach its Pods and what they may reach.
pub(super) fn policy(shape: &Shape<'_>) -> Value {
    let spec = json!({
        "podSelector": { "matchLabels": shape.selector() },
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress(shape),
        "egress": egress(shape),
    });
    shape.object("networking.k8s.io/v1", "NetworkPolicy", json!({ "spec": spec }))
}

/// Calls from anywhere: every client with credentials may call. The API from the namespace, and the admin port from the
/// operator's, by which numbers are collected too.
fn ingress(shape: &Shape<'_>) -> Value {
    let operator = json!({ "matchLabels": { "kubernetes.io/metadata.name": shape.settings.own_namespace } });
    json!([
        { "ports": [{ "port": CALLS_PORT, "protocol": "TCP" }] },
        { "ports": [{ "port": API_PORT, "protocol": "TCP" }], "from": [{ "podSelector": {} }] },
        { "ports": [{ "port": shape.settings.admin_port, "protocol": "TCP" }], "from": [{ "namespaceSelector": operator }] },
    ])
}

/// Who a target is to a NetworkPolicy, which knows no Services: all Pods of the Service's namespace.
fn peer(target: &EgressTarget) -> Value {
    match target {
        EgressTarget::Range(net) => json!({ "ipBlock": { "cidr": net.to_string() } }),
        EgressTarget::Service(service) => json!({
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": service.namespace } },
        }),
    }
}

/// A rule that lets out to these ports wherever they are: NetworkPolicies see addresses behind Services, which nobody
/// knows beforehand.
fn anywhere(ports: impl IntoIterator<Item = u16>, protocols: &[&str]) -> Value {
    let each = |port| protocols.iter().map(move |protocol| json!({ "port": port, "protocol": protocol }));
    json!({ "ports": ports.into_iter().flat_map(each).collect::<Vec<_>>() })
}

/// The ports of the database, if it is one that others run.
fn database_ports(shape: &Shape<'_>) -> Option<BTreeSet<u16>> {
    let named = shape.database.as_ref().map(|database| database.ports.clone()).unwrap_or_default();
    let ports = if named.is_empty() { DATABASE_PORTS.into() } else { named };
    shape.spec.storage.postgres.as_ref().map(|_| ports)
}

/// Names, the API server, the database, and providers. The guard in the process is the finer one: it knows names and
/// checks each connection.
fn egress(shape: &Shape<'_>) -> Value {
    let ports = &shape.settings.ports;
    let public = json!([
        { "ipBlock": { "cidr": "0.0.0.0/0", "except": NOT_PUBLIC_V4 } },
        { "ipBlock": { "cidr": "::/0", "except": NOT_PUBLIC_V6 } },
    ]);
    let mut rules = vec![
        anywhere(ports.dns.iter().copied(), &["UDP", "TCP"]),
        anywhere(ports.api_server.iter().copied(), &["TCP"]),
        json!({ "to": public }),
    ];
    rules.extend(database_ports(shape).map(|ports| anywhere(ports, &["TCP"])));
    // Where the collector is, only its name says.
    let collector = shape.settings.tracing.as_ref().and_then(Tracing::port);
    rules.extend(collector.map(|port| anywhere([port], &["TCP"])));
    if shape.settings.egress.same_namespace {
        rules.push(json!({ "to": [{ "podSelector": {} }] }));
    }
    let allowed = &shape.settings.egress.allow;
    if !allowed.is_empty() {
        let blocks: Vec<Value> = allowed.iter().map(peer).collect();
        rules.push(json!({ "to": blocks }));
    }
    json!(rules)
}
