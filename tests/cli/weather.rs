//! The example's story, typed by a person: call, watch, read. `fanfare dev` has loaded its customers and events.

use fanfare::sandbox::Protocol;
use serde_json::{Value, json};

use crate::command::{Example, example_file};

/// What `calls/expected.json` says of a call.
fn expected(call: &str) -> Value {
    let text = std::fs::read_to_string(example_file("calls/expected.json")).unwrap();
    let calls: Vec<Value> = serde_json::from_str(&text).unwrap();
    calls.into_iter().find(|expected| expected["call"] == call).unwrap()
}

fn watched(example: &Example, call: &str) -> Value {
    let data = format!("@{}", example_file(&format!("calls/{call}")));
    example.run(&["call", "weather-alert", "--data", &data, "--watch", "-o", "json"]).code(0).json()
}

/// The counts that are not 0.
fn counted(deliveries: &Value) -> Value {
    let there = deliveries.as_object().unwrap().iter().filter(|(_, count)| **count != json!(0));
    Value::Object(there.map(|(state, count)| (state.clone(), count.clone())).collect())
}

#[test]
fn a_snowstorm_fires_both_scenarios_as_the_example_promises() {
    fires_both_scenarios(&Example::start());
}

#[test]
fn a_snowstorm_fires_both_scenarios_on_postgres() {
    fires_both_scenarios(&Example::start_on_postgres());
}

fn fires_both_scenarios(example: &Example) {
    let (call, promised) = (watched(example, "winter-storm.json"), expected("winter-storm.json"));
    let runs = call["runs"].as_array().unwrap();
    assert_eq!(runs.len(), promised["runs"].as_array().unwrap().len(), "{call}");
    for promise in promised["runs"].as_array().unwrap() {
        let run = runs.iter().find(|run| run["scenario"] == promise["scenario"]).unwrap();
        assert_eq!((&run["state"], &run["audience"]), (&promise["state"], &promise["audience"]), "{run}");
        assert_eq!(counted(&run["deliveries"]), promise["deliveries"], "{run}");
    }
    let messages = example.sandbox.messages();
    let mails = messages.iter().filter(|message| message.protocol == Protocol::Smtp).count();
    assert_eq!(mails, promised["received"]["mail"], "mails in the sandbox's record");
    assert_eq!(messages.len() - mails, promised["received"]["sms"], "SMS in the sandbox's record");

    let id = call["id"].as_str().unwrap();
    let shown = example.run(&["log", id]).code(0).out;
    assert!(shown.contains("snowstorm-warning") && shown.contains("sent 68"), "{shown}");
    let skipped = example.run(&["deliveries", "--call", id, "--state", "skipped"]).code(0).out;
    assert_eq!(skipped.lines().count(), 1 + 3, "{skipped}");
    assert!(example.run(&["log", "--trigger", "weather-alert"]).code(0).out.contains(id));
}

#[test]
fn a_heat_advisory_fires_nothing_and_the_log_says_why() {
    fires_nothing(&Example::start());
}

#[test]
fn a_heat_advisory_fires_nothing_on_postgres() {
    fires_nothing(&Example::start_on_postgres());
}

fn fires_nothing(example: &Example) {
    let call = watched(example, "heat-advisory.json");
    assert_eq!(call["runs"], json!([]));
    let mut names: Vec<&str> = call["notFired"]
        .as_array()
        .unwrap()
        .iter()
        .map(|other| other["scenario"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(json!(names), expected("heat-advisory.json")["notFired"]);
    let shown = example.run(&["log", call["id"].as_str().unwrap()]).code(0).out;
    assert!(
        shown.contains("Heat Advisory") && shown.contains("not fired".to_uppercase().as_str()),
        "{shown}"
    );
    assert!(example.sandbox.messages().is_empty());
}

#[test]
fn a_customer_is_shown_and_changed() {
    shows_and_changes_a_customer(&Example::start());
}

#[test]
fn a_customer_is_shown_and_changed_on_postgres() {
    shows_and_changes_a_customer(&Example::start_on_postgres());
}

fn shows_and_changes_a_customer(example: &Example) {
    let file = example.file("moved.csv", "registered,city\nC-10001,Olean\n");
    assert_eq!(example.run(&["import", "customers", &file]).code(0).out, "1 customer imported\n");
    let shown = example.run(&["customers", "get", "C-10001"]).code(0).out;
    assert!(shown.contains("Mateo") && shown.contains("Olean") && shown.contains("consent sms"), "{shown}");
    let missing = example.run(&["customers", "get", "c-10001"]).code(1);
    assert!(missing.err.contains("case-sensitive"), "{}", missing.err);
}
