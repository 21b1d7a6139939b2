//! What the chart's templates read are copies of what is kept elsewhere: a chart cannot read outside its folder.

use crate::cluster::file;
use crate::helm::{objects, template};

fn same(copy: &str, original: &str) {
    let read = |path: &str| std::fs::read_to_string(file(path)).unwrap();
    assert!(read(copy) == read(original), "{copy} is not {original}; run: make crds");
}

#[test]
fn files_are_those_of_crds_and_config() {
    same("charts/fanfare/files/crds.yaml", "crds/fanfare.yaml");
    same("charts/fanfare/files/rbac.yaml", "config/operator/rbac.yaml");
    same("charts/fanfare/files/people.yaml", "config/operator/people.yaml");
}

#[test]
fn the_version_is_that_of_the_program() {
    let chart = std::fs::read_to_string(file("charts/fanfare/Chart.yaml")).unwrap();
    let chart: serde_json::Value = serde_yaml_ng::from_str(&chart).unwrap();
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn definitions_pass_the_templates_unchanged_and_are_kept() {
    let kept = std::fs::read_to_string(file("crds/fanfare.yaml")).unwrap();
    let rendered = template("{}");
    for definition in objects(&kept) {
        let name = definition["metadata"]["name"].as_str().unwrap();
        let found = crate::helm::find(&rendered, "CustomResourceDefinition", name);
        assert!(found["spec"] == definition["spec"], "{name} is changed");
        assert_eq!(found["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
        assert_eq!(found["metadata"]["labels"]["app.kubernetes.io/name"], "fanfare");
        assert_eq!(found["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/substitute"], "disabled");
    }
    let policy = |objects: &[serde_json::Value]| {
        let found = crate::helm::find(objects, "CustomResourceDefinition", "channels.fanfare.dev");
        found["metadata"]["annotations"]["helm.sh/resource-policy"].clone()
    };
    assert_eq!(policy(&template("{crds: {keep: false}}")), serde_json::Value::Null);
}
