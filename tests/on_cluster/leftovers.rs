//! What stays after `helm uninstall` and after a namespace is deleted: what was promised to stay, and nothing else.

use crate::harness::{Request, until};
use crate::node::{SOON, SYSTEM, alone};
use crate::readme;
use crate::space::Space;
use crate::times::timed;
use crate::world::volume_of;

const TRIGGER: &str = "apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: storm}
spec:
  parameters: [{name: region, type: string, required: false}]
";

#[test]
fn only_what_is_promised_stays() {
    let _alone = alone();
    let space = Space::new("leaving");
    let node = &space.node;
    space.apply(TRIGGER);
    space.apply(
        "{apiVersion: fanfare.dev/v1alpha1, kind: Runtime, metadata: {name: main}, spec: {storage: {sqlite: {size: 1Gi}}}}",
    );
    space.until_ready("runtime/main");
    space.until_ready("apitrigger/storm");
    space.open_node_ports();
    let said = node.shell("helm test fanfare -n fanfare-system --logs");
    println!("{said}");
    assert!(said.contains("ok      the operator is ready"), "{said}");

    timed("helm uninstall", || node.shell("helm uninstall fanfare -n fanfare-system --wait"));
    let kinds =
        "all,configmaps,secrets,serviceaccounts,roles,rolebindings,poddisruptionbudgets,networkpolicies";
    node.until_gone(&["pods", "-n", SYSTEM]);
    let left = names(&space, &[kinds, "-n", SYSTEM]);
    // Those that every namespace has.
    assert_eq!(left, ["configmap/kube-root-ca.crt", "serviceaccount/default"]);
    let cluster = "clusterroles,clusterrolebindings,customresourcedefinitions";
    let left = names(&space, &[cluster, "-l", "app.kubernetes.io/name=fanfare"]);
    assert_eq!(left.len(), 5, "the definitions of five kinds: {left:?}");
    assert!(
        left.iter().all(|name| name.starts_with("customresourcedefinition") && name.ends_with("fanfare.dev"))
    );

    // What was declared is there, and its runtime goes on without the operator.
    assert_eq!(names(&space, &["fanfare", "-n", "leaving"]).len(), 2);
    let url = format!("http://{}:{}/in/leaving/storm", node.ip, space.node_port("calls"));
    let key = (space.secret("storm-trigger", "username"), space.secret("storm-trigger", "password"));
    let answer = Request::post(url).basic(&key.0, &key.1).json(&serde_json::json!({})).must();
    assert_eq!(answer.status, 202, "{}", answer.body);

    let install = readme::commands().remove(0);
    timed("installed again", || {
        node.shell(&install);
        node.ask(&["rollout", "status", "deployment/fanfare-operator", "-n", SYSTEM, "--timeout=120s"]);
    });
    space.apply(&TRIGGER.replace("required: false", "required: false, example: north"));
    space.until_reason("apitrigger", "storm", "Ready", "Succeeded");

    let volume = volume_of(&space, "data-main-runtime-0");
    timed("a namespace deleted", || {
        space.delete();
        node.until_gone(&["namespace", "leaving"]);
    });
    let left = names(&space, &[cluster, "-l", "fanfare.dev/runtime"]);
    assert!(left.is_empty(), "{left:?}");
    assert!(volume.join("ledger.db").exists(), "the class keeps the volume's files: {}", volume.display());
    until("the volume given back", SOON, || {
        let volumes = node.list(&["pv"]);
        let gone = |it: &serde_json::Value| {
            it["spec"]["claimRef"]["namespace"] == "leaving" && it["status"]["phase"] == "Released"
        };
        volumes.iter().any(gone).then_some(())
    });
}

fn names(space: &Space, arguments: &[&str]) -> Vec<String> {
    let arguments = [&["get"], arguments, &["-o", "name"]].concat();
    let mut names: Vec<String> = space.node.ask(&arguments).lines().map(str::to_owned).collect();
    names.sort();
    names
}
