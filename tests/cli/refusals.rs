//! What a command says, and how it ends, when it is not done.

use crate::command::Example;
use crate::harness::Process;

#[test]
fn a_script_can_tell_refusals_apart() {
    let example = Example::start();
    let server = example.dev.server.as_str();
    let wrong =
        example.run(&["call", "weather-alert", "--data", r#"{"properties": {"severity": "Awful"}}"#]).code(1);
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

#[test]
fn what_dev_prints_into_a_file_holds_no_password() {
    let example = Example::start();
    let printed = example.dev.process.printed();
    let trigger = example.dev.trigger("weather-alert");
    let [_, (_, key)] = example.dev.environment();
    let owner = key.split_once(':').unwrap().1.to_owned();
    for secret in [&trigger.password, &owner] {
        assert!(!printed.contains(secret), "{printed}");
    }
    assert!(printed.contains(&trigger.username) && printed.contains("Serving 1 trigger at "), "{printed}");
    assert!(printed.contains("fanfare credentials --env --data"), "{printed}");
}

#[test]
fn a_public_key_is_shown_as_the_token_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = "apiVersion: fanfare.dev/v1alpha1\nkind: ApiKey\nmetadata: {name: page}\n\
        spec: {type: Public, permissions: [Track]}\n";
    std::fs::create_dir(folder.path().join("manifests")).unwrap();
    std::fs::write(folder.path().join("manifests/key.yaml"), text).unwrap();
    let sandbox = crate::harness::Sandbox::start(folder.path(), &[]);
    let data = folder.path().join("data");
    let _dev = crate::harness::Dev::start(&folder.path().join("manifests"), &data, &sandbox);
    let run = |format: &str| {
        let arguments = ["credentials", "--data", &data.display().to_string(), "-o", format];
        String::from_utf8(Process::command(arguments).output().unwrap().stdout).unwrap()
    };
    let shown: serde_json::Value = serde_json::from_str(&run("json")).unwrap();
    let key = &shown.as_array().unwrap().iter().find(|it| it["whose"] == "key page").unwrap();
    let token = key["token"].as_str().unwrap();
    assert!(key.get("username").is_none() && !token.is_empty());
    let table = run("table");
    assert!(table.contains("Authorization: Token") && table.contains(token), "{table}");
}

#[test]
fn no_deliveries_are_said_to_be_none_of_what_was_asked_for() {
    let example = Example::start();
    let said = |arguments: &[&str]| example.run(arguments).code(0).out;
    assert_eq!(said(&["deliveries"]), "no deliveries are held; --call or --state show others\n");
    assert_eq!(said(&["deliveries", "--state", "failed"]), "no deliveries are failed\n");
    let data = format!("@{}", crate::command::example_file("calls/heat-advisory.json"));
    let call = example.run(&["call", "weather-alert", "--data", &data, "-o", "json"]).code(0).json();
    let id = call["id"].as_str().unwrap();
    assert_eq!(said(&["deliveries", "--call", id]), format!("call {id} has no deliveries\n"));
    let both = said(&["deliveries", "--call", id, "--state", "held"]);
    assert_eq!(both, format!("no deliveries of call {id} are held\n"));
    assert_eq!(said(&["deliveries", "resend", "--all"]), "0 of 0 held deliveries: resend\n");
}
