//! What is going out can be stopped by hand, and goes on or is given up.

use serde_json::Value;

use crate::command::{Example, example_file};
use crate::harness::wait_for;

fn call(example: &Example) -> String {
    let data = format!("@{}", example_file("calls/winter-storm.json"));
    let called = example.run(&["call", "weather-alert", "--data", &data, "--output", "json"]).code(0).json();
    called["id"].as_str().unwrap().to_owned()
}

/// The states of a call's runs, by scenario.
fn states(example: &Example, call: &str) -> Vec<(String, String)> {
    let shown: Value = example.run(&["log", call, "--output", "json"]).code(0).json();
    let text = |run: &Value, key: &str| run[key].as_str().unwrap().to_owned();
    shown["runs"].as_array().unwrap().iter().map(|run| (text(run, "scenario"), text(run, "state"))).collect()
}

#[test]
fn a_paused_scenario_waits_for_a_person_and_the_other_does_not() {
    let example = Example::start();
    let paused = ["pause", "scenario", "snowstorm-warning", "--reason", "wrong link"];
    let told = example.run(&paused).code(0).out;
    assert!(told.starts_with("scenario snowstorm-warning rests since "), "{told}");
    example.run(&paused).code(0);
    let list = example.run(&["pauses"]).code(0).out;
    assert!(list.contains("wrong link") && list.contains("owner"), "{list}");

    let id = call(&example);
    let is = |state: &str, scenario: &str| {
        states(&example, &id).contains(&(scenario.to_owned(), state.to_owned()))
    };
    wait_for("the other scenario to be done", || is("done", "snowstorm-briefing").then_some(()));
    assert!(!is("done", "snowstorm-warning"));
    let on = example.run(&["resume", "scenario", "snowstorm-warning"]).code(0).out;
    assert_eq!(on, "scenario snowstorm-warning goes on\n");
    wait_for("the scenario to be done", || is("done", "snowstorm-warning").then_some(()));
    let again = example.run(&["resume", "scenario", "snowstorm-warning"]).code(1);
    assert!(again.err.contains("is not paused"), "{}", again.err);
    assert_eq!(example.run(&["pauses"]).code(0).out, "nothing is paused\n");
}

#[test]
fn a_call_of_which_one_run_was_cancelled_is_partly_done() {
    let example = Example::start();
    example.run(&["pause", "scenario", "snowstorm-warning"]).code(0);
    let id = call(&example);
    let is = |state: &str, scenario: &str| {
        states(&example, &id).contains(&(scenario.to_owned(), state.to_owned()))
    };
    wait_for("the other scenario to be done", || is("done", "snowstorm-briefing").then_some(()));
    let waiting = example.run(&["log", &id]).code(0).out;
    assert!(waiting.contains("scenario snowstorm-warning was paused by "), "{waiting}");
    example.run(&["log", &id, "--check"]).code(0);
    example.run(&["cancel", "scenario", "snowstorm-warning"]).code(0);
    wait_for("the scenario to be cancelled", || is("cancelled", "snowstorm-warning").then_some(()));
    let ended = example.run(&["log", &id, "--check", "-o", "json"]).code(5).json();
    assert_eq!(ended["status"], "partly");
    for (status, is_found) in [("partly", true), ("cancelled", true), ("done", false), ("running", false)] {
        let found = example.run(&["log", "--status", status]).code(0).out;
        assert_eq!(found.contains(&id), is_found, "{status}: {found}");
    }
    let wrong = example.run(&["log", "--status", "finished"]).code(1).err;
    assert!(wrong.contains("partly"), "{wrong}");
}

#[test]
fn a_call_is_cancelled_while_everything_rests() {
    let example = Example::start_on_postgres();
    example.run(&["pause", "runtime"]).code(0);
    let id = call(&example);
    wait_for("both to have begun", || (states(&example, &id).len() == 2).then_some(()));
    let told = example.run(&["cancel", "call", &id]).code(0).out;
    assert_eq!(told, format!("2 runs of call {id} are cancelled; `fanfare log` has the counts\n"));
    wait_for("both to be at their end", || {
        states(&example, &id).iter().all(|(_, state)| state == "cancelled").then_some(())
    });
    let none = example.run(&["cancel", "runtime"]).code(0).out;
    assert_eq!(none, "nothing of runtime was under way\n");
    example.run(&["resume", "runtime"]).code(0);
}

#[test]
fn a_typing_error_is_no_stop() {
    let example = Example::start();
    let wrong = example.run(&["pause", "scenario", "snowstorm-warnung"]).code(1);
    assert!(wrong.err.contains("there is no scenario snowstorm-warnung; there are: "), "{}", wrong.err);
    assert!(wrong.err.contains("snowstorm-warning"), "{}", wrong.err);
    let unknown = example.run(&["cancel", "call", "019b2f6c-3c1e-7d40-a3f5-8f1d2c4b5a69"]).code(1);
    assert!(unknown.err.contains("in the log"), "{}", unknown.err);
    assert!(example.run(&["pause", "channel"]).code(2).err.contains("NAME"));
    for verb in ["pause", "resume", "cancel"] {
        let named = example.run(&[verb, "runtime", "snowstorm-warning"]).code(2);
        assert!(named.err.contains("the runtime takes no name"), "{}", named.err);
    }
    assert_eq!(example.run(&["pauses"]).code(0).out, "nothing is paused\n");
}
