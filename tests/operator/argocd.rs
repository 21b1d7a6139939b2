//! The health script for Argo CD, in the Lua that Argo CD uses, on real objects in every state.

use std::process::Command;

use serde_json::Value;

use crate::harness::cluster::file;
use crate::stage::Stage;
use crate::stories::{CHANNEL, SCENARIO, TRIGGER};

/// A value as Lua writes it.
fn lua(value: &Value) -> String {
    match value {
        Value::Null => "nil".into(),
        Value::Bool(is) => is.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{text:?}").replace("\\u{", "\\\\u{"),
        Value::Array(items) => format!("{{{}}}", items.iter().map(lua).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let pairs = members.iter().map(|(key, value)| format!("[{key:?}] = {}", lua(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// What Argo CD would say of one of our kinds: status and message.
fn health(stage: &Stage, object: &Value) -> (String, String) {
    health_by("health.lua", stage, object)
}

/// What it would say by one of the scripts.
fn health_by(script: &str, stage: &Stage, object: &Value) -> (String, String) {
    let script = std::fs::read_to_string(file(&format!("examples/gitops/argocd/{script}"))).unwrap();
    let mut slim = object.clone();
    slim["metadata"]
        .as_object_mut()
        .unwrap()
        .retain(|key, _| key == "generation" || key == "deletionTimestamp");
    let program = format!(
        "obj = {}\nlocal function health()\n{script}\nend\nlocal hs = health()\nprint(hs.status)\nprint(hs.message)\n",
        lua(&serde_json::json!({"metadata": slim["metadata"], "status": slim["status"]}))
    );
    let path = stage.folder.path().join("health.lua");
    std::fs::write(&path, program).unwrap();
    let output = Command::new(stage.cluster.tool("glua")).arg(&path).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let (status, message) = told.split_once('\n').unwrap();
    (status.to_owned(), message.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_sees_what_conditions_say() {
    let stage = Stage::new("argocd").await;
    stage.apply(&[TRIGGER, CHANNEL, SCENARIO].join("---"));
    let nobody = stage.get("scenario", "warning");
    assert_eq!(health(&stage, &nobody).0, "Progressing", "nobody has looked at it");
    let _operator = stage.operator(&[]).await;
    stage.until_reason("scenario", "warning", "Ready", "NoRuntime").await;
    let waiting = health(&stage, &stage.get("scenario", "warning"));
    assert_eq!(waiting.0, "Progressing");
    assert!(waiting.1.contains("no Runtime"), "{waiting:?}");
    stage.apply(&SCENARIO.replace("params.city }}", "params.town }}"));
    stage.until_reason("scenario", "warning", "Ready", "Invalid").await;
    let stalled = stage.get("scenario", "warning");
    let degraded = health(&stage, &stalled);
    assert_eq!(degraded.0, "Degraded");
    assert!(degraded.1.contains("spec.nodes[0].message.log.text"), "{degraded:?}");
    let mut newer = stalled.clone();
    newer["metadata"]["generation"] = serde_json::json!(99);
    assert_eq!(health(&stage, &newer).0, "Progressing", "an older generation says nothing");
    let mut ready = stalled.clone();
    ready["status"]["conditions"] =
        serde_json::json!([{"type": "Ready", "status": "True", "message": "in force"}]);
    assert_eq!(health(&stage, &ready), ("Healthy".into(), "in force".into()));
    ready["status"]["conditions"] = serde_json::json!([{"type": "Ready", "status": "True", "message": "in force"},
        {"type": "Paused", "status": "True", "message": "it was paused by key/desk"}]);
    assert_eq!(health(&stage, &ready), ("Suspended".into(), "it was paused by key/desk".into()));
    ready["metadata"]["deletionTimestamp"] = serde_json::json!("2026-01-01T00:00:00Z");
    assert_eq!(health(&stage, &ready).1, "Deleting");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_waits_for_an_application_until_it_has_been_synced_and_is_healthy() {
    let stage = Stage::new("application").await;
    let health = |status: Value| {
        let object = serde_json::json!({"metadata": {"generation": 1}, "status": status});
        health_by("application-health.lua", &stage, &object)
    };
    let of = |health: &str, sync: &str, phase: Option<&str>| {
        serde_json::json!({
            "health": {"status": health, "message": "as Argo CD says"}, "sync": {"status": sync},
            "operationState": phase.map(|phase| serde_json::json!({"phase": phase})),
        })
    };
    assert_eq!(health(Value::Null).0, "Progressing", "nobody has looked at it");
    assert_eq!(health(serde_json::json!({"sync": {"status": "Unknown"}})).0, "Progressing");
    // An Application that has made nothing yet counts as healthy with Argo CD.
    assert_eq!(health(of("Healthy", "OutOfSync", None)).1, "Waiting for its first sync");
    assert_eq!(health(of("Healthy", "OutOfSync", Some("Running"))).0, "Progressing");
    assert_eq!(health(of("Healthy", "Synced", None)), ("Healthy".into(), "as Argo CD says".into()));
    // Drift that somebody else makes holds nothing up.
    assert_eq!(health(of("Healthy", "OutOfSync", Some("Succeeded"))).0, "Healthy");
    for status in ["Degraded", "Missing", "Suspended", "Progressing"] {
        assert_eq!(health(of(status, "Synced", Some("Succeeded"))).0, status);
    }
}
