//! Objects that nobody should have written, of other versions, and in great numbers: nothing panics, nothing is left
//! behind, and everything else goes on.

use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::acto::{create, objects};
use crate::scene::{API_KEY, KINDS, RUNTIME, Scene, WRITES_MAX, all_faults};
use crate::secrets::named_in_role;
use crate::stories::{CHANNEL, SCENARIO, TRIGGER};

const API: &str = "fanfare.dev/v1alpha1";
const OBJECTS: [(&str, &str); 5] = [
    ("Runtime", "main"),
    ("ApiTrigger", "storm"),
    ("ApiKey", "crm"),
    ("Channel", "out"),
    ("Scenario", "warning"),
];

fn ours(scene: &Scene, kind: &str) -> Api<DynamicObject> {
    objects(&scene.stage.client, API, kind, &scene.stage.namespace)
}

async fn patch_secret(scene: &Scene, patch: &Value) {
    let secrets = objects(&scene.stage.client, "v1", "Secret", &scene.stage.namespace);
    secrets.patch("storm-trigger", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

/// Writes a status as somebody else, over whatever was there.
async fn write_status(scene: &Scene, kind: &str, name: &str, status: &Value) {
    let parameters = PatchParams { field_manager: Some("somebody".into()), ..PatchParams::default() };
    let patch = json!({"status": status});
    ours(scene, kind).patch_status(name, &parameters, &Patch::Merge(&patch)).await.unwrap();
}

async fn settled(name: &str) -> (Scene, crate::stage::Operator) {
    let scene = Scene::new(name).await;
    let operator = scene.begin();
    scene.apply_all();
    scene.settled().await;
    (scene, operator)
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_annotations_and_secrets_that_make_no_sense() {
    let (scene, operator) = settled("f08").await;
    let first = scene.password();
    patch_secret(
        &scene,
        &json!({"metadata": {"annotations": {"fanfare.dev/rotated-at": "yesterday",
        "fanfare.dev/previous-expires-at": "\u{0}"}}}),
    )
    .await;
    let restored = async || {
        let secret = scene.stage.get("secret", "storm-trigger");
        secret["metadata"]["annotations"]["fanfare.dev/rotated-at"] != "yesterday"
    };
    scene.stage.until("the time is one again", restored).await;
    assert_eq!(scene.password(), first, "a wrong time is no reason for other credentials");
    for data in [json!({"password": "//79"}), json!({"username": "", "password": ""})] {
        patch_secret(&scene, &json!({"data": data})).await;
        let usable =
            async || scene.password().as_str().is_some_and(|it| it.len() > 20) && scene.password() != first;
        scene.stage.until("there are credentials again", usable).await;
    }
    let keys = objects(&scene.stage.client, "v1", "Secret", &scene.stage.namespace);
    let nothing = Patch::Merge(json!({"data": null}));
    keys.patch("crm-apikey", &PatchParams::default(), &nothing).await.unwrap();
    let filled = async || !scene.stage.get("secret", "crm-apikey")["data"].is_null();
    scene.stage.until("there is a key again", filled).await;
    let before = scene.password();
    let huge = json!({"metadata": {"annotations": {"fanfare.dev/rotate-requested-at": "x".repeat(200_000)}}});
    ours(&scene, "ApiTrigger").patch("storm", &PatchParams::default(), &Patch::Merge(&huge)).await.unwrap();
    scene.stage.until("it is taken up", async || scene.password() != before).await;
    scene.oracle(&operator, WRITES_MAX * 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_a_status_that_somebody_else_wrote() {
    let (scene, operator) = settled("f08s").await;
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "Nonsense", "message": "", "observedGeneration": 77,
            "lastTransitionTime": "1970-01-01T00:00:00Z"})
    };
    let nonsense = json!({
        "observedGeneration": 77, "url": "nowhere", "state": "Dancing", "previousExpiresAt": "1970-01-01T00:00:00Z",
        "conditions": [condition("Stalled"), condition("Ready"), condition("Dancing")],
    });
    for (kind, name) in OBJECTS {
        write_status(&scene, kind, name, &nonsense).await;
    }
    for (kind, name) in OBJECTS {
        let clean = async || {
            let object = scene.stage.get(kind, name);
            !object["status"].to_string().contains("Nonsense")
                && object["status"]["observedGeneration"] == object["metadata"]["generation"]
                && object["status"]["previousExpiresAt"].is_null()
        };
        scene.stage.until(&format!("{kind} says what is true"), clean).await;
    }
    scene.oracle(&operator, WRITES_MAX * 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_an_object_of_a_newer_version() {
    let (scene, operator) = settled("f08n").await;
    scene.proxy.rewrite(&[(r#""onUnknown":"Hold""#, r#""onUnknown":"Later""#)]);
    scene.stage.apply(&CHANNEL.replace("{log: {}}", "{log: {}, onUnknown: Hold}"));
    let message = scene.stage.until_reason("channel", "out", "Ready", "NotUnderstood").await;
    assert!(message.contains("upgrade Fanfare") && message.contains("Later"), "{message}");
    // Who refers to it does not look for something that is there.
    let message = scene.stage.until_reason("scenario", "warning", "Ready", "ReferenceNotUnderstood").await;
    assert!(message.contains("cannot read Channel out"), "{message}");
    // The others go on.
    scene.stage.apply(&TRIGGER.replace("Vienna", "Graz"));
    scene.stage.until_reason("apitrigger", "storm", "Ready", "NoReplicaReady").await;
    scene.proxy.rewrite(&[]);
    scene.stage.apply(CHANNEL);
    scene.oracle(&operator, WRITES_MAX * 3).await;
}

/// A Channel that reads a Secret.
const HOOK: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: Channel
metadata: {name: hook}
spec: {webhook: {url: 'https://example.com/', signingSecret: {secretKeyRef: {name: signing, key: key}}}}
";

#[tokio::test(flavor = "multi_thread")]
async fn f08_a_channel_of_a_newer_version_may_read_its_secret_as_before() {
    let (scene, operator) = settled("f08c").await;
    let (stage, named) = (&scene.stage, |secret: &str| named_in_role(&scene.stage, secret));
    let namespace = stage.namespace.as_str();
    for secret in ["signing", "never-named"] {
        stage.kubectl(&["create", "secret", "generic", secret, "-n", namespace, "--from-literal=key=x"]);
        stage.kubectl(&["label", "secret", secret, "-n", namespace, "fanfare.dev/allow=channel"]);
    }
    stage.apply(HOOK);
    stage.until("the Role names it", async || named("signing")).await;
    scene.proxy.rewrite(&[(r#""onUnknown":"Hold""#, r#""onUnknown":"Later""#)]);
    stage.apply(&HOOK.replace("{webhook:", "{onUnknown: Hold, webhook:"));
    stage.until_reason("channel", "hook", "Ready", "NotUnderstood").await;
    stage.apply(&TRIGGER.replace("name: storm", "name: later"));
    // The Role was looked at since.
    stage.until("the Role names a later one", async || named("later-trigger")).await;
    assert!(named("signing"), "what is in force still needs it");
    assert!(!named("never-named"));
    stage.kubectl(&["label", "secret", "signing", "-n", namespace, "fanfare.dev/allow-"]);
    stage.until("the Role names it no more", async || !named("signing")).await;
    scene.proxy.rewrite(&[]);
    scene.oracle(&operator, WRITES_MAX * 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_a_runtime_of_a_newer_version_is_reached_where_it_was() {
    let (scene, _operator) = settled("f08r").await;
    let stage = &scene.stage;
    let told = || {
        let trigger = stage.get("apitrigger", "storm")["status"].clone();
        let url = stage.get("secret", "storm-trigger")["data"]["url"].clone();
        [
            stage.get("runtime", "main")["status"]["url"].clone(),
            trigger["url"].clone(),
            trigger["curl"].clone(),
            url,
        ]
    };
    let before = told();
    assert!(before.iter().all(Value::is_string), "{before:?}");
    scene.proxy.rewrite(&[(r#""whenDeleted":"Delete""#, r#""whenDeleted":"Archive""#)]);
    stage.apply(&RUNTIME.replace("size: 1Gi", "size: 1Gi, whenDeleted: Delete"));
    stage.until_reason("runtime", "main", "Ready", "NotUnderstood").await;
    // The trigger is looked at since, and a new one learns where it is.
    stage.apply(&TRIGGER.replace("name: storm", "name: later"));
    let edited = TRIGGER.replace("spec:", "spec:\n  maxBodyBytes: 2048");
    stage.apply(&edited);
    let looked_at = async || {
        let [storm, later] = ["storm", "later"].map(|name| stage.get("apitrigger", name));
        storm["status"]["observedGeneration"] == storm["metadata"]["generation"]
            && later["status"]["url"].as_str().is_some_and(|it| it.ends_with("/later"))
    };
    stage.until("both triggers are looked at", looked_at).await;
    assert_eq!(told(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_statuses_and_objects_of_other_versions() {
    let (scene, operator) = settled("f16").await;
    let before = scene.password();
    for (kind, name) in OBJECTS {
        write_status(&scene, kind, name, &json!({"observedGeneration": 1, "conditions": null})).await;
    }
    for (kind, name) in OBJECTS {
        let said = async || scene.stage.get(kind, name)["status"]["conditions"].is_array();
        scene.stage.until(&format!("{kind} has conditions again"), said).await;
    }
    scene.settled().await;
    // As a newer version would: more fields everywhere.
    scene.proxy.rewrite(&[
        (r#""observedGeneration":"#, r#""novelty":{"a":[1,null]},"observedGeneration":"#),
        (r#""log":{}"#, r#""log":{},"colour":"red""#),
    ]);
    scene.oracle(&operator, WRITES_MAX * 3).await;
    scene.proxy.rewrite(&[]);
    scene.oracle(&operator, WRITES_MAX * 3).await;
    assert_eq!(scene.password(), before);
}

/// How many objects of a kind there are.
async fn number(client: &Client, version: &str, kind: &str, namespace: &str) -> usize {
    let parameters = ListParams::default();
    objects(client, version, kind, namespace).list(&parameters).await.unwrap().items.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn f09_many_come_and_go_and_nothing_is_left() {
    let many = if all_faults() { 100 } else { 20 };
    let (scene, operator) = settled("f09").await;
    let (client, namespace) = (scene.stage.client.clone(), scene.stage.namespace.clone());
    let secrets = number(&client, "v1", "Secret", &namespace).await;
    let specs = [
        ("ApiTrigger", json!({"parameters": [{"name": "city", "type": "string"}]})),
        ("ApiKey", json!({"permissions": ["Track"]})),
        ("Channel", json!({"log": {}})),
        ("Scenario", scene.stage.get("scenario", "warning")["spec"].clone()),
    ];
    for (kind, spec) in &specs {
        let made = (0..many).map(|at| {
            let (client, namespace) = (&client, &namespace);
            async move { create(client, kind, namespace, &format!("many-{at}"), spec).await }
        });
        futures_util::future::join_all(made).await;
    }
    let all_have = async || number(&client, "v1", "Secret", &namespace).await == secrets + 2 * many;
    scene.stage.until("each has its Secret", all_have).await;
    let role =
        async || scene.stage.get("role", "main-runtime").to_string().matches("many-").count() == 2 * many;
    scene.stage.until("the Role names them", role).await;
    for (kind, _) in &specs {
        for at in 0..many {
            ours(&scene, kind).delete(&format!("many-{at}"), &DeleteParams::default()).await.unwrap();
        }
    }
    let none_is_left = async || number(&client, "v1", "Secret", &namespace).await == secrets;
    scene.stage.until("their Secrets are gone", none_is_left).await;
    let unnamed = async || !scene.stage.get("role", "main-runtime").to_string().contains("many-");
    scene.stage.until("the Role names them no more", unnamed).await;
    for (kind, name) in KINDS {
        assert!(!scene.stage.get(kind, name).is_null(), "{kind} {name} stays");
    }
    scene.oracle(&operator, WRITES_MAX * many).await;
}

/// The API server writes quantities in its own way.
#[tokio::test(flavor = "multi_thread")]
async fn quantities_may_be_written_in_any_way() {
    let scene = Scene::new("quantities").await;
    let operator = scene.begin_with(&["--runtime-cpu", "0.5", "--runtime-memory", "1024Mi"]);
    let runtime = RUNTIME.replace("1Gi", "1024Mi");
    scene.stage.apply(&[&runtime, TRIGGER, API_KEY, CHANNEL, SCENARIO].join("---"));
    scene.oracle(&operator, WRITES_MAX * 3).await;
}
