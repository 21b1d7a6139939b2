//! Without `--image`, runtimes get what the operator's own Pod runs: whatever sets the one sets the other.

use crate::scene::RUNTIME;
use crate::stage::Stage;

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: own}
spec:
  serviceAccountName: fanfare-operator
  containers: [{name: operator, image: 'registry.example.com/fanfare:7'}]
";

#[tokio::test(flavor = "multi_thread")]
async fn runtimes_get_the_operators_own_image() {
    let stage = Stage::new("image").await;
    stage.apply_in(&stage.system, POD);
    let operator = stage.begin_operator(&stage.operator_kubeconfig(), &["--image", "", "--identity", "own"]);
    stage
        .until("it says which right it lacks", async || {
            let answer = operator.ask("readyz").await;
            answer.is_some_and(|it| {
                it.status == 503 && it.body.contains("forbidden") && it.body.contains("by --image, or let")
            })
        })
        .await;
    let account = format!("--serviceaccount={}:fanfare-operator", stage.system);
    let role = "--clusterrole=fanfare-operator";
    stage.kubectl(&["create", "rolebinding", "fanfare-operator", role, &account, "-n", &stage.system]);
    stage.apply(RUNTIME);
    stage.until("there is a workload", async || !stage.get("statefulset", "main-runtime").is_null()).await;
    let workload = stage.get("statefulset", "main-runtime");
    let container = &workload["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "registry.example.com/fanfare:7");
}
