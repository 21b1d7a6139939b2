//! How calls from outside come in: the route or Ingress that is made, and whose words say whether it is accepted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::DynamicObject;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::scene::RUNTIME;
use crate::stage::Stage;
use crate::stories::TRIGGER;

fn runtime(exposure: &str) -> String {
    RUNTIME.replace("}}}", &format!("}}}}{exposure}}}"))
}

const ROUTE: &str = ", exposure: {route: {parentRefs: [{name: public, sectionName: https}]}}";
const INGRESS: &str =
    ", exposure: {ingress: {host: calls.example.com, className: nginx, tls: {secretRef: {name: cert}}}}";

/// What the Gateway `public` says of the route.
fn say(stage: &Stage, accepted: &str, reason: &str, message: &str) {
    let public = json!({"name": "public", "sectionName": "https"});
    say_of(stage, &[public], accepted, reason, message);
}

/// What Gateways say of the route, in this order.
fn say_of(stage: &Stage, parents: &[Value], accepted: &str, reason: &str, message: &str) {
    let generation = stage.get("httproute", "main-runtime")["metadata"]["generation"].clone();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation});
    let conditions = [
        condition("Accepted", accepted, reason, message),
        condition("ResolvedRefs", "True", "ResolvedRefs", ""),
    ];
    let word = |parent: &Value| json!({"parentRef": parent, "controllerName": "tests/gateway", "conditions": conditions});
    let words: Vec<Value> = parents.iter().map(word).collect();
    let patch = json!({"status": {"parents": words}}).to_string();
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

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public}
spec: {listeners: [{name: http, protocol: HTTP, port: 80}, {name: https, protocol: HTTPS, port: 8443, hostname: calls.example.com}]}
";

/// What was ever seen of the trigger's Secret and of the Runtime's Ready: a watch misses nothing.
struct Seen {
    urls: Arc<Mutex<Vec<Option<String>>>>,
    ready: Arc<Mutex<BTreeSet<String>>>,
}

impl Seen {
    fn watch(stage: &Stage) -> Self {
        let seen = Seen { urls: Arc::default(), ready: Arc::default() };
        let (urls, ready) = (Arc::clone(&seen.urls), Arc::clone(&seen.ready));
        let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), &stage.namespace);
        tokio::spawn(watcher(secrets, watcher::Config::default()).for_each(move |event| {
            if let Ok(watcher::Event::Apply(secret) | watcher::Event::InitApply(secret)) = event
                && secret.name_any() == "storm-trigger"
            {
                let url = secret.data.unwrap_or_default().remove("url");
                urls.lock().unwrap().push(url.map(|url| String::from_utf8(url.0).unwrap()));
            }
            std::future::ready(())
        }));
        let kind = kube::core::GroupVersionKind::gvk("fanfare.dev", "v1alpha1", "Runtime");
        let resource = kube::core::ApiResource::from_gvk(&kind);
        let runtimes: Api<DynamicObject> =
            Api::namespaced_with(stage.client.clone(), &stage.namespace, &resource);
        tokio::spawn(watcher(runtimes, watcher::Config::default()).for_each(move |event| {
            if let Ok(watcher::Event::Apply(runtime) | watcher::Event::InitApply(runtime)) = event {
                let conditions = runtime.data["status"]["conditions"].as_array().into_iter().flatten();
                let found = conditions.filter(|it| it["type"] == "Ready").map(|it| it["status"].to_string());
                ready.lock().unwrap().extend(found);
            }
            std::future::ready(())
        }));
        seen
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_the_route_takes_the_url_from_nobody() {
    let stage = Stage::new("route-edit").await;
    crate::gateway::install(&stage);
    stage.apply(GATEWAY);
    let _operator = stage.operator(&[]).await;
    stage.apply(&[runtime(ROUTE).as_str(), TRIGGER].join("---\n"));
    stage.until_reason("runtime", "main", "Exposed", "NotTakenUp").await;
    say(&stage, "True", "Accepted", "");
    let url = format!("https://calls.example.com:8443/in/{}/storm", stage.namespace);
    let kept = async || stage.get("secret", "storm-trigger")["data"]["url"].is_string();
    stage.until("the Secret has the URL", kept).await;

    let seen = Seen::watch(&stage);
    stage.until("the watch has begun", async || !seen.urls.lock().unwrap().is_empty()).await;
    let two = ROUTE.replace("}]}}", "}], hostnames: [calls.example.com, more.example.com]}}");
    stage.apply(&runtime(&two));
    let message = stage.until_reason("runtime", "main", "Exposed", "NotTakenUp").await;
    assert!(message.contains("Gateway public has not looked at the route as it is now yet"), "{message}");
    assert_eq!(stage.reason("runtime", "main", "Exposed").0, "Unknown");
    assert_eq!(stage.get("apitrigger", "storm")["status"]["url"], url);
    say(&stage, "True", "Accepted", "");
    stage.until_reason("runtime", "main", "Exposed", "Succeeded").await;
    // Whatever follows from that is written before what follows from this.
    stage.apply(&TRIGGER.replace("storm", "later"));
    let later = async || stage.get("secret", "later-trigger")["data"]["url"].is_string();
    stage.until("a later trigger has its URL", later).await;
    assert_eq!(seen.urls.lock().unwrap().iter().find(|it| it.as_ref() != Some(&url)), None);
    let ready = seen.ready.lock().unwrap().clone();
    assert!(!ready.contains("\"False\"") && !ready.is_empty(), "{ready:?}");

    say(&stage, "False", "NotAllowedByListeners", "");
    stage.until_reason("runtime", "main", "Exposed", "RouteNotAccepted").await;
    let gone = async || stage.get("secret", "storm-trigger")["data"]["url"].is_null();
    stage.until("a refusal takes the URL away", gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_gateway_that_is_named_gives_the_url_and_one_without_a_name_gives_none() {
    let stage = Stage::new("route-two").await;
    crate::gateway::install(&stage);
    stage.apply(GATEWAY);
    let _operator = stage.operator(&[]).await;
    let parents = "{name: hidden, namespace: default}, {name: public}";
    let exposure = |more: &str| format!(", exposure: {{route: {{parentRefs: [{parents}]{more}}}}}");
    stage.apply(&[runtime(&exposure(", hostnames: [hooks.example.com]")).as_str(), TRIGGER].join("---\n"));
    stage.until("the route is there", async || !stage.get("httproute", "main-runtime").is_null()).await;
    let (hidden, public) = (json!({"name": "hidden", "namespace": "default"}), json!({"name": "public"}));
    say_of(&stage, std::slice::from_ref(&public), "True", "Accepted", "");
    let url = async |base: &str| {
        let url = format!("{base}/in/{}/storm", stage.namespace);
        stage.until(base, async || stage.get("apitrigger", "storm")["status"]["url"] == url).await;
    };
    // Its listener for HTTPS serves another name.
    url("http://hooks.example.com").await;
    say_of(&stage, &[public.clone(), hidden.clone()], "True", "Accepted", "");
    url("https://hooks.example.com").await;
    let only = ", exposure: {route: {parentRefs: [{name: hidden, namespace: default}]}}";
    stage.apply(&runtime(only));
    let is_edited = async || stage.get("httproute", "main-runtime")["spec"]["hostnames"].is_null();
    stage.until("the route is edited", is_edited).await;
    say_of(&stage, &[hidden], "True", "Accepted", "");
    let message = stage.until_reason("runtime", "main", "Exposed", "NoHostname").await;
    assert!(message.contains("spec.exposure.route.hostnames"), "{message}");
    assert_eq!(stage.reason("runtime", "main", "Exposed").0, "False");
    stage.until("no URL", async || stage.get("apitrigger", "storm")["status"]["url"].is_null()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_there_once_a_gateway_accepts_the_route() {
    let stage = Stage::new("route").await;
    crate::gateway::install(&stage);
    stage.apply(GATEWAY);
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

#[tokio::test(flavor = "multi_thread")]
async fn an_ingress_that_somebody_else_made_is_no_way_to_us() {
    const THEIRS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: main-runtime}
spec: {defaultBackend: {service: {name: other, port: {number: 80}}}}
";
    let stage = Stage::new("foreign-ingress").await;
    stage.apply(THEIRS);
    let _operator = stage.operator(&[]).await;
    stage.apply(&[runtime(INGRESS).as_str(), TRIGGER].join("---\n"));
    let message = stage.until_reason("runtime", "main", "Exposed", "NotOurs").await;
    assert!(message.contains("Ingress main-runtime"), "{message}");
    stage.until_reason("apitrigger", "storm", "Ready", "NoReplicaReady").await;
    assert!(stage.get("apitrigger", "storm")["status"]["url"].is_null(), "it leads to somebody else");
    stage.kubectl(&["delete", "ingress", "main-runtime", "-n", &stage.namespace]);
    stage.apply(&runtime(&INGRESS.replace("nginx", "traefik")));
    let url = format!("https://calls.example.com/in/{}/storm", stage.namespace);
    stage.until("it has a URL", async || stage.get("apitrigger", "storm")["status"]["url"] == url).await;
}
