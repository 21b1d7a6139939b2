//! What is applied is in force within moments, without a restart; what is broken holds up nothing but itself.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{until, wait_for};
use crate::space::{PASSWORD, Space, kind, scenario, trigger};

/// A Secret that was not there is looked for again after five seconds; nobody waits that long.
const LESS_THAN_A_LOOK: Duration = Duration::from_secs(4);

#[test]
fn a_trigger_that_is_applied_takes_calls_and_each_customer_gets_a_message() {
    let space = Space::new();
    let runtime = space.start();
    space.story();
    runtime.until_answered("storm", "storm-1", 202);
    runtime.until_story();
    runtime.customer("ann");
    assert_eq!(runtime.call_about("snow", "storm", "storm-1", PASSWORD).status, 202);
    wait_for("the message", || (space.received("hook", "snow") == 1).then_some(()));
    runtime.until_reported("an answer of the provider", |report| report["channels"]["hook"] == "answers");
    assert_eq!(runtime.call("storm", "storm-1", "wrong").status, 401);
    assert_eq!(runtime.call("nobody", "storm-1", PASSWORD).status, 404);
}

#[test]
fn a_trigger_takes_calls_as_soon_as_its_secret_is_there() {
    let space = Space::new();
    let runtime = space.start();
    space.grant(&["storm-trigger"]);
    space.apply(&trigger("storm"));
    runtime.until_answered("storm", "storm-1", 401);
    space.generated("storm-trigger", &[("username", "storm-1"), ("password", PASSWORD)]);
    let begun = Instant::now();
    // As the operator does once it has made the Secret.
    let status = json!({"status": {"secretRevision": "1"}}).to_string();
    let patch = ["patch", "apitrigger", "storm", "--subresource=status", "--type=merge", "-p", &status];
    let patched = space.kubectl(&patch);
    assert!(patched.status.success(), "{}", String::from_utf8_lossy(&patched.stderr));
    until("a call that is taken", LESS_THAN_A_LOOK, || {
        (runtime.call("storm", "storm-1", PASSWORD).status == 202).then_some(())
    });
    println!("taken {:?} after the Secret", begun.elapsed());
}

#[test]
fn an_edit_is_in_force_without_a_restart_and_a_broken_one_keeps_what_was_good() {
    let space = Space::new();
    space.story();
    let runtime = space.start();
    runtime.until_answered("storm", "storm-1", 202);
    runtime.until_story();
    runtime.customer("ann");
    let digest = |name: &str| runtime.report()["objects"][name].clone();
    let first = digest("Scenario/warn");
    space.apply(&scenario("warn", "storm", "hook", "second"));
    runtime.until_reported("the edit", |report| report["objects"]["Scenario/warn"] != first);
    assert_eq!(runtime.call("storm", "storm-1", PASSWORD).status, 202);
    wait_for("the edited message", || (space.received("hook", "second") > 0).then_some(()));
    let second = digest("Scenario/warn");
    // Its schema lets this through; only compiling finds that there is no such parameter.
    space.apply(&scenario("warn", "storm", "hook", "{{ params.nothing }}"));
    space.apply(&scenario("other", "storm", "hook", "other"));
    space.apply(&trigger("later"));
    runtime.until_reported("what is not broken", |report| {
        !report["objects"]["Scenario/other"].is_null() && !report["objects"]["ApiTrigger/later"].is_null()
    });
    assert_eq!(digest("Scenario/warn"), second, "the last good version stays");
    assert!(runtime.process.printed().contains("no parameter `nothing` is declared"));
}

#[test]
fn the_endpoint_of_a_deleted_trigger_is_closed() {
    let space = Space::new();
    space.story();
    let runtime = space.start();
    runtime.until_answered("storm", "storm-1", 202);
    // Somebody's finalizer keeps the object for as long as it likes: it counts as gone all the same.
    let finalizer = json!({"metadata": {"finalizers": ["example.com/hold"]}}).to_string();
    assert!(
        space.kubectl(&["patch", "apitrigger", "storm", "--type=merge", "-p", &finalizer]).status.success()
    );
    assert!(space.kubectl(&["delete", "apitrigger", "storm", "--wait=false"]).status.success());
    runtime.until_answered("storm", "storm-1", 404);
    let none = json!({"metadata": {"finalizers": null}}).to_string();
    assert!(space.kubectl(&["patch", "apitrigger", "storm", "--type=merge", "-p", &none]).status.success());
}

#[test]
fn the_oldest_runtime_is_in_force_until_it_goes() {
    let space = Space::new();
    let runtime = space.start();
    let later = kind("Runtime", "aaa", json!({"storage": {"sqlite": {"size": "2Gi"}}}));
    // Times of objects are whole seconds: another must be younger to be so seen.
    wait_for("the next second", || {
        let made = space.cluster.ask(&[
            "-n",
            &space.name,
            "get",
            "runtime",
            "main",
            "-o",
            "jsonpath={.metadata.creationTimestamp}",
        ]);
        let made: jiff::Timestamp = made.parse().unwrap();
        (jiff::Timestamp::now().as_second() > made.as_second()).then_some(())
    });
    space.apply(&later);
    runtime.until_reported("the Runtime", |report| !report["objects"]["Runtime/main"].is_null());
    space.delete("runtime", "main");
    let report = runtime.until_reported("the next", |report| !report["objects"]["Runtime/aaa"].is_null());
    assert!(report["objects"]["Runtime/main"].is_null());
}
