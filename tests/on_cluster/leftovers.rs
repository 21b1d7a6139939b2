//! What stays after `helm uninstall` and after a namespace is deleted: what was promised to stay, and nothing else.

use crate::harness::{Request, until};
use crate::node::{SOON, SYSTEM};
use crate::readme;
use crate::space::{RUNTIME, Space, TRIGGER};
use crate::times::timed;
use crate::turns::alone;

const CLUSTER_WIDE: &str = "clusterroles,clusterrolebindings,customresourcedefinitions";
const OPERATOR: &str = "deployment/fanfare-operator";

#[test]
fn only_what_is_promised_stays() {
    let _alone = alone();
    let space = Space::new("leaving");
    let node = &space.node;
    space.apply(TRIGGER);
    space.apply(RUNTIME);
    space.until_ready("runtime/main");
    space.until_ready("apitrigger/storm");
    space.open_node_ports();
    let said = node.shell("helm test fanfare -n fanfare-system --logs");
    assert!(said.contains("ok      the operator is ready"), "{said}");

    timed("helm uninstall", || node.shell("helm uninstall fanfare -n fanfare-system --wait"));
    nothing_but_the_definitions_is_left(&space);
    what_was_declared_goes_on(&space);

    with_rights_in_one_namespace(&space);
    let install = readme::commands().remove(0);
    timed("installed again", || {
        node.shell(&install);
        node.ask(&["rollout", "status", OPERATOR, "-n", SYSTEM, "--timeout=120s"]);
    });
    space.apply(&TRIGGER.replace("required: false", "required: false, example: south"));
    space.until_reason("apitrigger", "storm", "Ready", "Succeeded");
    a_deleted_namespace_leaves_its_volume(&space);
}

fn nothing_but_the_definitions_is_left(space: &Space) {
    // The Lease goes with the Pod that held it.
    space.node.until_gone(&["pods,leases", "-n", SYSTEM]);
    let kinds = "all,configmaps,secrets,serviceaccounts,roles,rolebindings,poddisruptionbudgets,networkpolicies,leases";
    let left = names(space, &[kinds, "-n", SYSTEM]);
    // These are what every namespace has.
    assert_eq!(left, ["configmap/kube-root-ca.crt", "serviceaccount/default"]);
    let left = names(space, &[CLUSTER_WIDE, "-l", "app.kubernetes.io/name=fanfare"]);
    assert_eq!(left.len(), 5, "the definitions of five kinds: {left:?}");
    let is_definition =
        |name: &String| name.starts_with("customresourcedefinition") && name.ends_with("fanfare.dev");
    assert!(left.iter().all(is_definition), "{left:?}");
}

/// It is there, and its runtime serves without an operator.
fn what_was_declared_goes_on(space: &Space) {
    assert_eq!(names(space, &["fanfare", "-n", "leaving"]).len(), 2);
    let url = format!("http://{}:{}/in/leaving/storm", space.node.ip, space.node_port("calls"));
    let key = (space.secret("storm-trigger", "username"), space.secret("storm-trigger", "password"));
    let answer = Request::post(url).basic(&key.0, &key.1).json(&serde_json::json!({})).must();
    assert_eq!(answer.status, 202, "{}", answer.body);
}

fn a_deleted_namespace_leaves_its_volume(space: &Space) {
    let claim = space.get("pvc", "data-main-runtime-0");
    let volume = claim["spec"]["volumeName"].as_str().expect("the claim is bound").to_owned();
    let policy = ["get", "pv", &volume, "-o", "jsonpath={.spec.persistentVolumeReclaimPolicy}"];
    let policy = space.node.ask(&policy);
    timed("a namespace deleted", || {
        space.delete();
        space.node.until_gone(&["namespace", "leaving"]);
    });
    let left = names(space, &[CLUSTER_WIDE, "-l", "fanfare.dev/runtime"]);
    assert!(left.is_empty(), "{left:?}");
    if policy != "Retain" {
        // The class of that cluster removes volumes with their claims.
        return;
    }
    until("the volume given back", SOON, || {
        let is_given_back = |volume: &serde_json::Value| {
            volume["spec"]["claimRef"]["namespace"] == "leaving" && volume["status"]["phase"] == "Released"
        };
        space.node.list(&["pv"]).iter().any(is_given_back).then_some(())
    });
}

/// An operator that may serve this namespace, does, and leaves others alone.
fn with_rights_in_one_namespace(space: &Space) {
    let node = &space.node;
    node.shell("helm install fanfare charts/fanfare -n fanfare-system --set 'watchNamespaces={leaving}'");
    node.ask(&["rollout", "status", OPERATOR, "-n", SYSTEM, "--timeout=120s"]);
    let said = node.shell("helm test fanfare -n fanfare-system --logs");
    assert!(said.contains("ok      this account may list all kinds in namespace leaving"), "{said}");
    let elsewhere = "elsewhere";
    node.ask(&["create", "namespace", elsewhere]);
    node.apply(&["apply", "-n", elsewhere], TRIGGER);
    space.apply(&TRIGGER.replace("required: false", "required: false, example: north"));
    space.until_reason("apitrigger", "storm", "Ready", "Succeeded");
    let seen = ["get", "apitrigger", "storm", "-n", elsewhere, "-o", "jsonpath={.status.observedGeneration}"];
    assert_eq!(node.ask(&seen), "-1", "nobody has looked at what is declared elsewhere");
    let account = format!("--as=system:serviceaccount:{SYSTEM}:fanfare-operator");
    let may = |namespace: &str| {
        let asked = node.kubectl(&["auth", "can-i", "list", "secrets", "-n", namespace, &account]);
        String::from_utf8_lossy(&asked.stdout).trim() == "yes"
    };
    assert!(may("leaving") && !may(elsewhere) && !may("default"), "rights are those of the namespace only");
    node.shell("helm uninstall fanfare -n fanfare-system --wait");
    node.ask(&["delete", "namespace", elsewhere, "--wait=false"]);
}

fn names(space: &Space, arguments: &[&str]) -> Vec<String> {
    let arguments = [&["get"], arguments, &["-o", "name"]].concat();
    let mut names: Vec<String> = space.node.ask(&arguments).lines().map(str::to_owned).collect();
    names.sort();
    names
}
