//! A thousand triggers and a thousand scenarios in one namespace: in force quickly and within memory.

use std::time::Instant;

use serde_json::json;

use crate::harness::wait_for;
use crate::space::{Space, scenario, trigger};

const EACH: usize = 1000;

#[test]
fn a_thousand_triggers_and_scenarios_are_in_force_within_memory() {
    let space = Space::new();
    let name = |n: usize| format!("t{n:04}");
    let mut items: Vec<_> = (0..EACH).map(|n| trigger(&name(n))).collect();
    items.push(space.hook("hook"));
    items.extend((0..EACH).map(|n| scenario(&name(n), &name(n), "hook", "hello {{ customer.first_name }}")));
    let runtime = space.start();
    let begun = Instant::now();
    space.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}));
    let applied = begun.elapsed();
    let count = || {
        let report = runtime.report();
        report["objects"].as_object().unwrap().keys().filter(|key| key.starts_with("Scenario/")).count()
    };
    wait_for("all of them", || (count() == EACH).then_some(()));
    let in_force = begun.elapsed();
    let before = runtime.report()["objects"]["Scenario/t0500"].clone();
    space.apply(&scenario(&name(500), &name(500), "hook", "edited"));
    let begun = Instant::now();
    runtime.until_reported("an edit of one", |report| report["objects"]["Scenario/t0500"] != before);
    println!("an edit of one is in force {:?} after kubectl has returned", begun.elapsed());
    let memory = runtime.process.memory_max_mib();
    println!("applied in {applied:?}, in force {:?} later, {memory} MiB at most", in_force - applied);
    assert!(memory < 200, "{memory} MiB");
    drop(runtime);
    let begun = Instant::now();
    let runtime = space.start();
    println!("taken up from the store in {:?}, {} MiB", begun.elapsed(), runtime.process.memory_max_mib());
}
