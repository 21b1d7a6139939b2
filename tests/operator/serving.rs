//! Manifests to messages: the operator provisions, a runtime serves, and both agree on what is in force.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Request;
use crate::kubelet::Kubelet;
use crate::scene::RUNTIME;
use crate::stage::{Operator, Stage};
use crate::stories::{CHANNEL, SCENARIO, TRIGGER};

/// A namespace that is served.
pub struct Served {
    pub stage: Stage,
    /// Ends with the rest.
    _operator: Operator,
    pub kubelet: Kubelet,
}

impl Served {
    /// One trigger, one channel, one scenario, and a runtime; everything is ready.
    pub async fn new(name: &str) -> Self {
        let stage = Stage::new(name).await;
        let operator = stage.operator(&[]).await;
        let kubelet = stage.kubelet(&[]);
        stage.apply(&[RUNTIME, TRIGGER, CHANNEL, SCENARIO].join("---"));
        let served = Served { stage, _operator: operator, kubelet };
        served.all_ready().await;
        served
    }

    pub async fn all_ready(&self) {
        for (kind, name) in
            [("runtime", "main"), ("apitrigger", "storm"), ("channel", "out"), ("scenario", "warning")]
        {
            self.stage.until_ready(kind, name).await;
        }
    }

    /// Where a replica takes calls.
    pub fn calls(&self) -> String {
        let pod = self.stage.get("pod", "main-runtime-0");
        format!("http://{}:8080", pod["status"]["podIP"].as_str().unwrap())
    }

    /// The trigger's credentials, as a provider reads them.
    pub fn credentials(&self) -> (String, String) {
        self.stage.pair("storm-trigger")
    }

    /// Calls the trigger; gives the status.
    pub async fn call(&self, credentials: &(String, String)) -> u16 {
        let url = format!("{}/in/{}/storm", self.calls(), self.stage.namespace);
        call(&url, credentials, &json!({"city": "Vienna"})).await
    }
}

/// The status of a call; 0 if there was no answer.
pub async fn call(url: &str, (username, password): &(String, String), body: &Value) -> u16 {
    Request::post(url).basic(username, password).json(body).sent().await.map_or(0, |answer| answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_is_served_and_everything_becomes_ready() {
    let served = Served::new("served").await;
    assert_eq!(served.call(&served.credentials()).await, 202);
    assert_eq!(served.call(&("nobody".into(), "nothing".into())).await, 401);
    for kind in ["runtime/main", "apitrigger/storm", "channel/out", "scenario/warning"] {
        let namespace = served.stage.namespace.as_str();
        served.stage.kubectl(&["wait", "--for=condition=Ready", "--timeout=10s", "-n", namespace, kind]);
    }
    // An edit is in force, and said to be so.
    served.stage.apply(&SCENARIO.replace("A storm is coming", "A heavy storm is coming"));
    let edited = served.stage.until_ready("scenario", "warning").await;
    assert_eq!(edited["metadata"]["generation"], 2);
    let summary = "On calls of storm: customers where customer.city == params.city get tell through out.";
    assert_eq!(edited["status"]["summary"], summary);
    // A broken one takes nothing else down, and nothing at all out of force.
    served.stage.apply(&SCENARIO.replace("params.city }}", "params.town }}"));
    let message = served.stage.until_reason("scenario", "warning", "Ready", "Invalid").await;
    assert!(message.ends_with("generation 2 is still in force"), "{message}");
    let listed = served.stage.kubectl(&["get", "ffs", "warning", "-n", &served.stage.namespace]);
    assert!(listed.contains("IN FORCE"), "{listed}");
    assert_eq!(served.stage.get("scenario", "warning")["status"]["generationInForce"], 2);
    assert_eq!(served.call(&served.credentials()).await, 202);
    served.stage.apply(SCENARIO);
    served.all_ready().await;
    // A deleted trigger is closed at once.
    let credentials = served.credentials();
    served.stage.kubectl(&["delete", "apitrigger", "storm", "-n", &served.stage.namespace]);
    served.stage.until("its endpoint is closed", async || served.call(&credentials).await == 404).await;
}

/// Calls are facts of the store: none of them is a write to the API server.
#[tokio::test(flavor = "multi_thread")]
async fn at_rest_nothing_is_written_however_many_calls_there_are() {
    let stage = Stage::new("rest").await;
    let proxy = crate::proxy::Proxy::start(&stage.operator_kubeconfig()).await;
    let operator = stage.operator_with(&proxy.kubeconfig(), &[]).await;
    let kubelet = stage.kubelet(&[]);
    stage.apply(&[RUNTIME, TRIGGER, CHANNEL, SCENARIO].join("---"));
    let served = Served { stage, _operator: operator, kubelet };
    served.all_ready().await;
    served.stage.until_reason("scenario", "warning", "AudienceIndexed", "Succeeded").await;
    served.stage.until_reason("channel", "out", "Connected", "Untried").await;
    let (writes, credentials) = (proxy.writes().len(), served.credentials());
    for _ in 0..500 {
        assert_eq!(served.call(&credentials).await, 202);
    }
    assert_eq!(proxy.writes()[writes..], Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_an_invalid_edit_under_traffic_fails_no_call() {
    let served = Served::new("f11").await;
    let credentials = served.credentials();
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let url = format!("{}/in/{}/storm", served.calls(), served.stage.namespace);
    let traffic = tokio::spawn(async move {
        let mut statuses = Vec::new();
        while !*stopped.borrow_and_update() {
            statuses.push(call(&url, &credentials, &json!({"city": "Graz"})).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        statuses
    });
    for broken in [
        SCENARIO.replace("params.city }}", "params.town }}"),
        SCENARIO.replace("customer.city == params.city", "customer.city =="),
        SCENARIO.replace("channelRef: {name: out}", "channelRef: {name: nowhere}"),
    ] {
        served.stage.apply(&broken);
        served
            .stage
            .until("it is not ready", async || {
                served.stage.reason("scenario", "warning", "Ready").0 == "False"
            })
            .await;
        served.stage.apply(SCENARIO);
        served.stage.until_ready("scenario", "warning").await;
    }
    served.stage.apply(&TRIGGER.replace("type: string", "type: string, pattern: '('"));
    served.stage.until_reason("apitrigger", "storm", "Ready", "Invalid").await;
    served.stage.apply(TRIGGER);
    served.all_ready().await;
    stop.send_replace(true);
    let statuses = traffic.await.unwrap();
    assert!(statuses.len() > 50);
    assert!(statuses.iter().all(|status| *status == 202), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_credentials_rotate_under_load_and_nobody_is_refused() {
    let served = Served::new("f18").await;
    let url = format!("{}/in/{}/storm", served.calls(), served.stage.namespace);
    let first = served.credentials();
    let (current, mut told) = tokio::sync::watch::channel(first.clone());
    let stop = tokio_util::sync::CancellationToken::new();
    let (stopped, old) = (stop.clone(), first.clone());
    let traffic = tokio::spawn(async move {
        let mut statuses = Vec::new();
        while !stopped.is_cancelled() {
            let newest = told.borrow_and_update().clone();
            statuses.push(call(&url, &newest, &json!({"city": "Linz"})).await);
            // A provider that has not picked up the new ones yet.
            statuses.push(call(&url, &old, &json!({"city": "Linz"})).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        statuses
    });
    let namespace = served.stage.namespace.as_str();
    served.stage.kubectl(&[
        "annotate",
        "-n",
        namespace,
        "apitrigger",
        "storm",
        "fanfare.dev/rotate-requested-at=now",
    ]);
    let rotated = async || {
        let now = served.credentials();
        current.send_replace(now.clone());
        now != first
    };
    served.stage.until("there are new credentials", rotated).await;
    served.all_ready().await;
    for _ in 0..20 {
        current.send_replace(served.credentials());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    let statuses = traffic.await.unwrap();
    assert!(statuses.iter().all(|status| *status == 202), "{statuses:?}");
    let trigger = served.stage.get("apitrigger", "storm");
    assert!(trigger["status"]["previousExpiresAt"].is_string(), "{:#}", trigger["status"]);
    // Asked for once more while two are live: it waits.
    served.stage.kubectl(&[
        "annotate",
        "--overwrite",
        "-n",
        namespace,
        "apitrigger",
        "storm",
        "fanfare.dev/rotate-requested-at=again",
    ]);
    let second = served.credentials();
    served.all_ready().await;
    assert_eq!(served.credentials(), second);
}

/// A scheduled rotation does not shut out a provider that has not taken up the new credentials, and says whom to tell.
#[tokio::test(flavor = "multi_thread")]
async fn f18_previous_credentials_that_are_in_use_are_named_and_outlive_their_overlap() {
    let served = Served::new("outdated").await;
    let namespace = served.stage.namespace.clone();
    let rotation = "spec:\n  auth: {basic: {generate: true, rotation: {every: 1h, overlap: 10s}}}";
    served.stage.apply(&TRIGGER.replace("spec:", rotation));
    served.all_ready().await;
    let old = served.credentials();
    let long_ago = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(2)).to_string();
    let note = format!("fanfare.dev/rotated-at={long_ago}");
    served.stage.kubectl(&["annotate", "--overwrite", "-n", &namespace, "secret", "storm-trigger", &note]);
    served.stage.until("there are new ones", async || served.credentials() != old).await;
    let mut ends: Option<jiff::Timestamp> = None;
    served
        .stage
        .until("the old ones work after their time", async || {
            assert_eq!(served.call(&old).await, 202);
            let status = served.stage.get("apitrigger", "storm")["status"]["previousExpiresAt"].clone();
            // It is put off from look to look.
            ends = ends.or(status.as_str().map(|at| at.parse().unwrap()));
            ends.is_some_and(|at| jiff::Timestamp::now() > at + jiff::SignedDuration::from_secs(2))
        })
        .await;
    let events = served.stage.kubectl(&["get", "events", "-n", &namespace, "-o", "json"]);
    let events: Value = serde_json::from_str(&events).unwrap();
    let warned = |event: &&Value| event["reason"] == "PreviousStillInUse";
    let warned: Vec<&Value> = events["items"].as_array().unwrap().iter().filter(warned).collect();
    assert_eq!(warned.len(), 1, "{events:#}");
    assert_eq!(warned[0]["involvedObject"]["name"], "storm");
    // Nobody uses them any more, and they end.
    let now = || served.stage.get("secret", "storm-trigger")["data"]["previousUsername"].clone();
    served.stage.until("they have ended", async || now().is_null()).await;
    served.stage.until("they are refused", async || served.call(&old).await == 401).await;
    assert_eq!(served.call(&served.credentials()).await, 202);
}

/// What leaked must end with nobody there to end it: the runtime reads for itself until when it works.
#[tokio::test(flavor = "multi_thread")]
async fn previous_credentials_end_without_an_operator() {
    let Served { stage, _operator: operator, kubelet: _kubelet } = Served::new("alone").await;
    let namespace = stage.namespace.as_str();
    let old = stage.pair("storm-trigger");
    let annotate = |kind: &str, name: &str, note: &str| {
        stage.kubectl(&["annotate", "--overwrite", "-n", namespace, kind, name, note]);
    };
    annotate("apitrigger", "storm", "fanfare.dev/rotate-requested-at=leaked");
    stage.until("there are new ones", async || stage.pair("storm-trigger") != old).await;
    stage.until_ready("apitrigger", "storm").await;
    let pod = stage.get("pod", "main-runtime-0");
    let url = format!("http://{}:8080/in/{namespace}/storm", pod["status"]["podIP"].as_str().unwrap());
    let body = json!({"city": "Vienna"});
    assert_eq!(call(&url, &old, &body).await, 202);
    drop(operator);
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    annotate("secret", "storm-trigger", &format!("fanfare.dev/previous-expires-at={soon}"));
    // A runtime reads the Secret again when its trigger changes.
    annotate("apitrigger", "storm", "looked=again");
    stage.until("the old ones are refused", async || call(&url, &old, &body).await == 401).await;
    assert!(jiff::Timestamp::now() > soon);
    assert_eq!(call(&url, &stage.pair("storm-trigger"), &body).await, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_is_deleted_keeps_its_volume_and_its_successor_goes_on_with_it() {
    let served = Served::new("volume").await;
    let credentials = served.credentials();
    assert_eq!(served.call(&credentials).await, 202);
    served.stage.kubectl(&["delete", "runtime", "main", "-n", &served.stage.namespace]);
    served.stage.until("its Pod is gone", async || served.stage.get("pod", "main-runtime-0").is_null()).await;
    served.stage.until_reason("apitrigger", "storm", "Ready", "NoRuntime").await;
    assert!(!served.stage.get("persistentvolumeclaim", "data-main-runtime-0").is_null());
    served.stage.apply(RUNTIME);
    served.all_ready().await;
    assert_eq!(served.call(&credentials).await, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_served_can_be_deleted() {
    let served = Served::new("whole").await;
    let namespace = served.stage.namespace.clone();
    served.stage.kubectl(&["delete", "namespace", &namespace, "--wait=false"]);
    let gone = async || {
        served
            .stage
            .cluster
            .kubectl(&["get", "namespace", &namespace, "--ignore-not-found"])
            .stdout
            .is_empty()
    };
    served.stage.until("the namespace is gone", gone).await;
}

/// Its log says it; whoever looks at the Runtime reads it there, and again once it is over.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_that_is_not_ready_waits_for_is_told() {
    let stage = Stage::new("waits").await;
    let _operator = stage.operator(&[]).await;
    let _kubelet = stage.kubelet(&[]);
    let namespace = stage.namespace.as_str();
    let uri = |uri: &str| {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"uri": uri},
            "metadata": {"name": "database", "labels": {"fanfare.dev/allow": "storage"}}});
        stage.apply(&secret.to_string());
    };
    uri("postgres://nobody@127.0.0.1:1/nothing");
    stage.apply(
        "{apiVersion: fanfare.dev/v1alpha1, kind: Runtime, metadata: {name: main},
          spec: {storage: {postgres: {secretRef: {name: database}}}}}",
    );
    let said = async || {
        let (_, _, message) = stage.reason("runtime", "main", "WorkloadReady");
        message.contains("Pod main-runtime-") && message.contains("127.0.0.1:1")
    };
    stage.until("the database is named", said).await;
    let server = tokio::task::spawn_blocking(crate::harness::Postgres::shared).await.unwrap();
    uri(&server.database());
    stage.kubectl(&["annotate", "-n", namespace, "runtime", "main", "touched=yes"]);
    stage.until_ready("runtime", "main").await;
}

/// Several replicas on one database: a Deployment that follows its declaration, and `Programmed` on all of them.
#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_replicas_come_and_go_and_all_must_agree() {
    let stage = Stage::new("replicas").await;
    let _operator = stage.operator(&[]).await;
    let _kubelet = stage.kubelet(&[]);
    let server = tokio::task::spawn_blocking(crate::harness::Postgres::shared).await.unwrap();
    let uri = format!("--from-literal=uri={}", server.database());
    let namespace = stage.namespace.as_str();
    let runtime = |replicas: u8| {
        format!(
            "apiVersion: fanfare.dev/v1alpha1\nkind: Runtime\nmetadata: {{name: main}}\n\
             spec: {{replicas: {replicas}, storage: {{postgres: {{secretRef: {{name: database}}}}}}}}\n"
        )
    };
    stage.apply(&[runtime(2).as_str(), TRIGGER, CHANNEL, SCENARIO].join("---\n"));
    stage.until_reason("runtime", "main", "Ready", "SecretNotFound").await;
    stage.kubectl(&["create", "secret", "generic", "database", "-n", namespace, &uri]);
    // A Secret without the label tells nobody that it is there; the next look finds it.
    stage.kubectl(&["annotate", "-n", namespace, "runtime", "main", "touched=yes"]);
    stage.until_reason("runtime", "main", "Ready", "SecretNotAllowed").await;
    stage.kubectl(&["label", "secret", "database", "-n", namespace, "fanfare.dev/allow=storage"]);
    let ready = stage.until_ready("runtime", "main").await;
    assert_eq!(ready["status"]["readyReplicas"], 2);
    let scenario = stage.until_ready("scenario", "warning").await;
    assert!(scenario["status"]["conditions"].to_string().contains("in force on every ready replica (2)"));
    stage.apply(&runtime(1));
    let one = async || stage.get("runtime", "main")["status"]["readyReplicas"] == 1;
    stage.until("one replica is left", one).await;
    stage.until_ready("runtime", "main").await;
    // Where the database is, is read at the start: another address means other processes.
    let before = stage.get("deployment", "main-runtime")["metadata"]["generation"].clone();
    let uri = json!({"stringData": {"uri": server.database()}});
    stage.kubectl(&["patch", "secret", "database", "-n", namespace, "-p", &uri.to_string()]);
    stage
        .until("the workload follows", async || {
            stage.get("deployment", "main-runtime")["metadata"]["generation"] != before
        })
        .await;
    stage.until_ready("runtime", "main").await;
}
