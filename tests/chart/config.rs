//! `config/` makes what the chart makes of its defaults: one truth for those with Helm and those without.

use std::process::Command;

use serde_json::Value;

use crate::cluster::file;
use crate::helm::{find, objects, program, template};

fn kustomized(folder: &str) -> Vec<Value> {
    let output = Command::new(program("kubectl", "api")).args(["kustomize", folder]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    objects(&String::from_utf8(output.stdout).unwrap())
}

/// Without what only says by which tool an object was made, and the runtimes' image, which the operator of `config/` reads
/// of its own Pod.
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
    if let Some(args) =
        object.pointer_mut("/spec/template/spec/containers/0/args").and_then(Value::as_array_mut)
    {
        args.retain(|arg| !arg.as_str().unwrap().starts_with("--image="));
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
    let made = kustomized(&file("config/default"));
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
fn another_image_is_all_that_an_overlay_says() {
    let folder = tempfile::tempdir().unwrap();
    let copy = Command::new("cp").arg("-r").args([file("config"), file("crds")]).arg(folder.path()).status();
    assert!(copy.unwrap().success());
    let overlay = folder.path().join("overlay");
    std::fs::create_dir(&overlay).unwrap();
    let text = "resources: [../config/default]
images: [{name: ghcr.io/fanfare-dev/fanfare, newName: example.com/f, newTag: '7'}]";
    std::fs::write(overlay.join("kustomization.yaml"), text).unwrap();
    let made = kustomized(&overlay.display().to_string());
    let operator = find(&made, "Deployment", "fanfare-operator");
    let container = &operator["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "example.com/f:7");
    // No second place says another one: runtimes get the operator's own.
    assert!(!operator.to_string().contains("fanfare-dev/fanfare"), "{operator:#}");
    assert!(!container["args"].to_string().contains("--image"), "{container:#}");
}
