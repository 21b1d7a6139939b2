//! What a person is shown when something is wrong: lines that name their call, and a channel that rests with a reason.

use std::fs;

use serde_json::json;

use crate::harness::{Dev, Sandbox, wait_for};
use crate::story::{Customers, Manifests};

const LOG: &str = "apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: note}
spec: {log: {}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {name: notes}
spec:
  triggers:
  - triggerRef: {name: alert}
  audience:
    where: customer.region == params.region
  nodes:
  - name: line
    message:
      channelRef: {name: note}
      consent: None
      log: {text: 'a line for somebody in the {{ params.region }}'}
";

#[test]
fn a_line_of_the_log_channel_and_of_an_outage_names_its_call() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path(), &["webhook:fail,status=404,count=4"]);
    let manifests =
        Manifests::write(&folder.path().join("manifests"), Customers { north: 8 }, 64, "timeout: 4s");
    fs::write(manifests.folder.join("log.yaml"), LOG).unwrap();
    let dev = Dev::start(&manifests.folder, &folder.path().join("data"), &sandbox);
    let call = dev.call("alert", &json!({"region": "north"})).must().expect(202).json();
    let id = call["id"].as_str().unwrap().to_owned();
    wait_for("the end of the call", || dev.is_done(&id).then_some(()));
    let printed = dev.process.printed();
    for words in ["a line for somebody in the north", "the provider fails"] {
        let lines: Vec<&str> = printed.lines().filter(|line| line.contains(words)).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(&id)), "{words}: {printed}");
    }
}

#[test]
fn an_endpoint_that_is_gone_pauses_its_channel_until_a_person_resumes_it() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path(), &["webhook:fail,status=410"]);
    let manifests =
        Manifests::write(&folder.path().join("manifests"), Customers { north: 30 }, 64, "timeout: 4s");
    let dev = Dev::start(&manifests.folder, &folder.path().join("data"), &sandbox);
    let call = dev.call("alert", &json!({"region": "north"})).must().expect(202).json();
    let id = call["id"].as_str().unwrap().to_owned();
    let pause = wait_for("the pause", || dev.get("/api/v1/pauses")["items"].as_array()?.first().cloned());
    assert_eq!((&pause["kind"], &pause["name"]), (&json!("channel"), &json!("hook")), "{pause}");
    assert!(pause["reason"].as_str().unwrap().contains("410 Gone"), "{pause}");
    assert!(!dev.is_done(&id));
    wait_for("the channel to rest", || {
        let numbers = dev.api("GET", "/metrics").must().expect(200).body;
        let is_paused = numbers.contains("fanfare_channel_paused{channel=\"hook\"} 1");
        let open = numbers.contains("fanfare_channel_window_open{channel=\"hook\"} 0");
        (is_paused && open).then_some(())
    });
    sandbox.set_faults(&json!([]));
    dev.api("POST", "/api/v1/channels/hook/resume").must().expect(200);
    wait_for("the end of the call", || dev.is_done(&id).then_some(()));
    assert_eq!(sandbox.stats()["webhook"]["taken"], 20, "{}", sandbox.stats());
}
