//! What others do to the objects of a Runtime is undone, whatever it is; what they may add stays.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::scene::RUNTIME;
use crate::serving::Served;
use crate::stage::{Operator, Stage};

/// A Runtime whose objects are there; nothing runs.
async fn made(name: &str) -> (Stage, crate::proxy::Proxy, Operator) {
    let stage = Stage::new(name).await;
    let proxy = crate::proxy::Proxy::start(&stage.operator_kubeconfig()).await;
    let operator = stage.operator_with(&proxy.kubeconfig(), &["--no-leader-election"]).await;
    stage.apply(RUNTIME);
    stage.until_reason("runtime", "main", "Ready", "RollingOut").await;
    for child in crate::scene::CHILDREN {
        stage.until(child, async || !stage.get(child, "main-runtime").is_null()).await;
    }
    (stage, proxy, operator)
}

fn patch(stage: &Stage, kind: &str, patch: &Value) {
    let patch = patch.to_string();
    stage.kubectl(&["patch", kind, "main-runtime", "-n", &stage.namespace, "--type=merge", "-p", &patch]);
}

/// What others add to each kind, by merge patch; a list is what there is and one more.
fn additions(stage: &Stage) -> Vec<(&'static str, Value)> {
    let items = |kind: &str, list: &str| stage.get(kind, "main-runtime").pointer(list).unwrap().clone();
    let with = |kind: &str, list: &str, more: Value| {
        let mut items = items(kind, list);
        items.as_array_mut().unwrap().push(more);
        items
    };
    let changed = |kind: &str, list: &str, change: &dyn Fn(&mut Value)| {
        let mut items = items(kind, list);
        items.as_array_mut().unwrap().iter_mut().for_each(change);
        items
    };
    let (policy, set, containers) = ("networkpolicy", "statefulset", "/spec/template/spec/containers");
    let template = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    let open = json!({"ports": [{"port": 1, "protocol": "TCP"}]});
    let mallory = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"});
    let namesake = json!({"kind": "ServiceAccount", "name": "main-runtime", "namespace": "default"});
    let all = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]});
    let end = |rule: &mut Value| {
        if rule["ports"].is_array() {
            rule["ports"][0]["endPort"] = json!(65535);
        }
    };
    let everywhere = |rule: &mut Value| {
        if rule["from"][0]["podSelector"].is_object() {
            rule["from"][0]["namespaceSelector"] = json!({});
        }
    };
    vec![
        ("service", json!({"spec": {"selector": {"nobody": "has"}}})),
        ("service", json!({"spec": {"externalIPs": ["203.0.113.9"], "publishNotReadyAddresses": true}})),
        ("service", json!({"spec": {"type": "NodePort"}})),
        (policy, json!({"spec": {"podSelector": {"matchLabels": {"nobody": "has"}}}})),
        (policy, json!({"spec": {"ingress": with(policy, "/spec/ingress", open)}})),
        (policy, json!({"spec": {"ingress": changed(policy, "/spec/ingress", &everywhere)}})),
        (policy, json!({"spec": {"egress": changed(policy, "/spec/egress", &end)}})),
        ("rolebinding", json!({"subjects": with("rolebinding", "/subjects", mallory)})),
        ("rolebinding", json!({"subjects": with("rolebinding", "/subjects", namesake)})),
        ("role", json!({"rules": with("role", "/rules", all)})),
        ("poddisruptionbudget", json!({"spec": {"selector": {"matchLabels": {"nobody": "has"}}}})),
        (set, template(json!({"containers": changed(set, containers, &|it| it["command"] = json!(["sh"]))}))),
        (set, template(json!({"containers": with(set, containers, json!({"name": "more", "image": "x"}))}))),
        (
            set,
            template(json!({"nodeSelector": {"disk": "none"}, "hostNetwork": true, "dnsPolicy": "Default"})),
        ),
        (set, json!({"spec": {"template": {"metadata": {"labels": {"more": "1"}}}}})),
        (set, json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_add_to_an_object_is_taken_out_of_it() {
    let (stage, proxy, operator) = made("meddling").await;
    let declared = |object: Value| {
        let mut object = object;
        object["metadata"].take();
        object["status"].take();
        object
    };
    for (kind, addition) in additions(&stage) {
        let before = declared(stage.get(kind, "main-runtime"));
        patch(&stage, kind, &addition);
        let undone = async || declared(stage.get(kind, "main-runtime")) == before;
        stage.until(&format!("{kind} {addition}"), undone).await;
    }
    // Labels and annotations are not the operator's alone, nor is a restart.
    stage.kubectl(&["label", "service", "main-runtime", "-n", &stage.namespace, "team=storms"]);
    let restarted = json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}});
    patch(&stage, "statefulset", &restarted);
    crate::scene::look_at_runtime(&stage, &operator, "first").await;
    let before = proxy.writes().len();
    crate::scene::look_at_runtime(&stage, &operator, "second").await;
    let mut writes = proxy.writes()[before..].to_vec();
    // The rollout of the restart goes its way.
    writes.retain(|write| !write.contains("/status ") && !write.contains("/pods/"));
    assert_eq!(writes, Vec::<String>::new());
    assert_eq!(stage.get("service", "main-runtime")["metadata"]["labels"]["team"], "storms");
    let annotations =
        &stage.get("statefulset", "main-runtime")["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations["kubectl.kubernetes.io/restartedAt"], "now");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_lost_its_labels_or_its_owner_is_put_right() {
    let (stage, _proxy, _operator) = made("unlabelled").await;
    let label = |object: &Value| object["metadata"]["labels"]["fanfare.dev/runtime"].clone();
    for labels in [
        json!({"fanfare.dev/runtime": "other"}),
        json!({"fanfare.dev/runtime": null}),
        json!({"app.kubernetes.io/managed-by": "somebody"}),
    ] {
        let change =
            json!({"metadata": {"labels": labels}, "spec": {"selector": {"fanfare.dev/runtime": "other"}}});
        patch(&stage, "service", &change);
        let right = async || {
            let service = stage.get("service", "main-runtime");
            label(&service) == "main" && service["spec"]["selector"]["fanfare.dev/runtime"] == "main"
        };
        stage.until(&change.to_string(), right).await;
    }
    patch(&stage, "service", &json!({"metadata": {"ownerReferences": null}}));
    let owned =
        async || stage.get("service", "main-runtime")["metadata"]["ownerReferences"][0]["kind"] == "Runtime";
    stage.until("it has its owner again", owned).await;
}

/// A token is of one account. One that was deleted and made anew has another, whatever its name.
#[tokio::test(flavor = "multi_thread")]
async fn pods_are_made_anew_when_their_account_was() {
    let served = Served::new("account").await;
    let stage = &served.stage;
    let uid = |kind: &str, name: &str| stage.get(kind, name)["metadata"]["uid"].clone();
    let (account, pod) = (uid("serviceaccount", "main-runtime"), uid("pod", "main-runtime-0"));
    stage.kubectl(&["delete", "serviceaccount", "main-runtime", "-n", &stage.namespace]);
    let anew = async || {
        let now = uid("serviceaccount", "main-runtime");
        !now.is_null() && now != account
    };
    stage.until("there is an account again", anew).await;
    let anew = async || {
        let now = uid("pod", "main-runtime-0");
        !now.is_null() && now != pod
    };
    stage.until("there is another Pod", anew).await;
    served.all_ready().await;
}

/// Whoever may make Pods may give them any label.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_only_says_that_it_is_a_replica_is_not_asked() {
    let served = Served::new("impostor").await;
    let stage = &served.stage;
    let genuine = stage.get("pod", "main-runtime-0");
    let mut owners = genuine["metadata"]["ownerReferences"].clone();
    owners[0]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    let pods: Api<Pod> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let mut labels = genuine["metadata"]["labels"].clone();
    labels
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !name.contains("statefulset") && !name.contains("revision"));
    for (name, owners) in [("bare", json!([])), ("forged", owners)] {
        let pod = json!({"metadata": {"name": name, "labels": labels, "ownerReferences": owners},
            // No kubelet is meant to run it.
            "spec": {"nodeName": "nowhere", "containers": [{"name": "c", "image": "x"}]}});
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        let status = json!({"status": {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}],
            "conditions": [{"type": "Ready", "status": "True"}]}});
        pods.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    }
    // It would not answer, and then nothing would be in force everywhere.
    stage.apply(&crate::stories::SCENARIO.replace("A storm is coming", "A heavy storm is coming"));
    let message = stage.until_reason("scenario", "warning", "Programmed", "Succeeded").await;
    assert!(message.ends_with("(1)"), "{message}");
    assert_eq!(stage.get("runtime", "main")["status"]["readyReplicas"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_is_about_to_go_is_told_before_it_is_gone() {
    let served = Served::new("going").await;
    let stage = &served.stage;
    stage.kubectl(&["delete", "pvc", "data-main-runtime-0", "-n", &stage.namespace, "--wait=false"]);
    let touched = ["annotate", "runtime", "main", "-n", &stage.namespace, "touched=yes"];
    stage.kubectl(&touched);
    let message = stage.until_reason("runtime", "main", "WorkloadReady", "VolumeTerminating").await;
    assert!(message.contains("data-main-runtime-0") && message.contains("backup"), "{message}");
}
