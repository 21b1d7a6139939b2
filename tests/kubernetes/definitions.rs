//! What a definition promises beyond accepting and refusing: how an object looks before anyone saw it, what cannot be
//! changed, and how a person asks for it.

use serde_json::Value;

use crate::cluster::{Cluster, stderr};

#[test]
fn the_definitions_are_structural_and_within_the_cost_budget() {
    // `Cluster::shared` has applied them, which fails if a rule may cost too much.
    let cluster = Cluster::shared();
    let list: Value = serde_json::from_str(&cluster.ask(&["get", "crd", "-o", "json"])).unwrap();
    let definitions = list["items"].as_array().unwrap();
    assert_eq!(definitions.len(), 5);
    for definition in definitions {
        let name = &definition["metadata"]["name"];
        let conditions = definition["status"]["conditions"].as_array().unwrap();
        let is = |kind: &str| conditions.iter().any(|c| c["type"] == kind && c["status"] == "True");
        assert!(
            is("Established") && is("NamesAccepted") && !is("NonStructuralSchema"),
            "{name}: {conditions:?}"
        );
        assert_eq!(
            definition["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/substitute"], "disabled",
            "{name}"
        );
    }
}

#[test]
fn an_object_nobody_has_seen_is_marked_as_such_and_found_by_its_short_names() {
    let cluster = Cluster::shared();
    cluster.ask(&["create", "namespace", "short-names"]);
    let manifest = crate::cluster::file("tests/kubernetes/design.yaml");
    cluster.ask(&["apply", "-n", "short-names", "-f", &manifest]);
    let status =
        ["get", "fft", "weather-alert", "-n", "short-names", "-o", "jsonpath={.status.observedGeneration}"];
    assert_eq!(cluster.ask(&status), "-1");
    for short in ["ffr", "fft", "ffs", "ffc", "ffk"] {
        cluster.ask(&["get", short, "-n", "short-names"]);
    }
    let all = cluster.ask(&["get", "fanfare", "-n", "short-names", "-o", "name"]);
    for name in [
        "apitrigger.fanfare.dev/weather-alert",
        "scenario.fanfare.dev/snowstorm-warning",
        "runtime.fanfare.dev/main",
    ] {
        assert!(all.contains(name), "{all}");
    }
}

#[test]
fn the_storage_engine_and_the_tenant_cannot_be_changed() {
    let cluster = Cluster::shared();
    cluster.ask(&["create", "namespace", "immutable"]);
    let folder = tempfile::tempdir().unwrap();
    let apply = |spec: &str| {
        let file = folder.path().join("runtime.yaml");
        let text = format!(
            "apiVersion: fanfare.dev/v1alpha1\nkind: Runtime\nmetadata: {{name: main}}\nspec: {spec}\n"
        );
        std::fs::write(&file, text).unwrap();
        cluster.kubectl(&["apply", "-n", "immutable", "-f", &file.display().to_string()])
    };
    let first = apply("{storage: {sqlite: {size: 1Gi}}, tenant: shop}");
    assert!(first.status.success(), "{}", stderr(&first));
    let larger = apply("{storage: {sqlite: {size: 2Gi}}, tenant: shop}");
    assert!(larger.status.success(), "{}", stderr(&larger));
    for (spec, field) in [
        ("{storage: {postgres: {secretRef: {name: s}}}, tenant: shop}", "spec.storage"),
        ("{storage: {sqlite: {size: 1Gi}}, tenant: other}", "spec.tenant"),
        ("{storage: {sqlite: {size: 1Gi}}}", "spec.tenant"),
    ] {
        let refused = apply(spec);
        assert!(!refused.status.success(), "{spec}");
        assert!(stderr(&refused).contains(&format!("{field}: ")), "{spec}: {}", stderr(&refused));
    }
}

#[test]
fn what_a_person_wants_to_know_at_a_glance_has_a_column() {
    let cluster = Cluster::shared();
    cluster.ask(&["create", "namespace", "columns"]);
    let manifest = crate::cluster::file("tests/kubernetes/design.yaml");
    cluster.ask(&["apply", "-n", "columns", "-f", &manifest]);
    let status = serde_json::json!({"status": {"state": "Active", "audience": "by index on customer.city", "conditions": [
        {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "in force", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    let patch = [
        "patch",
        "scenario",
        "snowstorm-warning",
        "-n",
        "columns",
        "--subresource=status",
        "--type=merge",
        "-p",
    ];
    cluster.ask(&[&patch[..], &[&status.to_string()]].concat());
    let columns = |kind: &str, more: &[&str]| {
        let table = cluster.ask(&[&["get", kind, "-n", "columns"], more].concat());
        table
            .lines()
            .map(|line| {
                line.split("  ").map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
            })
            .collect::<Vec<Vec<String>>>()
    };
    let scenario = columns("ffs", &[]);
    assert_eq!(
        scenario[0],
        ["NAME", "READY", "STATE", "REASON", "AUDIENCE", "TRIGGERS", "IN FORCE", "PAUSED", "AGE"]
    );
    assert_eq!(
        scenario[1][..5],
        ["snowstorm-warning", "True", "Active", "Succeeded", "by index on customer.city"]
    );
    assert_eq!(columns("fft", &[])[0], ["NAME", "READY", "REASON", "URL", "IN FORCE", "AGE"]);
    assert_eq!(
        columns("ffr", &[])[0],
        ["NAME", "READY", "REASON", "URL", "REPLICAS", "IN FORCE", "PAUSED", "AGE"]
    );
    assert_eq!(columns("ffs", &["-o", "wide"])[1][6], "in force");
}
