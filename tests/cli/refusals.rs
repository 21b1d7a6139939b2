//! What a command says, and how it ends, when it is not done.

use crate::command::Example;
use crate::harness::Process;

#[test]
fn a_script_can_tell_refusals_apart() {
    let example = Example::start();
    let server = example.dev.server.as_str();
    let wrong = example.run(&["call", "weather-alert", "--data", r#"{"properties": {}}"#]).code(1);
    assert!(wrong.err.contains("severity") && wrong.err.contains("(422)"), "{}", wrong.err);
    assert!(wrong.out.is_empty());
    let unknown = example.run(&["call", "no-such-trigger"]).code(1);
    assert!(unknown.err.contains("(404)"), "{}", unknown.err);
    example.run(&["log", "--limit", "none"]).code(2);
    let keyless = example.run_with(&["log"], server, None).code(4);
    assert!(keyless.err.contains("FANFARE_API_KEY"), "{}", keyless.err);
    example.run_with(&["log"], server, Some("nobody:at-all")).code(4);
    let malformed = example.run_with(&["log"], server, Some("no-colon")).code(2);
    assert!(!malformed.err.contains("no-colon"), "{}", malformed.err);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let mut command = Process::command(["log", "--server", "http://127.0.0.1:1"]);
    let output = command.env("FANFARE_API_KEY", "a:b").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot reach http://127.0.0.1:1"));
}

#[test]
fn the_same_key_is_the_same_call() {
    let example = Example::start();
    let data = format!("@{}", crate::command::example_file("calls/heat-advisory.json"));
    let call = ["call", "weather-alert", "--data", &data, "--idempotency-key", "k", "-o", "json"];
    let (first, again) = (example.run(&call).code(0).json(), example.run(&call).code(0).json());
    assert_eq!(first["id"], again["id"]);
    let other = ["call", "weather-alert", "--data", "{}", "--idempotency-key", "k"];
    example.run(&other).code(1);
}

#[test]
fn what_dev_generated_is_shown_from_its_data_folder() {
    let example = Example::start();
    let data = example.folder.path().join("data").to_string_lossy().into_owned();
    let shown = example.run(&["credentials", "weather-alert", "--data", &data, "-o", "json"]).code(0).json();
    let trigger = example.dev.trigger("weather-alert");
    assert_eq!(shown[0]["password"], trigger.password.as_str());
    example.run(&["credentials", "--data", "/nonexistent"]).code(1);
}

#[test]
fn a_delivery_that_is_not_there_is_not_said_to_be_something_else() {
    let example = Example::start();
    for verb in ["resend", "close"] {
        let refused = example.run(&["deliveries", verb, "9999-1-1"]).code(1);
        assert!(refused.err.contains("there is no delivery \"9999-1-1\""), "{}", refused.err);
    }
}

#[test]
fn shells_get_their_completion() {
    for shell in ["bash", "zsh", "fish"] {
        let output = Process::command(["completion", shell]).output().unwrap();
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("fanfare"));
    }
}
