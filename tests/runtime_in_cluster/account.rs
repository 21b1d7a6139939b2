//! What the account of a runtime may do, and all that it may not.

use crate::harness::cluster::stderr;
use crate::space::{PASSWORD, Space, trigger};

#[test]
fn a_runtime_needs_no_more_than_to_read_what_it_is_told_by_name() {
    let space = Space::new();
    space.grant(&["storm-trigger"]);
    space.generated("storm-trigger", &[("username", "a"), ("password", PASSWORD)]);
    space.generated("others", &[("username", "a"), ("password", PASSWORD)]);
    space.apply(&trigger("storm"));
    let runtime = space.start();
    runtime.until_answered("storm", "a", 202);
    let kubeconfig = format!("--kubeconfig={}", space.kubeconfig().display());
    let may = |verb: &str, what: &str| {
        let output = space.cluster.kubectl(&[&kubeconfig, "-n", &space.name, "auth", "can-i", verb, what]);
        match String::from_utf8_lossy(&output.stdout).trim() {
            "yes" => true,
            "no" => false,
            _ => panic!("{}", stderr(&output)),
        }
    };
    assert!(may("get", "secrets/storm-trigger") && may("watch", "apitriggers.fanfare.dev"));
    assert!(may("list", "configmaps") && may("watch", "services"));
    for verb in ["list", "watch", "create", "update", "patch", "delete"] {
        assert!(!may(verb, "secrets"), "{verb} secrets");
    }
    assert!(!may("get", "secrets/others"));
    for verb in ["create", "update", "patch", "delete"] {
        for what in
            ["apitriggers.fanfare.dev", "apitriggers.fanfare.dev/status", "configmaps", "services", "pods"]
        {
            assert!(!may(verb, what), "{verb} {what}");
        }
    }
    assert!(!runtime.process.printed().contains("forbidden"), "it asked for what it may not have");
}

#[test]
fn without_its_role_it_says_what_it_may_not_and_serves_once_it_may() {
    let space = Space::new();
    let binding = space.kubectl(&["get", "rolebinding", "main-runtime", "-o", "json"]).stdout;
    let mut binding: serde_json::Value = serde_json::from_slice(&binding).unwrap();
    let metadata = serde_json::json!({"name": "main-runtime"});
    binding["metadata"] = metadata;
    space.delete("rolebinding", "main-runtime");
    let admin = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = space.command_with_admin(&admin.to_string());
    let mut process = crate::harness::Process::start(&mut command, &space.log());
    let ask = |path: &str| crate::harness::Request::get(format!("http://{admin}{path}")).send();
    crate::harness::wait_for("the reason", || {
        let answer = ask("/readyz").ok()?;
        (answer.status == 503 && answer.body.contains("forbidden")).then_some(())
    });
    assert_eq!(ask("/livez").unwrap().status, 200);
    space.apply(&binding);
    crate::harness::wait_for("readiness", || (ask("/readyz").ok()?.status == 200).then_some(()));
    assert!(process.terminate().success());
}
