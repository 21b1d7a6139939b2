//! Tenants are kept apart: every way from one namespace to another's data, Secrets or endpoints, tried.

use serde_json::json;

use crate::harness::Request;
use crate::scene::RUNTIME;
use crate::serving::call;
use crate::stage::Stage;
use crate::stories::{CHANNEL, SCENARIO, TRIGGER};

const KEY: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: ApiKey
metadata: {name: crm}
spec: {permissions: [Track, Trigger, ReadLog, ReadCustomers, Control]}
";

fn address(stage: &Stage) -> String {
    stage.get("pod", "main-runtime-0")["status"]["podIP"].as_str().unwrap().to_owned()
}

async fn get(url: &str, (username, password): &(String, String)) -> u16 {
    Request::get(url).basic(username, password).sent().await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_leads_from_one_namespace_into_another() {
    let own = Stage::new("own").await;
    let other = own.another("other");
    let _operator = own.operator(&["--watch", &other.namespace]).await;
    let (_kubelet, _others) = (own.kubelet(&[]), other.kubelet(&[]));
    for stage in [&own, &other] {
        stage.apply(&[RUNTIME, TRIGGER, CHANNEL, SCENARIO, KEY].join("---"));
    }
    for stage in [&own, &other] {
        for (kind, name) in
            [("runtime", "main"), ("apitrigger", "storm"), ("apikey", "crm"), ("scenario", "warning")]
        {
            stage.until_ready(kind, name).await;
        }
    }
    let (mine, theirs) = (own.pair("storm-trigger"), other.pair("storm-trigger"));
    let (my_key, their_key) = (own.pair("crm-apikey"), other.pair("crm-apikey"));
    let (here, there) = (address(&own), address(&other));
    let body = json!({"city": "Vienna"});
    let endpoint = |at: &str, namespace: &str| format!("http://{at}:8080/in/{namespace}/storm");
    // What is each one's own works.
    assert_eq!(call(&endpoint(&here, &own.namespace), &mine, &body).await, 202);
    assert_eq!(call(&endpoint(&there, &other.namespace), &theirs, &body).await, 202);
    // Another's endpoint is not here, and another's credentials open nothing.
    assert_eq!(call(&endpoint(&here, &other.namespace), &theirs, &body).await, 404);
    assert_eq!(call(&endpoint(&here, &other.namespace), &mine, &body).await, 404);
    assert_eq!(call(&endpoint(&here, &own.namespace), &theirs, &body).await, 401);
    assert_eq!(call(&endpoint(&here, &own.namespace), &their_key, &body).await, 401);
    assert_eq!(call(&endpoint(&there, &other.namespace), &my_key, &body).await, 401);
    for path in ["api/v1/calls", "api/v1/customers/ann", "api/v1/deliveries"] {
        let url = format!("http://{there}:8081/{path}");
        assert_eq!(get(&url, &my_key).await, 401, "{path}");
        assert_ne!(get(&url, &their_key).await, 401, "{path}");
        // The port that is exposed has calls and nothing else.
        assert_eq!(get(&format!("http://{there}:8080/{path}"), &their_key).await, 404, "{path}");
    }
    for path in ["metrics", "report", "readyz"] {
        assert_eq!(get(&format!("http://{there}:8080/{path}"), &their_key).await, 404, "{path}");
    }
    // A Secret of another namespace cannot even be named: a channel that tries gets its own namespace's.
    let hook = "apiVersion: fanfare.dev/v1alpha1\nkind: Channel\nmetadata: {name: hook}\n\
                spec: {webhook: {url: 'https://example.com/', signingSecret: {secretKeyRef: {name: crm-apikey, key: password}}}}\n";
    own.apply(hook);
    let message = own.until_reason("channel", "hook", "Ready", "SecretNotAllowed").await;
    assert!(message.contains("kubectl label secret crm-apikey fanfare.dev/allow=channel"), "{message}");
}

/// Two namespaces may not share the rows of a tenant, whoever asks first.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_one_holder() {
    let own = Stage::new("holder").await;
    let other = own.another("intruder");
    let _operator = own.operator(&["--watch", &other.namespace]).await;
    let (_kubelet, _others) = (own.kubelet(&[]), other.kubelet(&[]));
    let server = tokio::task::spawn_blocking(crate::harness::Postgres::shared).await.unwrap();
    let uri = format!("--from-literal=uri={}", server.database());
    let runtime = format!(
        "apiVersion: fanfare.dev/v1alpha1\nkind: Runtime\nmetadata: {{name: main}}\n\
         spec: {{tenant: {}, storage: {{postgres: {{secretRef: {{name: database}}}}}}}}\n",
        own.namespace
    );
    for stage in [&own, &other] {
        stage.kubectl(&["create", "secret", "generic", "database", "-n", &stage.namespace, &uri]);
        stage.kubectl(&["label", "secret", "database", "-n", &stage.namespace, "fanfare.dev/allow=storage"]);
    }
    own.apply(&runtime);
    own.until_ready("runtime", "main").await;
    other.apply(&runtime);
    let message = other.until_reason("runtime", "main", "WorkloadReady", "PodFailing").await;
    assert!(message.contains(&own.namespace) && message.contains("fanfare.dev/take-over-from="), "{message}");
    assert_ne!(other.reason("runtime", "main", "Ready").0, "True");
    own.until_ready("runtime", "main").await;
    // What is no holder changes nothing; the one that is named hands the tenant over, once it has stopped.
    let annotate = |holder: &str| {
        let holder = format!("fanfare.dev/take-over-from={holder}");
        other.kubectl(&["annotate", "--overwrite", "runtime", "main", "-n", &other.namespace, &holder]);
    };
    annotate("--help");
    own.kubectl(&["delete", "runtime", "main", "-n", &own.namespace]);
    let command = message.split('`').nth(1).unwrap();
    annotate(command.split('=').nth(1).unwrap());
    other.until_ready("runtime", "main").await;
}
