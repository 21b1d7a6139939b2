//! What an operator manages fails too: its database, its providers, its own replacement. Nobody is refused for good,
//! and whoever looks is told what it is.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::database_proxy::Proxy;
use crate::harness::{Postgres, Request, Sandbox};
use crate::kubelet::Kubelet;
use crate::scene::look;
use crate::stage::{Operator, Stage};
use crate::stories::{SCENARIO, TRIGGER};

const RUNTIME: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: Runtime
metadata: {name: main}
spec: {replicas: 2, storage: {postgres: {secretRef: {name: database}}}}
";
const KEY: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: ApiKey
metadata: {name: crm}
spec: {permissions: [Track]}
";
/// How often a caller comes back with the same call; a provider does no less.
const TRIES_MAX: usize = 400;

/// A namespace on PostgreSQL, with a proxy before the database and a provider in the tests' hands.
struct Managed {
    stage: Stage,
    api: crate::proxy::Proxy,
    database: Proxy,
    sandbox: Sandbox,
    operator: Operator,
    _kubelet: Kubelet,
    /// Where the database is.
    url: url::Url,
}

impl Managed {
    async fn new() -> Self {
        let stage = Stage::new("f12").await;
        let api = crate::proxy::Proxy::start(&stage.operator_kubeconfig()).await;
        let operator = stage.operator_with(&api.kubeconfig(), &[]).await;
        let kubelet = stage.kubelet(&["--egress-allow", "127.0.0.0/8"]);
        let server = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
        let mut url: url::Url = server.database().parse().unwrap();
        let database = Proxy::before(url.port().unwrap());
        url.set_port(Some(database.port)).unwrap();
        let sandbox = Sandbox::start(stage.folder.path(), &[]);
        let hook = format!("http://{}/hooks/out", sandbox.http);
        let channel = json!({"apiVersion": "fanfare.dev/v1alpha1", "kind": "Channel", "metadata": {"name": "out"},
            "spec": {"webhook": {"url": hook}}});
        let scenario = SCENARIO.replace(
            "log: {text: 'A storm is coming to {{ params.city }}.'}",
            "webhook: {body: '{\"text\": \"A storm is coming to {{ params.city }}.\"}'}",
        );
        let uri = format!("--from-literal=uri={url}");
        let namespace = stage.namespace.as_str();
        stage.kubectl(&["create", "secret", "generic", "database", "-n", namespace, &uri]);
        stage.kubectl(&["label", "secret", "database", "-n", namespace, "fanfare.dev/allow=storage"]);
        stage.apply(&[RUNTIME, TRIGGER, KEY, &channel.to_string(), &scenario].join("\n---\n"));
        let managed = Managed { stage, api, database, sandbox, operator, _kubelet: kubelet, url };
        managed.all_ready().await;
        managed
    }

    async fn all_ready(&self) {
        for (kind, name) in
            [("runtime", "main"), ("apitrigger", "storm"), ("channel", "out"), ("scenario", "warning")]
        {
            self.stage.until_ready(kind, name).await;
        }
    }

    /// Waits for what comes after Ready: that the second replica has it too, and that the index is complete.
    async fn in_force_everywhere(&self) {
        let by_both = |kind, name| self.stage.reason(kind, name, "Programmed").2.ends_with("(2)");
        let everywhere = async || {
            by_both("apitrigger", "storm")
                && by_both("channel", "out")
                && by_both("scenario", "warning")
                && self.stage.reason("scenario", "warning", "AudienceIndexed").0 == "True"
        };
        self.stage.until("both replicas have everything in force", everywhere).await;
    }

    fn indexed_since(&self) -> Value {
        let scenario = self.stage.get("scenario", "warning");
        let conditions = scenario["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|it| it["type"] == "AudienceIndexed").unwrap()["lastTransitionTime"]
            .clone()
    }

    /// The Pods of the Runtime that are not about to go.
    async fn pods(&self) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.stage.client.clone(), &self.stage.namespace);
        let pods = pods.list(&ListParams::default()).await.unwrap().items;
        pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
    }

    async fn uids(&self) -> Vec<String> {
        let mut uids: Vec<String> =
            self.pods().await.iter().map(|pod| pod.metadata.uid.clone().unwrap()).collect();
        uids.sort();
        uids
    }

    /// Where replicas take calls, as a Service would know it.
    async fn addresses(&self) -> Vec<String> {
        let ready = |pod: &Pod| {
            let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
            conditions.into_iter().any(|it| it.type_ == "Ready" && it.status == "True")
        };
        let pods = self.pods().await;
        pods.iter().filter(|pod| ready(pod)).filter_map(|pod| pod.status.clone()?.pod_ip).collect()
    }

    async fn post(&self, url: &str, (username, password): &(String, String), key: &str, body: &Value) -> u16 {
        let request = Request::post(url).basic(username, password).header("Idempotency-Key", key).json(body);
        request.within(Duration::from_secs(10)).sent().await.map_or(0, |answer| answer.status)
    }

    /// Calls until it is told to stop; each call comes back until it is taken. Gives how many were taken, and every
    /// status there was.
    async fn traffic(&self, stop: &tokio_util::sync::CancellationToken) -> (usize, Vec<u16>) {
        let credentials = self.stage.pair("storm-trigger");
        let (mut taken, mut statuses) = (0, Vec::new());
        while !stop.is_cancelled() {
            let key = format!("call-{taken}");
            for attempt in 0..TRIES_MAX {
                let addresses = self.addresses().await;
                let Some(address) = addresses.get(attempt % addresses.len().max(1)) else { continue };
                let url = format!("http://{address}:8080/in/{}/storm", self.stage.namespace);
                let status = self.post(&url, &credentials, &key, &json!({"city": "Vienna"})).await;
                statuses.push(status);
                if status == 202 {
                    break;
                }
                assert!([0, 503].contains(&status), "{statuses:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert_eq!(statuses.last(), Some(&202), "{key} is never taken");
            taken += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (taken, statuses)
    }

    /// One fault after the other, each seen where it must be, and over.
    async fn strike(&self) {
        let before = self.uids().await;
        self.stage.until_reason("scenario", "warning", "AudienceIndexed", "Succeeded").await;
        let indexed_since = self.indexed_since();
        self.database.silence(Duration::from_secs(8));
        self.stage.until_reason("runtime", "main", "StoreReady", "StoreUnavailable").await;
        self.database.cut();
        self.stage.until_reason("runtime", "main", "StoreReady", "Succeeded").await;
        self.all_ready().await;
        assert_eq!(self.indexed_since(), indexed_since, "an index is not incomplete because nobody can look");
        self.database.delay(Duration::from_millis(10));
        self.sandbox.set_faults(&json!([{"protocol": "webhook", "answer": "throttle", "retryAfter": 1}]));
        self.stage.until_reason("channel", "out", "Connected", "ProviderDown").await;
        // A provider's outage holds up nothing that is declared.
        self.all_ready().await;
        self.sandbox.set_faults(&json!([]));
        self.stage.until_reason("channel", "out", "Connected", "Succeeded").await;
        let learned = || self.stage.get("channel", "out")["status"]["learned"]["concurrency"].clone();
        self.stage.until("what was learned is told", async || learned().as_i64() >= Some(1)).await;
        self.database.delay(Duration::ZERO);
        assert_eq!(self.uids().await, before, "no process was replaced for what is not its fault");
        // The processes are replaced while calls come in.
        let namespace = self.stage.namespace.as_str();
        let mut same = self.url.clone();
        same.set_query(Some("application_name=replaced"));
        let uri = json!({"stringData": {"uri": same.as_str()}}).to_string();
        self.stage.kubectl(&["patch", "secret", "database", "-n", namespace, "-p", &uri]);
        let replaced = async || {
            let now = self.uids().await;
            now.len() == 2 && now.iter().all(|uid| !before.contains(uid))
        };
        self.stage.until("both are replaced", replaced).await;
        self.all_ready().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_a_database_and_a_provider_that_fail_and_processes_that_are_replaced() {
    let managed = Managed::new().await;
    let key = managed.stage.pair("crm-apikey");
    let customers = format!("http://{}:8081/api/v1/customers", managed.addresses().await[0]);
    let customer = json!([{"ids": {"registered": "c1"}, "attributes": {"city": "Vienna"}}]);
    assert_eq!(managed.post(&customers, &key, "", &customer).await, 200);
    let stop = tokio_util::sync::CancellationToken::new();
    let strike = async {
        managed.strike().await;
        stop.cancel();
    };
    let ((taken, statuses), ()) = tokio::join!(managed.traffic(&stop), strike);
    let refused = statuses.iter().filter(|status| **status != 202).count();
    println!("{taken} calls were taken, {refused} attempts were not");
    assert!(taken > 20, "{statuses:?}");
    let distinct = || {
        let messages = managed.sandbox.messages().into_iter().filter(|message| message.taken);
        messages
            .filter_map(|message| message.content.message_id)
            .collect::<std::collections::HashSet<_>>()
            .len()
    };
    managed.stage.until("each call has its message", async || distinct() == taken).await;
    // The same oracle as after every fault: nothing panicked, a second look writes nothing.
    let metrics = managed.operator.metrics().await;
    let panics: Vec<&str> =
        metrics.lines().filter(|it| it.starts_with("fanfare_operator_reconcile_panics_total")).collect();
    assert!(panics.iter().all(|line| line.ends_with(" 0")), "{panics:?}");
    managed.in_force_everywhere().await;
    let status = managed.stage.get("scenario", "warning")["status"].clone();
    look(&managed.stage, &managed.operator, "first").await;
    let before = managed.api.writes().len();
    look(&managed.stage, &managed.operator, "second").await;
    let writes = managed.api.writes()[before..].to_vec();
    let now = managed.stage.get("scenario", "warning")["status"].clone();
    assert!(writes.iter().all(|write| write.contains("lease")), "{writes:#?}: of {status:#} it made {now:#}");
}
