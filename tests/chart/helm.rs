//! Runs helm on the chart, and reads what it renders.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cluster::file;

/// A program that `cluster build` makes; without it a test fails and says how to get it.
pub fn program(name: &str, group: &str) -> PathBuf {
    let cache = std::env::var_os("FANFARE_TOOLS").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/fanfare-cluster"),
        PathBuf::from,
    );
    let path = cache.join("bin").join(name);
    assert!(path.exists(), "{name} is not built; run: tests/cluster/cluster build {group}");
    path
}

/// Runs helm without a cluster; its output, or what it complained of.
pub fn helm(arguments: &[&str]) -> Result<String, String> {
    helm_at(Path::new("/nowhere"), arguments)
}

/// Runs helm on the cluster of a kubeconfig and no other, without what this machine's user has set up for it.
pub fn helm_at(kubeconfig: &Path, arguments: &[&str]) -> Result<String, String> {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(program("helm", "helm"))
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .env("HELM_CONFIG_HOME", home.path())
        .env("HELM_CACHE_HOME", home.path())
        .env("HELM_DATA_HOME", home.path())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// What the chart renders with these values, as YAML text.
pub fn template_text(values: &str) -> Result<String, String> {
    template_text_as("fanfare", "fanfare-system", values)
}

/// The same, as a release of this name in this namespace.
pub fn template_text_as(release: &str, namespace: &str, values: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("values.yaml");
    std::fs::write(&path, values).unwrap();
    let path = path.display().to_string();
    helm(&["template", release, &file("charts/fanfare"), "-n", namespace, "-f", &path])
}

/// The objects the chart renders with these values.
pub fn template(values: &str) -> Vec<Value> {
    objects(&template_text(values).unwrap_or_else(|error| panic!("{values}: {error}")))
}

/// The objects the chart renders with these values, as a release of this name in this namespace.
pub fn template_as(release: &str, namespace: &str, values: &str) -> Vec<Value> {
    objects(&template_text_as(release, namespace, values).unwrap_or_else(|error| panic!("{values}: {error}")))
}

/// The documents of a YAML stream that hold something.
pub fn objects(text: &str) -> Vec<Value> {
    use serde::Deserialize as _;
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    let values = documents.map(|document| Value::deserialize(document).expect("helm renders YAML"));
    values.filter(|value| !value.is_null()).collect()
}

/// The object of this kind and name.
pub fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

/// Values with everything switched on, one set of them a line of thought.
pub const CORPUS: [&str; 6] = [
    "{}",
    "{replicas: 3, priorityClassName: system-cluster-critical, nodeSelector: {disk: ssd}, labels: {team: crm},
      tolerations: [{key: dedicated, operator: Exists}], podLabels: {a: b}, podAnnotations: {c: d}, logLevel: debug,
      env: [{name: HTTPS_PROXY, value: 'http://proxy:3128'}], topologySpreadConstraints: [],
      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms:
        [{matchExpressions: [{key: kubernetes.io/arch, operator: In, values: [amd64]}]}]}}}}",
    "{watchNamespaces: [shop, news], crds: {install: false}, rbac: {aggregate: false}}",
    "{egress: {allow: [mail/relay, 10.20.0.0/16, 'fd00:20::/64'], deny: [10.20.1.0/24], sameNamespace: false},
      runtime: {cpu: '1', memory: 2Gi, adminPort: 9000}, adminPort: 9001, clusterDomain: example.internal,
      tracing: {endpoint: 'http://collector.observability:4318', sampler: always_on}}",
    "{networkPolicy: {enabled: true, apiServerCidrs: [10.96.0.1/32], metricsFrom: [{namespaceSelector: {matchLabels: {a: b}}}]},
      monitoring: {operator: true, runtimes: true, rules: true, dashboard: true, labels: {release: prometheus}}}",
    "{image: {repository: 'registry.example.com:5000/fanfare', tag: '1', pullPolicy: Always, pullSecrets: [registry],
      digest: 'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'}, leaderElection: false,
      serviceAccount: {create: false, name: other}, fullnameOverride: events, networkPolicy: {enabled: true}}",
];
