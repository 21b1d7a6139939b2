//! Of several operators one works; the next one follows at once when it ends in order.

use crate::stage::{Operator, Stage};
use crate::stories::TRIGGER;

async fn leads(operator: &Operator) -> bool {
    let metrics = operator.metrics().await;
    metrics.lines().any(|line| line.starts_with("fanfare_operator_leader{") && line.ends_with(" 1"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_works_and_the_next_one_follows() {
    let stage = Stage::new("leader").await;
    let first = stage.operator(&[]).await;
    stage.until("the first one leads", async || leads(&first).await).await;
    let second = stage.operator(&[]).await;
    stage.apply(TRIGGER);
    stage.until_reason("apitrigger", "storm", "Ready", "NoRuntime").await;
    assert!(leads(&first).await && !leads(&second).await, "one stands by, and is ready to follow");
    assert_eq!(first.terminate().await, Some(0));
    // It gave its Lease back, or the second one would wait for it to run out.
    let lease =
        ["get", "lease", "fanfare-operator", "-n", &stage.system, "-o", "jsonpath={.spec.holderIdentity}"];
    stage.until("the second one leads", async || leads(&second).await).await;
    let holder = stage.cluster.ask(&lease);
    assert!(holder.starts_with(&format!("{}_", second.identity())), "{holder}");
    stage.apply(&TRIGGER.replace("type: string", "type: string, pattern: '('"));
    stage.until_reason("apitrigger", "storm", "Ready", "Invalid").await;
    assert_eq!(second.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_with_leases_of_their_own_work_side_by_side() {
    let stage = Stage::new("leases").await;
    let first = stage.operator(&[]).await;
    let own = ["-n", &stage.system];
    let role = ["create", "role", "other", "--verb=get,update", "--resource=leases", "--resource-name=other"];
    stage.kubectl(&[&role[..], &own].concat());
    let account = format!("--serviceaccount={}:fanfare-operator", stage.system);
    stage.kubectl(&[&["create", "rolebinding", "other", "--role=other", &account], &own[..]].concat());
    let elsewhere = stage.another("two");
    let second = elsewhere.operator(&["--lease-name", "other"]).await;
    stage.until("both lead", async || leads(&first).await && leads(&second).await).await;
    assert!(second.metrics().await.contains("fanfare_operator_leader{lease=\"other\"} 1"));
    stage.apply(TRIGGER);
    elsewhere.apply(TRIGGER);
    stage.until_reason("apitrigger", "storm", "Ready", "NoRuntime").await;
    elsewhere.until_reason("apitrigger", "storm", "Ready", "NoRuntime").await;
}

/// Two installations over the same namespaces would each set right what the other wrote.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_installation_stands_back_and_says_so() {
    let stage = Stage::new("second").await;
    let first = stage.operator(&[]).await;
    stage.apply(&[TRIGGER, crate::scene::RUNTIME].join("---"));
    stage.until_reason("runtime", "main", "Ready", "RollingOut").await;
    let own = format!("{}/fanfare-operator", stage.system);
    assert_eq!(stage.get("runtime", "main")["status"]["operator"], own);
    let account = format!("--serviceaccount={}:fanfare-operator", stage.system);
    let lease =
        ["create", "role", "other", "--verb=get,update", "--resource=leases", "--resource-name=other"];
    stage.kubectl(&[&lease[..], &["-n", &stage.system]].concat());
    stage.kubectl(&["create", "rolebinding", "other", "--role=other", &account, "-n", &stage.system]);
    let proxy = crate::proxy::Proxy::start(&stage.operator_kubeconfig()).await;
    let extra = ["--lease-name", "other", "--image", "fanfare:other"];
    let second = stage.operator_with(&proxy.kubeconfig(), &extra).await;
    let stands_back = async || second.metrics().await.contains("fanfare_operator_namespaces_of_others 1");
    stage.until("the second one says that it stands back", stands_back).await;
    stage.apply(&TRIGGER.replace("name: storm", "name: flood"));
    stage.until_reason("apitrigger", "flood", "ResolvedRefs", "Succeeded").await;
    let image =
        |object: &serde_json::Value| object["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    assert_eq!(image(&stage.get("statefulset", "main-runtime")), "fanfare:test");
    let writes = proxy.writes();
    let of_others = |write: &&String| !write.contains("leases") && !write.contains("events");
    assert_eq!(writes.iter().filter(of_others).count(), 0, "{writes:?}");
    let events = stage.kubectl(&["get", "events.v1.events.k8s.io", "-n", &stage.namespace, "-o", "json"]);
    assert!(events.contains("ManagedByAnother") && events.contains("fanfare.dev/operator="), "{events}");
    // A person hands it over.
    let other = format!("fanfare.dev/operator={}/other", stage.system);
    stage.kubectl(&["annotate", "runtime", "main", "-n", &stage.namespace, &other]);
    let handed = async || image(&stage.get("statefulset", "main-runtime")) == "fanfare:other";
    stage.until("the second one manages it", handed).await;
    let stands_back = async || first.metrics().await.contains("fanfare_operator_namespaces_of_others 1");
    stage.until("the first one stands back", stands_back).await;
}

/// Whoever is deleted cannot give the Lease back: uninstalling takes its account away first. It goes with the Pod.
#[tokio::test(flavor = "multi_thread")]
async fn the_lease_goes_with_the_pod_that_holds_it() {
    let stage = Stage::new("pod-lease").await;
    let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator-pod"},
        "spec": {"nodeName": "nowhere", "containers": [{"name": "operator", "image": "fanfare:test"}]}});
    stage.apply_in(&stage.system, &pod.to_string());
    let uid = ["get", "pod", "operator-pod", "-n", &stage.system, "-o", "jsonpath={.metadata.uid}"];
    let uid = stage.kubectl(&uid);
    let operator = stage.operator(&["--identity", "operator-pod", "--pod-uid", &uid]).await;
    stage.until("it leads", async || leads(&operator).await).await;
    drop(operator);
    let lease = async || {
        let lease = ["get", "lease", "-n", &stage.system, "-o", "name"];
        stage.kubectl(&lease).contains("fanfare-operator")
    };
    assert!(lease().await);
    stage.kubectl(&["delete", "pod", "operator-pod", "-n", &stage.system, "--grace-period=0", "--force"]);
    stage.until("nobody has to wait for it", async || !lease().await).await;
}
