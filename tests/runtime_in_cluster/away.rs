//! The API server is away: what was in force stays in force, also across a restart.

use std::sync::Arc;

use serde_json::json;

use crate::harness::cluster::Cluster;
use crate::harness::{Process, Request, wait_for};
use crate::space::{PASSWORD, Space, kind, scenario, trigger};
use crate::tenant::unreachable;

#[test]
fn it_answers_while_the_api_server_hangs_or_is_gone_and_after_a_restart_of_its_own() {
    let cluster = Arc::new(Cluster::own());
    let space = Space::on(Arc::clone(&cluster));
    space.story();
    let signing = json!({"secretKeyRef": {"name": "hook-signing", "key": "key"}});
    let url = format!("http://{}/hooks/signed", space.sandbox.http);
    space.grant(&["storm-trigger", "crm-apikey", "hook-signing"]);
    let allowed = json!({"fanfare.dev/allow": "channel"});
    space.secret("hook-signing", allowed, &[("key", "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=")]);
    space.apply(&kind("Channel", "signed", json!({"webhook": {"url": url, "signingSecret": signing}})));
    space.apply(&scenario("signed", "storm", "signed", "{{ params.alert }}"));
    let mut runtime = space.start();
    runtime.until_answered("storm", "storm-1", 202);
    runtime.until_reported("every Secret", |report| {
        let secrets = report["secrets"].as_object().unwrap();
        secrets.len() == 3 && secrets.values().all(|secret| !secret["read"].is_null())
    });
    runtime.customer("ann");
    let sent_by_both = |alert: &str| {
        wait_for("both messages", || {
            let both = ["hook", "signed"].map(|hook| space.received(hook, alert));
            (both == [1, 1]).then_some(())
        });
    };
    cluster.signal_api_server("STOP");
    assert_eq!(runtime.call_about("hangs", "storm", "storm-1", PASSWORD).status, 202);
    sent_by_both("hangs");
    cluster.signal_api_server("KILL");
    assert_eq!(runtime.call_about("gone", "storm", "storm-1", PASSWORD).status, 202);
    assert_eq!(Request::get(format!("{}/readyz", runtime.admin)).must().status, 200);
    sent_by_both("gone");
    assert!(runtime.process.terminate().success());
    drop(runtime);

    let runtime = space.start();
    assert_eq!(runtime.call_about("again", "storm", "storm-1", PASSWORD).status, 202);
    assert_eq!(runtime.call("storm", "storm-1", "wrong").status, 401);
    assert_eq!(Request::get(format!("{}/readyz", runtime.admin)).must().status, 200);
    // What needs no secret is sent; what does waits for the Secret.
    wait_for("the message", || (space.received("hook", "again") == 1).then_some(()));
    let report = runtime.until_reported("the channel", |report| !report["channels"]["signed"].is_null());
    assert!(!report["channels"]["signed"]["unconnected"].is_null(), "{report}");
    assert_eq!(space.received("signed", "again"), 0);
    assert!(!report["objects"]["ApiTrigger/storm"].is_null(), "{report}");
}

#[test]
fn with_nothing_in_its_store_it_is_alive_and_not_ready() {
    let space = Space::new();
    let kubeconfig = std::fs::read_to_string(space.kubeconfig()).unwrap();
    std::fs::write(space.kubeconfig(), unreachable(&kubeconfig)).unwrap();
    let admin = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = space.command_with_admin(&admin.to_string());
    let mut process = Process::start(&mut command, &space.log());
    let ask = |path: &str| Request::get(format!("http://{admin}{path}")).send();
    wait_for("the reason", || {
        let answer = ask("/readyz").ok()?;
        (answer.status == 503 && answer.body.contains("cannot be listed")).then_some(())
    });
    assert_eq!(ask("/livez").unwrap().status, 200);
    assert!(process.terminate().success(), "{}", process.printed());
}

#[test]
fn one_object_that_cannot_be_read_disturbs_no_other() {
    // The schema of an API server with a newer Fanfare lets through what this version does not know.
    let cluster = Arc::new(Cluster::own());
    let crd = r#"[{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec",
        "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]"#;
    let space = Space::on(Arc::clone(&cluster));
    space.grant(&["storm-trigger"]);
    space.generated("storm-trigger", &[("username", "a"), ("password", PASSWORD)]);
    space.apply(&trigger("storm"));
    let runtime = space.start();
    runtime.until_answered("storm", "a", 202);
    let patched = cluster.kubectl(&["patch", "crd", "apitriggers.fanfare.dev", "--type=json", "-p", crd]);
    assert!(patched.status.success(), "{}", String::from_utf8_lossy(&patched.stderr));
    wait_for("the new schema", || {
        let newer =
            json!({"spec": {"parameters": [{"name": "alert", "type": "from-the-future"}]}}).to_string();
        let patch = ["patch", "apitrigger", "storm", "--type=merge", "-p", &newer];
        space.kubectl(&patch).status.success().then_some(())
    });
    space.apply(&trigger("other"));
    runtime.until_reported("the other", |report| !report["objects"]["ApiTrigger/other"].is_null());
    assert_eq!(runtime.call("storm", "a", PASSWORD).status, 202);
    wait_for("a word about it", || {
        runtime.process.printed().contains("ApiTrigger storm cannot be read").then_some(())
    });
}
