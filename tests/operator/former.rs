//! A Runtime that is deleted and applied again: what was left of the former one is taken up, and what is about to go is
//! waited for.

use serde_json::Value;

use crate::scene::{CHILDREN, RUNTIME};
use crate::stage::Stage;

fn uid(stage: &Stage, kind: &str, name: &str) -> Value {
    stage.get(kind, name)["metadata"]["uid"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_former_runtime_left_is_taken_up() {
    let stage = Stage::new("former").await;
    let _operator = stage.operator(&[]).await;
    stage.apply(&RUNTIME.replace("spec: {", "spec: {exposure: {ingress: {host: calls.example.com}}, "));
    let made = async || !stage.get("ingress", "main-runtime").is_null();
    stage.until("everything is made", made).await;
    let before = CHILDREN.map(|child| uid(&stage, child, "main-runtime"));
    stage.kubectl(&["delete", "runtime", "main", "-n", &stage.namespace, "--cascade=orphan"]);
    assert_eq!(stage.get("statefulset", "main-runtime")["metadata"]["ownerReferences"], Value::Null);
    stage.apply(RUNTIME);
    stage.until_reason("runtime", "main", "Ready", "RollingOut").await;
    let now = CHILDREN.map(|child| uid(&stage, child, "main-runtime"));
    assert_eq!(now, before, "nothing was made anew");
    let owner = uid(&stage, "runtime", "main");
    for child in CHILDREN {
        let references = stage.get(child, "main-runtime")["metadata"]["ownerReferences"].clone();
        assert_eq!(references[0]["uid"], owner, "{child}");
    }
    let removed = async || stage.get("ingress", "main-runtime").is_null();
    stage.until("what is not wanted any more is removed", removed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_to_go_is_waited_for() {
    let stage = Stage::new("waited").await;
    let _operator = stage.operator(&[]).await;
    stage.apply(RUNTIME);
    stage.until_reason("runtime", "main", "Ready", "RollingOut").await;
    let hold = |finalizers: &str| {
        let patch = format!(r#"{{"metadata":{{"finalizers":{finalizers}}}}}"#);
        let arguments = ["patch", "service", "main-runtime", "--type=merge", "-p", &patch];
        stage.kubectl(&[&arguments[..], &["-n", &stage.namespace]].concat());
    };
    hold(r#"["example.com/held"]"#);
    stage.kubectl(&["delete", "runtime", "main", "-n", &stage.namespace]);
    stage.apply(RUNTIME);
    let message = stage.until_reason("runtime", "main", "WorkloadReady", "FormerNotGone").await;
    assert!(message.contains("of a former Runtime of this name is not gone yet"), "{message}");
    assert_eq!(stage.reason("runtime", "main", "WorkloadReady").0, "Unknown");
    // A cluster that has just begun collects what belongs to our kinds after half a minute.
    let collected = async || stage.get("statefulset", "main-runtime").is_null();
    stage.until("all but what is held is gone", collected).await;
    let held = async || stage.reason("runtime", "main", "WorkloadReady").2.starts_with("the Service main-");
    stage.until("it says what is held", held).await;
    assert_eq!(stage.reason("runtime", "main", "WorkloadReady").1, "FormerNotGone");
    hold("null");
    stage.until_reason("runtime", "main", "Ready", "RollingOut").await;
    let events = stage.kubectl(&["get", "events.v1.events.k8s.io", "-n", &stage.namespace, "-o", "json"]);
    let events: Value = serde_json::from_str(&events).unwrap();
    let warnings = events["items"].as_array().unwrap().iter();
    let warnings = warnings.filter(|it| it["type"] == "Warning" && it["regarding"]["kind"] == "Runtime");
    assert_eq!(warnings.collect::<Vec<_>>(), Vec::<&Value>::new());
}
