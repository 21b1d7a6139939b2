//! Calls from outside, through a Gateway and an Ingress: only `/in/…` is reachable, and a Gateway's refusal is told in
//! its own words.

use std::time::Duration;

use crate::harness::cluster::{file, stderr};
use crate::harness::{Answer, Request, until};
use crate::node::{Node, SOON};
use crate::space::{RUNTIME, Space, TRIGGER};
use crate::turns::among_others;

/// Where Traefik's entry is on the node.
const ENTRY: u16 = 30_080;

#[test]
fn only_calls_come_in_by_gateway_and_ingress() {
    let _others = among_others();
    let space = Space::new("exposed");
    traefik(&space.node);
    space.apply(TRIGGER);
    space.apply(RUNTIME);
    space.until_ready("runtime/main");

    expose(&space, "{route: {parentRefs: [{name: web, namespace: traefik}], hostnames: [route.test]}}");
    let said = space.until_reason("runtime", "main", "Exposed", "Succeeded");
    assert!(said.contains("Gateway traefik/web accepts the route"), "{said}");
    until_url(&space, "http://route.test:8000/in/exposed/storm");
    only_calls_come_in(&space, "route.test");

    expose(&space, "{ingress: {className: traefik, host: ingress.test}}");
    until_url(&space, "http://ingress.test/in/exposed/storm");
    only_calls_come_in(&space, "ingress.test");
    space.node.until_gone(&["httproutes", "-n", "exposed"]);

    // A Gateway that takes routes of its own namespace only.
    expose(&space, "{route: {parentRefs: [{name: closed, namespace: traefik}], hostnames: [closed.test]}}");
    let said = space.until_reason("runtime", "main", "Exposed", "RouteNotAccepted");
    assert!(said.starts_with("Gateway traefik/closed: "), "{said}");
    println!("a closed Gateway: {said}");
    let runtime = space.get("runtime", "main");
    assert!(runtime["status"]["url"].as_str().unwrap_or_default().is_empty(), "{:#}", runtime["status"]);
    space.node.until_gone(&["ingresses", "-n", "exposed"]);

    // And back to the Service alone.
    space.ask(&["patch", "runtime", "main", "--type=merge", "-p", r#"{"spec": {"exposure": null}}"#]);
    until_url(&space, "http://main-runtime.exposed.svc.cluster.local/in/exposed/storm");
    space.until_ready("runtime/main");
    space.delete();
}

/// Traefik as in the check of the test cluster, and a Gateway that lets nobody in.
fn traefik(node: &Node) {
    let program = node.command("traefik").get_program().to_string_lossy().into_owned();
    node.load("localhost/traefik:1", &[&format!("/traefik={program}")], &["/traefik"]);
    let script = file("tests/cluster/cluster");
    let crds = node.command(&script).args(["crds", "gateway"]).output().unwrap();
    assert!(crds.status.success(), "{}", stderr(&crds));
    node.apply(&["apply", "--server-side"], &String::from_utf8(crds.stdout).unwrap());
    node.ask(&[
        "wait",
        "--for=condition=Established",
        "crd/httproutes.gateway.networking.k8s.io",
        "--timeout=60s",
    ]);
    let manifest = std::fs::read_to_string(file("tests/cluster/verify.d/gateway.yaml")).unwrap();
    // Without the routes of that check.
    let documents = manifest.split("\n---\n").filter(|document| !document.contains("namespace: check"));
    let manifest = documents.collect::<Vec<_>>().join("\n---\n").replace("@NODE_IP@", &node.ip);
    node.apply(&["apply"], &manifest);
    node.apply(
        &["apply"],
        "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: closed, namespace: traefik},
          spec: {gatewayClassName: traefik, listeners: [{name: web, protocol: HTTP, port: 8000,
            allowedRoutes: {namespaces: {from: Same}}}]}}",
    );
    node.ask(&["rollout", "status", "deployment/traefik", "-n", "traefik", "--timeout=120s"]);
}

fn expose(space: &Space, exposure: &str) {
    let exposure: serde_json::Value = serde_yaml_ng::from_str(exposure).unwrap();
    // What was there before goes, also what the other one does not have.
    space.ask(&["patch", "runtime", "main", "--type=merge", "-p", r#"{"spec": {"exposure": null}}"#]);
    let patch = serde_json::json!({"spec": {"exposure": exposure}}).to_string();
    space.ask(&["patch", "runtime", "main", "--type=merge", "-p", &patch]);
}

/// The trigger's URL, which the Secret has too.
fn until_url(space: &Space, url: &str) {
    until(&format!("the URL {url}"), SOON, || {
        (space.get("apitrigger", "storm")["status"]["url"] == url
            && space.secret("storm-trigger", "url") == url)
            .then_some(())
    });
}

fn ask(space: &Space, method: &'static str, host: &str, path: &str) -> Answer {
    let (username, password) =
        (space.secret("storm-trigger", "username"), space.secret("storm-trigger", "password"));
    let request =
        Request::new(method, format!("http://{host}{path}")).at(&format!("{}:{ENTRY}", space.node.ip));
    let request = request.basic(&username, &password).json(&serde_json::json!({}));
    until(&format!("an answer of {host}"), Duration::from_secs(30), || request.send().ok())
}

fn only_calls_come_in(space: &Space, host: &str) {
    // A proxy takes a moment to take up what it was told.
    until(&format!("a call by {host}"), SOON, || {
        (ask(space, "POST", host, "/in/exposed/storm").status == 202).then_some(())
    });
    for path in ["/", "/api/v1/calls", "/metrics", "/readyz", "/report", "/in/default/weather-alert", "/in"] {
        assert_eq!(ask(space, "GET", host, path).status, 404, "{host}{path}");
    }
    // Fanfare's own answer, and not the proxy's.
    let unknown = ask(space, "POST", host, "/in/exposed/nothing");
    assert_eq!((unknown.status, unknown.body.contains("no such trigger")), (404, true), "{}", unknown.body);
}
