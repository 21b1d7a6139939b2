//! How calls from outside come in: the route or Ingress that is made, and whose words say whether it is accepted.

use serde_json::json;

use crate::scene::RUNTIME;
use crate::stage::Stage;
use crate::stories::TRIGGER;

fn runtime(exposure: &str) -> String {
    RUNTIME.replace("}}}", &format!("}}}}{exposure}}}"))
}

const ROUTE: &str = ", exposure: {route: {parentRefs: [{name: public, sectionName: https}]}}";
const INGRESS: &str =
    ", exposure: {ingress: {host: calls.example.com, className: nginx, tls: {secretRef: {name: cert}}}}";

/// What a Gateway says of the route.
fn say(stage: &Stage, accepted: &str, reason: &str, message: &str) {
    let generation = stage.get("httproute", "main-runtime")["metadata"]["generation"].clone();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation});
    let conditions = [
        condition("Accepted", accepted, reason, message),
        condition("ResolvedRefs", "True", "ResolvedRefs", ""),
    ];
    let parent = json!({"parentRef": {"name": "public", "sectionName": "https"}, "controllerName": "tests/gateway", "conditions": conditions});
    let patch = json!({"status": {"parents": [parent]}}).to_string();
    let arguments = [
        "patch",
        "httproute",
        "main-runtime",
        "-n",
        &stage.namespace,
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ];
    stage.kubectl(&arguments);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_there_once_a_gateway_accepts_the_route() {
    let stage = Stage::new("route").await;
    crate::gateway::install(&stage);
    let gateway = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: public}\n\
                   spec: {listeners: [{name: http, protocol: HTTP, port: 80}, {name: https, protocol: HTTPS, port: 8443, hostname: calls.example.com}]}\n";
    stage.apply(gateway);
    let _operator = stage.operator(&[]).await;
    stage.apply(&[runtime(ROUTE).as_str(), TRIGGER].join("---\n"));
    let message = stage.until_reason("runtime", "main", "Exposed", "NotTakenUp").await;
    assert!(message.contains("public"), "{message}");
    let route = stage.get("httproute", "main-runtime");
    let path = &route["spec"]["rules"][0]["matches"][0]["path"]["value"];
    assert_eq!(*path, format!("/in/{}/", stage.namespace));
    assert!(stage.get("apitrigger", "storm")["status"]["url"].is_null(), "nobody can reach it yet");
    say(&stage, "False", "NotAllowedByListeners", "listener https allows routes from Same namespace");
    let message = stage.until_reason("runtime", "main", "Exposed", "RouteNotAccepted").await;
    assert!(
        message.contains("NotAllowedByListeners: listener https allows routes from Same namespace"),
        "{message}"
    );
    say(&stage, "True", "Accepted", "");
    stage.until_reason("runtime", "main", "Exposed", "Succeeded").await;
    let url = format!("https://calls.example.com:8443/in/{}/storm", stage.namespace);
    stage
        .until("the trigger has its URL", async || stage.get("apitrigger", "storm")["status"]["url"] == url)
        .await;
    // Switching removes what the former exposure left; none at all leaves the Service.
    stage.apply(&runtime(INGRESS));
    stage.until("the route is gone", async || stage.get("httproute", "main-runtime").is_null()).await;
    let url = format!("https://calls.example.com/in/{}/storm", stage.namespace);
    stage.until("the URL follows", async || stage.get("apitrigger", "storm")["status"]["url"] == url).await;
    assert_eq!(stage.get("ingress", "main-runtime")["spec"]["ingressClassName"], "nginx");
    stage.apply(&runtime(""));
    stage.until("the Ingress is gone", async || stage.get("ingress", "main-runtime").is_null()).await;
    let url =
        format!("http://main-runtime.{}.svc.cluster.local/in/{}/storm", stage.namespace, stage.namespace);
    stage
        .until("the URL is the Service's", async || stage.get("apitrigger", "storm")["status"]["url"] == url)
        .await;
}
