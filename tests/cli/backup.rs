//! A backup is taken while Fanfare works; what is restored knows all that was there and sends nothing by itself.

use std::process::Stdio;

use serde_json::Value;

use crate::command::{Example, example, example_file};
use crate::harness::{Dev, Process, Sandbox, wait_for};

#[test]
fn what_was_backed_up_is_restored_and_rests_until_a_person_looks() {
    let running = Example::start();
    let data = format!("@{}", example_file("calls/winter-storm.json"));
    let call = ["call", "weather-alert", "--data", &data, "--watch", "-o", "json"];
    let first = running.run(&call).code(0).json()["id"].as_str().unwrap().to_owned();
    let place = running.folder.path().join("data");
    let archive = running.folder.path().join("backup.tar");
    let mut backup = Process::command(["backup", "--data", &place.display().to_string()]);
    let backed_up = backup.stdout(std::fs::File::create(&archive).unwrap()).status().unwrap();
    assert!(backed_up.success());
    running.run(&call).code(0);

    let restored = tempfile::tempdir().unwrap();
    let other = restored.path().join("data");
    let restore = |archive: &std::path::Path| {
        let mut restore = Process::command(["restore", "--data", &other.display().to_string()]);
        restore.stdin(Stdio::from(std::fs::File::open(archive).unwrap())).output().unwrap()
    };
    let told = restore(&archive);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let again = restore(&archive);
    assert!(String::from_utf8_lossy(&again.stderr).contains("restore into an empty folder"));

    let sandbox = Sandbox::start(restored.path(), &[]);
    let dev = Dev::start_by(&mut Dev::command(&example(), &other, &sandbox), &other);
    let example = Example { dev, sandbox, folder: restored };
    let known: Value = example.run(&["log", "-o", "json"]).code(0).json();
    let known = known["items"].as_array().unwrap();
    assert_eq!(known.len(), 1, "what came after the backup is not in it");
    assert_eq!(known[0]["id"], *first);
    assert!(example.run(&["customers", "get", "C-10001"]).code(0).out.contains("Mateo"));
    let pauses = example.run(&["pauses"]).code(0).out;
    assert!(pauses.contains("restored as of"), "{pauses}");
    let id = example.run(&call[..4]).code(0).out;
    assert!(!id.is_empty());
    example.run(&["resume", "runtime"]).code(0);
    wait_for("messages once it is resumed", || (!example.sandbox.messages().is_empty()).then_some(()));
}
