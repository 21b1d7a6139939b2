//! `spec.retention` of a Runtime in the folder, in the real `fanfare dev`: what is old goes, what is young stays, and people are
//! told so.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::harness::{Dev, Sandbox, wait_for};

const MANIFESTS: &str = r#"
apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: hook}
spec:
  parameters: [{name: city, type: string, required: false}]
---
apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: log}
spec: {log: {}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {name: hello}
spec:
  triggers: [{triggerRef: {name: hook}}]
  audience: {where: events("bought").count() > 1}
  nodes:
  - name: tell
    message: {channelRef: {name: log}, consent: None, log: {text: hello}}
"#;

fn runtime(retention: &str) -> String {
    format!(
        "apiVersion: fanfare.dev/v1alpha1\nkind: Runtime\nmetadata: {{name: main}}\n\
         spec:\n  storage: {{sqlite: {{size: 1Gi}}}}\n  retention: {retention}\n"
    )
}

/// As if it had happened so many days earlier.
fn make_older(data: &Path, days: i64) {
    let us = days * 86_400_000_000;
    let ledger = rusqlite::Connection::open(data.join("ledger.db")).unwrap();
    ledger.execute_batch(&format!("UPDATE call SET received_at = received_at - {us}")).unwrap();
    let customers = rusqlite::Connection::open(data.join("customers.db")).unwrap();
    customers
        .execute_batch(&format!(
            "UPDATE event SET time = time - {us} WHERE id = 1;
             UPDATE event_entry SET time = time - {us} WHERE event = 1"
        ))
        .unwrap();
}

fn call(dev: &Dev, key: &str) -> String {
    let answer = dev.call("hook", &json!({})).header("idempotency-key", key).must().expect(202).json();
    let call = answer["id"].as_str().unwrap().to_owned();
    wait_for("the call to be done", || dev.is_done(&call).then_some(()));
    call
}

fn metric(dev: &Dev, line: &str) -> f64 {
    let numbers = dev.api("GET", "/metrics").must().expect(200).body;
    let found = numbers.lines().find_map(|it| it.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {line} in {numbers}"))
}

#[test]
fn what_is_older_than_the_runtime_in_the_folder_keeps_goes_and_people_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (manifests, data) = (folder.path().join("manifests"), folder.path().join("data"));
    fs::create_dir_all(manifests.join("data")).unwrap();
    fs::write(manifests.join("all.yaml"), MANIFESTS).unwrap();
    let customer = json!({"ids": {"registered": "C-1"}, "attributes": {"city": "Brno"}});
    fs::write(manifests.join("data/customers.ndjson"), format!("{customer}\n")).unwrap();
    let bought = |seconds: i64| json!({"ids": {"registered": "C-1"}, "type": "bought", "timestamp": seconds, "properties": {"price": 3}});
    let now = jiff::Timestamp::now().as_second();
    let events = format!("{}\n{}\n", bought(now - 60), bought(now - 30));
    fs::write(manifests.join("data/events.ndjson"), events).unwrap();
    let sandbox = Sandbox::start(folder.path(), &[]);

    let mut dev = Dev::start(&manifests, &data, &sandbox);
    let old = call(&dev, "first");
    let runs = dev.get(&format!("/api/v1/calls/{old}"));
    assert_eq!(runs["runs"][0]["audience"], 1, "{runs}");
    dev.process.terminate();
    make_older(&data, 3);

    fs::write(manifests.join("runtime.yaml"), runtime("{calls: 2d, events: 1d}")).unwrap();
    let dev = Dev::start(&manifests, &data, &sandbox);
    let gone = wait_for("the old call to be removed", || {
        let answer = dev.ask_about(&old).must();
        (answer.status == 404).then_some(answer)
    });
    let said = "calls are kept for 2d, so it may have been removed since";
    assert!(gone.body.contains(said), "{}", gone.body);
    let of_call = dev.api("GET", &format!("/api/v1/calls/{old}/deliveries")).must();
    assert!(of_call.status == 404 && of_call.body.contains(said), "{}", of_call.body);
    let pause = dev.post(&format!("/api/v1/calls/{old}/pause"), &json!({"reason": "?"}));
    assert!(pause.status == 404 && pause.body.contains(said), "{}", pause.body);
    wait_for("its deliveries and the old event to be removed", || {
        let removed =
            |kind| metric(&dev, &format!("fanfare_retention_removed_rows_total{{kind=\"{kind}\"}}"));
        (removed("deliveries") >= 1.0 && removed("events") >= 1.0).then_some(())
    });
    // Its key is valid for a day more, and makes no second call of it.
    let again = dev.call("hook", &json!({})).header("idempotency-key", "first").must();
    assert_eq!(again.json()["id"], old.as_str(), "{}", again.body);
    // The condition finds one event now, so the next call reaches nobody; and stays.
    let young = call(&dev, "second");
    let runs = dev.get(&format!("/api/v1/calls/{young}"));
    assert_eq!(runs["runs"][0]["audience"], 0, "{runs}");
    assert_eq!(metric(&dev, "fanfare_retention_failures_total{what=\"calls\"}"), 0.0);
    let log = fs::read_to_string(data.with_extension("log")).unwrap();
    assert!(log.contains("Keeping calls for 2d, events for 1d"), "{log}");

    // An edit that cannot be is told with its place, and what was in force stays.
    fs::write(manifests.join("runtime.yaml"), runtime("{calls: 0s}")).unwrap();
    wait_for("the edit to be refused", || {
        let log = fs::read_to_string(data.with_extension("log")).unwrap();
        (log.contains("spec.retention.calls") && log.contains("must be at least 1m")).then_some(())
    });
    assert_eq!(dev.ask_about(&young).must().status, 200);
}
