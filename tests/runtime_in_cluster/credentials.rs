//! Secrets: read by name, used for what they allow, rotated without a call that is turned away.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::harness::{Request, wait_for};
use crate::space::{PASSWORD, Space, kind, scenario, trigger};

/// What a Secret of a rotation holds, and the username that is told to callers meanwhile.
const STEPS: [(&[(&str, &str)], &str); 3] = [
    (&[("username", "a"), ("password", PASSWORD), ("nextUsername", "b"), ("nextPassword", PASSWORD)], "a"),
    (
        &[
            ("username", "b"),
            ("password", PASSWORD),
            ("previousUsername", "a"),
            ("previousPassword", PASSWORD),
        ],
        "b",
    ),
    (&[("username", "b"), ("password", PASSWORD)], "b"),
];

#[test]
fn a_rotation_turns_no_call_away() {
    let space = Space::new();
    space.grant(&["storm-trigger"]);
    space.generated("storm-trigger", &[("username", "a"), ("password", PASSWORD)]);
    space.apply(&trigger("storm"));
    let runtime = space.start();
    runtime.until_answered("storm", "a", 202);
    let ended = AtomicBool::new(false);
    let told = std::sync::Mutex::new("a");
    std::thread::scope(|scope| {
        let calls = scope.spawn(|| {
            let mut calls = 0_u32;
            while !ended.load(Ordering::Relaxed) {
                let username = *told.lock().unwrap();
                let answer = runtime.call("storm", username, PASSWORD);
                assert_eq!(answer.status, 202, "{username} after {calls} calls");
                calls += 1;
            }
            calls
        });
        for (number, (data, username)) in STEPS.iter().enumerate() {
            space.generated("storm-trigger", data);
            let secret = ["get", "secret", "storm-trigger", "-o", "jsonpath={.metadata.resourceVersion}"];
            let revision = String::from_utf8(space.kubectl(&secret).stdout).unwrap();
            let status = json!({"status": {"secretRevision": number.to_string()}}).to_string();
            let patch =
                ["patch", "apitrigger", "storm", "--subresource=status", "--type=merge", "-p", &status];
            assert!(space.kubectl(&patch).status.success());
            runtime.until_reported("the Secret", |report| {
                report["secrets"]["storm-trigger"]["read"] == revision.as_str()
            });
            *told.lock().unwrap() = username;
        }
        ended.store(true, Ordering::Relaxed);
        assert!(calls.join().unwrap() > 3);
    });
    runtime.until_answered("storm", "a", 401);
}

#[test]
fn a_users_secret_without_the_label_is_named_and_one_with_it_is_used() {
    let space = Space::new();
    space.grant(&["hook-signing", "theirs"]);
    space.secret("hook-signing", json!({}), &[("key", "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=")]);
    space.secret("theirs", json!({}), &[("username", "me"), ("password", PASSWORD)]);
    let url = format!("http://{}/hooks/hook", space.sandbox.http);
    let signing = json!({"secretKeyRef": {"name": "hook-signing", "key": "key"}});
    space.apply(&kind("Channel", "hook", json!({"webhook": {"url": url, "signingSecret": signing}})));
    let mut storm = trigger("storm");
    storm["spec"]["auth"] = json!({"basic": {"secretRef": {"name": "theirs"}}});
    space.apply(&storm);
    space.apply(&scenario("warn", "storm", "hook", "hello"));
    let runtime = space.start();
    let unreadable =
        |report: &serde_json::Value, name: &str| report["secrets"][name]["unreadable"].to_string();
    let report = runtime.until_reported("both Secrets", |report| {
        ["hook-signing", "theirs"].iter().all(|name| unreadable(report, name).contains("kubectl label"))
    });
    assert!(unreadable(&report, "hook-signing").contains("fanfare.dev/allow=channel"), "{report}");
    assert!(unreadable(&report, "theirs").contains("fanfare.dev/allow=trigger"), "{report}");
    runtime.until_reported("the channel", |report| !report["channels"]["hook"]["unconnected"].is_null());
    assert_eq!(runtime.call("storm", "me", PASSWORD).status, 401);
    for (secret, label) in [("hook-signing", "channel"), ("theirs", "trigger")] {
        let label = format!("fanfare.dev/allow={label}");
        assert!(space.kubectl(&["label", "secret", secret, &label]).status.success());
    }
    // Anything that happens to what refers to them makes them be read again.
    for (kind, name) in [("channel", "hook"), ("apitrigger", "storm")] {
        assert!(space.kubectl(&["annotate", kind, name, "example.com/again=1"]).status.success());
    }
    runtime.until_answered("storm", "me", 202);
    runtime.until_reported("the channel", |report| report["channels"]["hook"] == "untried");
}

#[test]
fn a_public_keys_token_calls_its_trigger_and_nothing_more() {
    let space = Space::new();
    space.grant(&["page-apikey", "storm-trigger"]);
    space.generated("page-apikey", &[("token", "in-a-page")]);
    let mut storm = trigger("storm");
    storm["spec"]["rateWindow"] = json!({"calls": 100, "per": "1m"});
    space.apply(&storm);
    let spec = json!({"type": "Public", "permissions": ["Trigger"], "triggers": [{"name": "storm"}]});
    space.apply(&kind("ApiKey", "page", spec));
    let runtime = space.start();
    let call = |token: &str| {
        let url = format!("{}/in/{}/storm", runtime.calls, space.name);
        let request = Request::post(url).header("Authorization", &format!("Token {token}"));
        request.json(&json!({"alert": "x"})).must().status
    };
    wait_for("the token", || (call("in-a-page") == 202).then_some(()));
    assert_eq!(call("made-up"), 401);
}

#[test]
fn a_label_that_somebody_else_writes_over_ends_no_call() {
    let space = Space::new();
    space.grant(&["storm-trigger"]);
    space.apply(&trigger("storm"));
    let get = |kind: &str, name: &str, path: &str| {
        let path = format!("jsonpath={{.metadata.{path}}}");
        String::from_utf8(space.kubectl(&["get", kind, name, "-o", &path]).stdout).unwrap()
    };
    space.generated("storm-trigger", &[("username", "a"), ("password", PASSWORD)]);
    let uid = get("apitrigger", "storm", "uid");
    let owner = json!({"apiVersion": "fanfare.dev/v1alpha1", "kind": "ApiTrigger", "name": "storm", "uid": uid,
        "controller": true});
    let patch = json!({"metadata": {"ownerReferences": [owner]}}).to_string();
    assert!(
        space.kubectl(&["patch", "secret", "storm-trigger", "--type=merge", "-p", &patch]).status.success()
    );
    let runtime = space.start();
    runtime.until_answered("storm", "a", 202);
    let label = "app.kubernetes.io/managed-by=argocd";
    assert!(space.kubectl(&["label", "secret", "storm-trigger", "--overwrite", label]).status.success());
    assert!(space.kubectl(&["annotate", "apitrigger", "storm", "example.com/again=1"]).status.success());
    let revision = get("secret", "storm-trigger", "resourceVersion");
    runtime.until_reported("that it is read as it is", |report| {
        report["secrets"]["storm-trigger"]["read"] == revision.as_str()
    });
    assert_eq!(runtime.call("storm", "a", PASSWORD).status, 202);
}

#[test]
fn a_secret_that_is_deleted_stops_working() {
    let space = Space::new();
    space.grant(&["storm-trigger"]);
    space.generated("storm-trigger", &[("username", "a"), ("password", PASSWORD)]);
    space.apply(&trigger("storm"));
    let runtime = space.start();
    runtime.until_answered("storm", "a", 202);
    space.delete("secret", "storm-trigger");
    assert!(space.kubectl(&["annotate", "apitrigger", "storm", "example.com/again=1"]).status.success());
    runtime.until_answered("storm", "a", 401);
    runtime.until_reported("that it is gone", |report| {
        report["secrets"]["storm-trigger"]["unreadable"].to_string().contains("there is no Secret")
    });
}
