//! A namespace with one object of every kind and an operator behind a proxy, and the oracle that holds after every
//! fault: statuses are coherent, a second look writes nothing, nothing panicked, and writes are bounded.

use serde_json::Value;

use crate::proxy::Proxy;
use crate::stage::{Operator, Stage};
use crate::stories::{CHANNEL, SCENARIO, TRIGGER};

pub const RUNTIME: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: Runtime
metadata: {name: main}
spec: {storage: {sqlite: {size: 1Gi}}}
";
pub const API_KEY: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: ApiKey
metadata: {name: crm}
spec: {permissions: [Track]}
";
pub const KINDS: [(&str, &str); 5] = [
    ("runtime", "main"),
    ("apitrigger", "storm"),
    ("apikey", "crm"),
    ("channel", "out"),
    ("scenario", "warning"),
];
/// What a Runtime is made of.
pub const CHILDREN: [&str; 7] = [
    "serviceaccount",
    "role",
    "rolebinding",
    "service",
    "networkpolicy",
    "statefulset",
    "poddisruptionbudget",
];

/// An operator behind a proxy, and a namespace with one object of every kind.
pub struct Scene {
    pub stage: Stage,
    pub proxy: Proxy,
}

impl Scene {
    pub async fn new(name: &str) -> Self {
        let stage = Stage::new(name).await;
        let proxy = Proxy::start(&stage.operator_kubeconfig()).await;
        Scene { stage, proxy }
    }

    pub fn begin(&self) -> Operator {
        self.begin_with(&[])
    }

    /// The same, with more on its command line.
    pub fn begin_with(&self, extra: &[&str]) -> Operator {
        let arguments = [&["--no-leader-election"], extra].concat();
        self.stage.begin_operator(&self.proxy.kubeconfig(), &arguments)
    }

    pub fn apply_all(&self) {
        self.stage.apply(&[RUNTIME, TRIGGER, API_KEY, CHANNEL, SCENARIO].join("---"));
    }

    /// Waits until everything is as it will be without replicas.
    pub async fn settled(&self) {
        for (kind, name) in KINDS {
            let reason = if kind == "runtime" { "RollingOut" } else { "NoReplicaReady" };
            self.stage.until_reason(kind, name, "Ready", reason).await;
        }
        for child in CHILDREN {
            self.stage.until(child, async || !self.stage.get(child, "main-runtime").is_null()).await;
        }
        let url = async || !self.stage.get("secret", "storm-trigger")["data"]["url"].is_null();
        self.stage.until("the Secret has the URL", url).await;
    }

    /// Has every object looked at twice more, and gives what was written from the second look on.
    async fn writes_of_a_second_look(&self, operator: &Operator) -> Vec<String> {
        look(&self.stage, operator, "first").await;
        let before = self.proxy.writes().len();
        look(&self.stage, operator, "second").await;
        self.proxy.writes()[before..].to_vec()
    }

    /// What must hold after every fault.
    pub async fn oracle(&self, operator: &Operator, writes_max: usize) {
        self.settled().await;
        let writes = self.writes_of_a_second_look(operator).await;
        assert_eq!(writes, Vec::<String>::new(), "a second look writes nothing");
        let metrics = operator.metrics().await;
        let panics =
            metrics.lines().filter(|line| line.starts_with("fanfare_operator_reconcile_panics_total"));
        assert!(panics.clone().all(|line| line.ends_with(" 0")), "{:?}", panics.collect::<Vec<_>>());
        let all = self.proxy.writes();
        assert!(all.len() <= writes_max, "{} writes: {all:#?}", all.len());
    }

    pub fn password(&self) -> Value {
        self.stage.get("secret", "storm-trigger")["data"]["password"].clone()
    }
}

/// Has one object of every kind looked at once more.
pub async fn look(stage: &Stage, operator: &Operator, mark: &str) {
    let before = operator.metrics().await;
    for (kind, name) in KINDS {
        let mark = format!("looked={mark}");
        stage.kubectl(&["annotate", "--overwrite", "-n", &stage.namespace, kind, name, &mark]);
    }
    let all = async || {
        let now = operator.metrics().await;
        ["Runtime", "ApiTrigger", "ApiKey", "Channel", "Scenario"]
            .iter()
            .all(|kind| of(&now, kind) > of(&before, kind))
    };
    stage.until("every kind is looked at", all).await;
}

/// Has the Runtime looked at once more.
pub async fn look_at_runtime(stage: &Stage, operator: &Operator, mark: &str) {
    let before = of(&operator.metrics().await, "Runtime");
    let (namespace, mark) = (stage.namespace.as_str(), format!("looked={mark}"));
    stage.kubectl(&["annotate", "--overwrite", "-n", namespace, "runtime", "main", &mark]);
    let again = async || of(&operator.metrics().await, "Runtime") > before;
    stage.until("it is looked at", again).await;
}

/// How often a kind was reconciled with success.
pub fn of(metrics: &str, kind: &str) -> u64 {
    let line = metrics.lines().find(|line| {
        line.starts_with("fanfare_operator_reconcile_total")
            && line.contains(&format!("\"{kind}\""))
            && line.contains("success")
    });
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

/// What one convergence from nothing may write: each object once or twice, each status a few times.
pub const WRITES_MAX: usize = 60;

/// Whether faults are to be tried in the numbers that take too long for every change.
pub fn all_faults() -> bool {
    std::env::var("FANFARE_OPERATOR_FAULTS").is_ok_and(|faults| faults == "all")
}
