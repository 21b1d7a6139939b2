//! How many replicas there are is the declaration's to say, and an autoscaler's once it says something.

use serde_json::Value;

use crate::proxy::Proxy;
use crate::scene::of;
use crate::stage::{Operator, Stage};

const DATABASE: &str = "
apiVersion: v1
kind: Secret
metadata: {name: database, labels: {fanfare.dev/allow: storage}}
stringData: {uri: 'postgres://u:p@db/fanfare'}
";
const SCALED: &str = "autoscaling: {minReplicas: 2, maxReplicas: 6, cpuPercent: 60}";

/// A Runtime on a database that nobody runs: its Pods are never started.
struct Scaled {
    stage: Stage,
    proxy: Proxy,
    operator: Operator,
}

impl Scaled {
    async fn new(name: &str, replicas: &str) -> Self {
        let stage = Stage::new(name).await;
        let proxy = Proxy::start(&stage.operator_kubeconfig()).await;
        let operator = stage.operator_with(&proxy.kubeconfig(), &["--no-leader-election"]).await;
        stage.apply(DATABASE);
        let scaled = Scaled { stage, proxy, operator };
        scaled.declare(replicas).await;
        scaled
    }

    /// Declares how many there are, and waits until it is looked at.
    async fn declare(&self, replicas: &str) {
        self.stage.apply(&format!(
            "apiVersion: fanfare.dev/v1alpha1\nkind: Runtime\nmetadata: {{name: main}}\n\
             spec:\n  storage: {{postgres: {{secretRef: {{name: database}}}}}}\n  {replicas}\n"
        ));
        self.stage.until_reason("runtime", "main", "Ready", "RollingOut").await;
    }

    /// Has the Runtime looked at once more.
    async fn look(&self, mark: &str) {
        let before = of(&self.operator.metrics().await, "Runtime");
        let (namespace, mark) = (self.stage.namespace.as_str(), format!("looked={mark}"));
        self.stage.kubectl(&["annotate", "--overwrite", "-n", namespace, "runtime", "main", &mark]);
        let again = async || of(&self.operator.metrics().await, "Runtime") > before;
        self.stage.until("it is looked at", again).await;
    }

    /// Has it looked at twice more, and gives what the second look wrote, but for statuses: they follow the rollout.
    async fn writes_of_a_second_look(&self) -> Vec<String> {
        self.look("first").await;
        let before = self.proxy.writes().len();
        self.look("second").await;
        let mut writes = self.proxy.writes()[before..].to_vec();
        writes.retain(|write| !write.contains("/status "));
        writes
    }

    fn deployment(&self) -> Value {
        self.stage.get("deployment", "main-runtime")
    }

    fn has_autoscaler(&self) -> bool {
        !self.stage.get("horizontalpodautoscaler", "main-runtime").is_null()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_autoscaler_takes_over_from_as_many_replicas_as_there_are() {
    let scaled = Scaled::new("scaled", "replicas: 4").await;
    let before = scaled.deployment();
    assert_eq!(before["spec"]["replicas"], 4);
    scaled.declare(SCALED).await;
    scaled.stage.until("there is an autoscaler", async || scaled.has_autoscaler()).await;
    let now = scaled.deployment();
    assert_eq!(now["spec"]["replicas"], 4);
    assert_eq!(
        now["metadata"]["generation"], before["metadata"]["generation"],
        "it was never another number"
    );
    assert_eq!(scaled.writes_of_a_second_look().await, Vec::<String>::new());
    // As the autoscaler does.
    let namespace = scaled.stage.namespace.as_str();
    scaled.stage.kubectl(&["scale", "-n", namespace, "deployment/main-runtime", "--replicas=5"]);
    assert_eq!(scaled.writes_of_a_second_look().await, Vec::<String>::new());
    assert_eq!(scaled.deployment()["spec"]["replicas"], 5);
    scaled.declare("replicas: 3").await;
    scaled.stage.until("the declaration holds", async || scaled.deployment()["spec"]["replicas"] == 3).await;
    scaled.stage.until("the autoscaler is gone", async || !scaled.has_autoscaler()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_autoscaler_begins_within_its_bounds() {
    let scaled = Scaled::new("bounds", "replicas: 9").await;
    scaled.declare(SCALED).await;
    scaled
        .stage
        .until("it is the most there may be", async || scaled.deployment()["spec"]["replicas"] == 6)
        .await;
    let fresh = Scaled::new("fresh", SCALED).await;
    fresh
        .stage
        .until("it is the least there may be", async || fresh.deployment()["spec"]["replicas"] == 2)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_secret_that_is_touched_or_unusable_for_a_while_changes_nothing() {
    let scaled = Scaled::new("touched", SCALED).await;
    scaled.stage.until("there is an autoscaler", async || scaled.has_autoscaler()).await;
    scaled.look("settled").await;
    let (namespace, before) =
        (scaled.stage.namespace.as_str(), scaled.deployment()["metadata"]["generation"].clone());
    scaled.stage.kubectl(&["annotate", "secret", "database", "-n", namespace, "changed=yes"]);
    assert_eq!(scaled.writes_of_a_second_look().await, Vec::<String>::new());
    assert_eq!(scaled.deployment()["metadata"]["generation"], before);
    scaled.stage.kubectl(&["label", "secret", "database", "-n", namespace, "fanfare.dev/allow-"]);
    scaled.look("unusable").await;
    scaled.stage.until_reason("runtime", "main", "ResolvedRefs", "SecretNotAllowed").await;
    scaled.look("still").await;
    assert!(scaled.has_autoscaler());
    scaled.stage.kubectl(&["label", "secret", "database", "-n", namespace, "fanfare.dev/allow=storage"]);
    scaled.declare(SCALED).await;
    assert_eq!(scaled.deployment()["metadata"]["generation"], before);
}
