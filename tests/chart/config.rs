//! `config/` makes what the chart makes of its defaults: one truth for those with Helm and those without.

use std::process::Command;

use serde_json::Value;

use crate::cluster::file;
use crate::helm::{find, objects, program, template};

fn kustomized() -> Vec<Value> {
    let output =
        Command::new(program("kubectl", "api")).args(["kustomize", &file("config/default")]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    objects(&String::from_utf8(output.stdout).unwrap())
}

/// Without what only says by which tool an object was made.
fn plain(mut object: Value) -> Value {
    let aggregates = |name: &String| name.starts_with("rbac.");
    if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
        labels.retain(|name, _| aggregates(name));
    }
    if object["metadata"]["labels"].as_object().is_none_or(serde_json::Map::is_empty) {
        object["metadata"].as_object_mut().unwrap().remove("labels");
    }
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove("helm.sh/resource-policy");
    }
    numbers(&mut object);
    object
}

/// Kustomize writes 100.0 as 100.
fn numbers(value: &mut Value) {
    match value {
        Value::Number(number) => *value = Value::from(number.as_f64()),
        Value::Array(items) => items.iter_mut().for_each(numbers),
        Value::Object(members) => members.values_mut().for_each(numbers),
        _ => {}
    }
}

#[test]
fn both_make_the_same() {
    let made = kustomized();
    let rendered: Vec<Value> = template("{}")
        .into_iter()
        .filter(|object| object["metadata"]["annotations"]["helm.sh/hook"].is_null())
        .collect();
    for object in &rendered {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let (rendered, made) = (plain(object.clone()), plain(find(&made, kind, name).clone()));
        let is_long = kind == "CustomResourceDefinition";
        assert!(
            rendered == made,
            "{kind} {name}: {}",
            if is_long { String::new() } else { format!("{rendered:#} and {made:#}") }
        );
    }
    // The namespace, which Helm makes by itself.
    assert_eq!(made.len(), rendered.len() + 1);
    find(&made, "Namespace", "fanfare-system");
}

#[test]
fn another_image_reaches_the_runtimes_too() {
    let folder = tempfile::tempdir().unwrap();
    let copy = Command::new("cp").arg("-r").args([file("config"), file("crds")]).arg(folder.path()).status();
    assert!(copy.unwrap().success());
    let path = folder.path().join("config/default/kustomization.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("newTag: 0.1.0", "newName: example.com/f\n    newTag: '7'")).unwrap();
    let path = path.parent().unwrap().display().to_string();
    let output = Command::new(program("kubectl", "api")).args(["kustomize", &path]).output().unwrap();
    let made = objects(&String::from_utf8(output.stdout).unwrap());
    let operator = find(&made, "Deployment", "fanfare-operator");
    let container = &operator["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "example.com/f:7");
    assert_eq!(container["args"][1], "--image=example.com/f:7");
}
