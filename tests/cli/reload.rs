//! An edit of the folder while `fanfare dev` serves it.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Dev, Request, Sandbox, wait_for};

fn trigger(name: &str) -> String {
    format!(
        "apiVersion: fanfare.dev/v1alpha1\nkind: ApiTrigger\nmetadata: {{name: {name}}}\nspec: {{parameters: []}}\n"
    )
}

#[test]
fn a_new_trigger_is_in_the_ready_file_with_credentials_that_work() {
    let folder = tempfile::tempdir().unwrap();
    let (manifests, data) = (folder.path().join("manifests"), folder.path().join("data"));
    fs::create_dir(&manifests).unwrap();
    fs::write(manifests.join("first.yaml"), trigger("first")).unwrap();
    let sandbox = Sandbox::start(folder.path(), &[]);
    let dev = Dev::start(&manifests, &data, &sandbox);
    let first = dev.trigger("first").password.clone();

    fs::write(manifests.join("second.yaml"), trigger("second")).unwrap();
    let ready = data.with_file_name("data.ready.json");
    let triggers = wait_for("the second trigger in the ready file", || {
        let ready: Value = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
        ready["triggers"].as_array().filter(|triggers| triggers.len() == 2).cloned()
    });
    assert_eq!(triggers[0]["password"], first);
    let of = |field| triggers[1][field].as_str().unwrap();
    let call = Request::post(of("url")).basic(of("username"), of("password")).json(&json!({}));
    call.must().expect(202);
}

const BROKEN: &str = "apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {name: broken}
spec:
  triggers: [{triggerRef: {name: first}}]
  audience: {where: customer.vip}
  nodes:
  - {name: say, message: {channelRef: {name: gone}, consent: None, log: {text: Hello}}}
";

#[test]
fn the_log_of_a_call_names_a_scenario_that_listens_and_is_not_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let (manifests, data) = (folder.path().join("manifests"), folder.path().join("data"));
    fs::create_dir(&manifests).unwrap();
    fs::write(manifests.join("first.yaml"), trigger("first")).unwrap();
    fs::write(manifests.join("other.yaml"), trigger("other")).unwrap();
    fs::write(manifests.join("broken.yaml"), BROKEN).unwrap();
    let sandbox = Sandbox::start(folder.path(), &[]);
    let dev = Dev::start(&manifests, &data, &sandbox);

    let call = |trigger: &str| {
        let answer = dev.call(trigger, &json!({})).must().expect(202).json();
        let id = answer["id"].as_str().unwrap().to_owned();
        wait_for("the end of the call", || dev.is_done(&id).then_some(()));
        dev.get(&format!("/api/v1/calls/{id}"))["notFired"].clone()
    };
    let not_fired = call("first");
    assert_eq!(not_fired[0]["scenario"], "broken");
    let reason = not_fired[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("it is not in force: spec.nodes[0].message.channelRef"), "{reason}");
    assert!(reason.contains("gone"), "{reason}");
    assert_eq!(call("other"), json!([]));
}

const GREETING: &str = "apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: out}
spec: {log: {}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {name: greeting}
spec:
  triggers: [{triggerRef: {name: first}}]
  audience: {everyone: {}}
  nodes:
  - {name: say, message: {channelRef: {name: out}, consent: None, log: {text: 'TEXT'}}}
";

#[test]
fn an_edit_is_tried_with_what_customers_have() {
    let folder = tempfile::tempdir().unwrap();
    let (manifests, data) = (folder.path().join("manifests"), folder.path().join("data"));
    fs::create_dir_all(manifests.join("data")).unwrap();
    let customers = [
        json!({"ids": {"registered": "a"}, "attributes": {"city": "Brno", "age": 5, "name": "Ann"}}),
        json!({"ids": {"registered": "b"}, "attributes": {"age": "5", "name": "Bob"}}),
    ];
    let lines: String = customers.iter().map(|line| format!("{line}\n")).collect();
    fs::write(manifests.join("data/customers.ndjson"), lines).unwrap();
    fs::write(manifests.join("first.yaml"), trigger("first")).unwrap();
    fs::write(manifests.join("greeting.yaml"), GREETING.replace("TEXT", "Hello {{ customer.name }}"))
        .unwrap();
    let sandbox = Sandbox::start(folder.path(), &[]);
    let dev = Dev::start(&manifests, &data, &sandbox);
    let said = || String::from_utf8_lossy(&fs::read(data.with_extension("log")).unwrap()).into_owned();
    assert!(!said().contains("cannot be written"), "{}", said());

    let text = "{{ customer.name }}, {{ customer.city }}, {{ customer.age - 1 }}";
    fs::write(manifests.join("greeting.yaml"), GREETING.replace("TEXT", text)).unwrap();
    for warning in [
        "without `customer.city` this cannot be written",
        "for customers whose `customer.age` is a text this cannot be written",
    ] {
        wait_for(warning, || said().contains(warning).then_some(()));
    }
    // It comes in force all the same: who has a city is told.
    wait_for("a call that the new text answers", || {
        let answer = dev.call("first", &json!({})).must().expect(202).json();
        let id = answer["id"].as_str().unwrap().to_owned();
        wait_for("the end of the call", || dev.is_done(&id).then_some(()));
        let run = &dev.get(&format!("/api/v1/calls/{id}"))["runs"][0];
        ((&run["deliveries"]["sent"], &run["deliveries"]["skipped"]) == (&json!(1), &json!(1))).then_some(())
    });
}

#[test]
fn of_many_scenarios_that_want_another_param_the_log_of_a_call_names_one_and_counts_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (manifests, data) = (folder.path().join("manifests"), folder.path().join("data"));
    fs::create_dir(&manifests).unwrap();
    let sport = "apiVersion: fanfare.dev/v1alpha1\nkind: ApiTrigger\nmetadata: {name: goal}\n\
                 spec: {parameters: [{name: club, type: string}]}\n";
    fs::write(manifests.join("goal.yaml"), sport).unwrap();
    fs::write(manifests.join("out.yaml"), GREETING.split("---").next().unwrap()).unwrap();
    for club in 0..60 {
        let scenario = BROKEN
            .replace("name: broken", &format!("name: fans-of-{club:02}"))
            .replace(
                "triggerRef: {name: first}",
                &format!("triggerRef: {{name: goal}}, where: params.club == \"c{club}\""),
            )
            .replace("name: gone", "name: out");
        fs::write(manifests.join(format!("{club}.yaml")), scenario).unwrap();
    }
    let sandbox = Sandbox::start(folder.path(), &[]);
    let dev = Dev::start(&manifests, &data, &sandbox);

    let id =
        dev.call("goal", &json!({"club": "c7"})).must().expect(202).json()["id"].as_str().unwrap().to_owned();
    wait_for("the end of the call", || dev.is_done(&id).then_some(()));
    let call = dev.get(&format!("/api/v1/calls/{id}"));
    assert_eq!(call["runs"][0]["scenario"], "fans-of-07");
    let not_fired = json!([{"scenario": "fans-of-00", "more": 58,
        "reason": "`params.club == \"c0\"` is false: params.club is `c7`"}]);
    assert_eq!(call["notFired"], not_fired);
}
