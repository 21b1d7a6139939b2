//! An operator that starts where everything is in force already: it knows of no replica at first, and must not take that
//! for there being none.

use crate::proxy::Proxy;
use crate::scene::{API_KEY, RUNTIME, look};
use crate::serving::call;
use crate::stage::{Operator, Stage};
use crate::stories::{CHANNEL, SCENARIO, TRIGGER};

const ALL: [(&str, &str); 5] = [
    ("runtime", "main"),
    ("apitrigger", "storm"),
    ("apikey", "crm"),
    ("channel", "out"),
    ("scenario", "warning"),
];

async fn all_ready(stage: &Stage) {
    for (kind, name) in ALL {
        stage.until_ready(kind, name).await;
    }
    stage.until_reason("scenario", "warning", "AudienceIndexed", "Succeeded").await;
    stage.until_reason("channel", "out", "Connected", "Untried").await;
}

async fn is_ready(operator: &Operator) -> bool {
    operator.ask("readyz").await.is_some_and(|answer| answer.status == 200)
}

/// What the operator says that it waits for.
async fn awaits_pods(operator: &Operator) -> bool {
    operator.ask("readyz").await.is_some_and(|answer| answer.body.contains("no list of Pod"))
}

/// An operator that hears of Pods after everything else, and has then looked at all.
async fn a_second_one_that_learns_of_pods_late(stage: &Stage, proxy: &Proxy) -> Operator {
    proxy.hold("/pods");
    let second = stage.begin_operator(&proxy.kubeconfig(), &["--no-leader-election"]);
    let settled = async || proxy.holds() && (awaits_pods(&second).await || is_ready(&second).await);
    stage.until("all but the Pods is known", settled).await;
    proxy.release();
    stage.until("the second one is ready", async || is_ready(&second).await).await;
    look(stage, &second, "again").await;
    second
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_leader_writes_nothing_where_everything_is_in_force() {
    let stage = Stage::new("restart").await;
    let proxy = Proxy::start(&stage.operator_kubeconfig()).await;
    let first = stage.operator_with(&proxy.kubeconfig(), &["--no-leader-election"]).await;
    let _kubelet = stage.kubelet(&[]);
    stage.apply(&[RUNTIME, TRIGGER, API_KEY, CHANNEL, SCENARIO].join("---"));
    all_ready(&stage).await;
    assert_eq!(first.terminate().await, Some(0));
    let (before, events) = (proxy.writes().len(), stage.events());
    let _second = a_second_one_that_learns_of_pods_late(&stage, &proxy).await;
    assert_eq!(proxy.writes()[before..], Vec::<String>::new());
    assert_eq!(stage.events(), events, "nothing happened");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_was_begun_shows_no_password_that_a_replica_refuses() {
    let stage = Stage::new("restart-rotate").await;
    let proxy = Proxy::start(&stage.operator_kubeconfig()).await;
    let replicas = Proxy::start(&stage.operator_kubeconfig()).await;
    let first = stage.operator_with(&proxy.kubeconfig(), &["--no-leader-election"]).await;
    let _kubelet = stage.kubelet_through(&[], Some(replicas.kubeconfig()));
    stage.apply(&[RUNTIME, TRIGGER, API_KEY, CHANNEL, SCENARIO].join("---"));
    all_ready(&stage).await;
    let old = stage.pair("storm-trigger");
    let pod = stage.get("pod", "main-runtime-0")["status"]["podIP"].as_str().unwrap().to_owned();
    let url = format!("http://{pod}:8080/in/{}/storm", stage.namespace);
    replicas.hold("/secrets/storm-trigger");
    proxy.die_after(proxy.writes().len() + 1);
    let request = "fanfare.dev/rotate-requested-at=now";
    stage.kubectl(&["annotate", "-n", &stage.namespace, "apitrigger", "storm", request]);
    let begun = async || stage.get("secret", "storm-trigger")["data"]["nextPassword"].is_string();
    stage.until("the next ones are there", begun).await;
    drop(first);
    proxy.revive();
    let _second = a_second_one_that_learns_of_pods_late(&stage, &proxy).await;
    assert_eq!(stage.pair("storm-trigger"), old, "the only replica has not read the next ones");
    replicas.release();
    let body = serde_json::json!({"city": "Vienna"});
    let taken = async || {
        let now = stage.pair("storm-trigger");
        assert_eq!(call(&url, &now, &body).await, 202, "the Secret holds what is refused");
        now != old
    };
    stage.until("the next ones are the current ones", taken).await;
}
