//! The classes of faults that operators are known to fall over, each by its name, and the oracle of `scene` holds
//! after every one.

use std::time::Duration;

use crate::scene::{KINDS, RUNTIME, Scene, WRITES_MAX, of};
use crate::stories::{CHANNEL, TRIGGER};

#[tokio::test(flavor = "multi_thread")]
async fn f01_a_crash_between_any_two_writes() {
    for after in 1..40 {
        let scene = Scene::new("f01").await;
        scene.proxy.die_after(after);
        let operator = scene.begin();
        scene.apply_all();
        let died = scene.proxy.died_within(Duration::from_secs(4)).await;
        drop(operator);
        let (secret, writes) = (scene.password(), scene.proxy.writes().len());
        scene.proxy.revive();
        let operator = scene.begin();
        scene.settled().await;
        assert!(
            secret.is_null() || secret == scene.password(),
            "after {after} writes other credentials were made"
        );
        if !died {
            assert!(after > 15, "only {} writes were seen: {:?}", after - 1, scene.proxy.writes());
            assert!(writes < after);
            return;
        }
        if after % 6 == 0 {
            scene.oracle(&operator, WRITES_MAX * 2).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f02_an_api_server_that_shows_an_older_state() {
    let scene = Scene::new("f02").await;
    let operator = scene.stage.operator_with(&scene.proxy.kubeconfig(), &["--no-leader-election"]).await;
    scene.apply_all();
    scene.settled().await;
    let (before, service) =
        (scene.password(), scene.stage.get("service", "main-runtime")["metadata"]["uid"].clone());
    // Everything was empty when it was listed first; a lagging server shows that once more.
    let writes = scene.proxy.writes().len();
    scene.proxy.lag(true);
    let shown = async || scene.proxy.replayed() >= KINDS.len();
    scene.stage.until("every kind is listed as it was", shown).await;
    scene.proxy.lag(false);
    scene.oracle(&operator, WRITES_MAX * 2).await;
    assert_eq!(scene.password(), before, "nothing was made anew");
    assert_eq!(scene.stage.get("service", "main-runtime")["metadata"]["uid"], service);
    let deleted = scene.proxy.writes()[writes..].iter().filter(|it| it.starts_with("DELETE")).count();
    assert_eq!(deleted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f03_events_that_are_never_seen() {
    let scene = Scene::new("f03").await;
    let operator = scene.begin();
    scene.apply_all();
    scene.settled().await;
    let before = scene.password();
    scene.proxy.mute_watches(true);
    // There and back, and another one of the same name.
    scene.stage.apply(&TRIGGER.replace("city", "town"));
    scene.stage.apply(TRIGGER);
    scene.stage.kubectl(&["delete", "apitrigger", "storm", "-n", &scene.stage.namespace]);
    scene
        .stage
        .until("its Secret is gone too", async || scene.stage.get("secret", "storm-trigger").is_null())
        .await;
    scene.stage.apply(TRIGGER);
    scene.proxy.mute_watches(false);
    scene.oracle(&operator, WRITES_MAX * 2).await;
    assert_ne!(scene.password(), before, "another trigger has other credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn f03_a_deletion_that_only_another_list_tells_of() {
    let scene = Scene::new("f03-listed").await;
    let operator = scene.begin();
    scene.apply_all();
    scene.settled().await;
    for (kind, name, watch, reason) in [
        ("channel", "out", "/channels", "ChannelNotFound"),
        ("apitrigger", "storm", "/apitriggers", "TriggerNotFound"),
    ] {
        scene.proxy.mute_watches(true);
        scene.stage.kubectl(&["delete", kind, name, "-n", &scene.stage.namespace]);
        // The scenario's own watch goes on where it was, and says nothing of this.
        scene.proxy.expire_watch(watch);
        scene.stage.until("it is listed anew", async || scene.proxy.has_expired()).await;
        scene.stage.until_reason("scenario", "warning", "ResolvedRefs", reason).await;
    }
    drop(operator);
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_an_optional_block_comes_and_goes() {
    let scene = Scene::new("f05").await;
    let operator = scene.begin();
    scene.apply_all();
    scene.settled().await;
    for _ in 0..2 {
        scene
            .stage
            .apply(&RUNTIME.replace("spec: {", "spec: {exposure: {ingress: {host: calls.example.com}}, "));
        scene
            .stage
            .until("there is an Ingress", async || !scene.stage.get("ingress", "main-runtime").is_null())
            .await;
        let url = async || {
            scene.stage.get("apitrigger", "storm")["status"]["url"]
                .as_str()
                .is_some_and(|it| it.starts_with("http://calls.example.com/in/"))
        };
        scene.stage.until("the trigger's URL follows", url).await;
        scene.stage.apply(RUNTIME);
        scene.stage.until("it is gone", async || scene.stage.get("ingress", "main-runtime").is_null()).await;
    }
    scene.oracle(&operator, WRITES_MAX * 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_somebody_else_writes_the_same_objects() {
    let scene = Scene::new("f10").await;
    let operator = scene.begin();
    scene.apply_all();
    scene.settled().await;
    let patch = r#"{"spec":{"ports":[{"name":"calls","port":8888,"targetPort":"calls"}]}}"#;
    scene.stage.kubectl(&[
        "patch",
        "service",
        "main-runtime",
        "-n",
        &scene.stage.namespace,
        "--type=merge",
        "-p",
        patch,
    ]);
    let restored = async || {
        scene.stage.get("service", "main-runtime")["spec"]["ports"].to_string().contains("\"port\":80,")
    };
    scene.stage.until("the Service is as it should be", restored).await;
    // What others add stays theirs.
    scene.stage.kubectl(&["label", "service", "main-runtime", "-n", &scene.stage.namespace, "team=storms"]);
    scene.oracle(&operator, WRITES_MAX * 2).await;
    assert_eq!(scene.stage.get("service", "main-runtime")["metadata"]["labels"]["team"], "storms");
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_two_operators_at_once() {
    let scene = Scene::new("f13").await;
    let (one, two) = (scene.begin(), scene.begin());
    scene.apply_all();
    scene.settled().await;
    let password = scene.password();
    scene.oracle(&one, WRITES_MAX * 3).await;
    assert!(of(&two.metrics().await, "Runtime") > 0, "both worked");
    assert_eq!(scene.password(), password);
}

#[tokio::test(flavor = "multi_thread")]
async fn f14_an_api_server_that_answers_429_500_and_410_and_goes_away() {
    let scene = Scene::new("f14").await;
    let operator = scene.stage.operator_with(&scene.proxy.kubeconfig(), &["--no-leader-election"]).await;
    for status in [429, 500, 410, 503] {
        scene.proxy.answer_with(status, 10);
    }
    scene.apply_all();
    scene.settled().await;
    scene.proxy.go_away();
    scene.stage.apply(&CHANNEL.replace("{log: {}}", "{log: {}, window: 7}"));
    let alive = operator.ask("livez").await.unwrap();
    assert_eq!(alive.status, 200, "an API server that is away is no reason to be started anew");
    scene.proxy.revive();
    scene.oracle(&operator, WRITES_MAX * 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_deletion_in_an_odd_order() {
    let scene = Scene::new("f15").await;
    let _operator = scene.begin();
    scene.apply_all();
    scene.settled().await;
    let namespace = scene.stage.namespace.clone();
    scene.stage.kubectl(&["delete", "secret", "storm-trigger", "-n", &namespace]);
    scene.stage.kubectl(&["delete", "apitrigger", "storm", "-n", &namespace]);
    scene
        .stage
        .until("its Secret is gone", async || scene.stage.get("secret", "storm-trigger").is_null())
        .await;
    // The kubelet of a Pod that was never started is this test.
    scene.stage.kubectl(&["delete", "namespace", &namespace, "--wait=false"]);
    let gone = async || {
        scene.stage.cluster.kubectl(&["get", "namespace", &namespace, "--ignore-not-found"]).stdout.is_empty()
    };
    scene.stage.until("the namespace is gone", gone).await;
}
