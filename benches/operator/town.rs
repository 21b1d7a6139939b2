//! A namespace that is served, with a proxy before the operator and one before the runtime.

use std::time::Duration;

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::kubelet::Kubelet;
use crate::proxy::Proxy;
use crate::stage::{Operator, Stage};

/// What the measurements run in.
pub struct Town {
    pub stage: Stage,
    pub operator: Operator,
    pub before_operator: Proxy,
    pub before_runtime: Proxy,
    _kubelet: Kubelet,
}

impl Town {
    pub async fn new() -> Self {
        let stage = Stage::new("bench").await;
        let before_operator = Proxy::start(&stage.operator_kubeconfig()).await;
        let operator = stage.operator_with(&before_operator.kubeconfig(), &[]).await;
        let runtime = json!({"storage": {"sqlite": {"size": "1Gi"}}});
        let town =
            async |stage: &Stage, kind: &str, name: &str, spec: &Value| apply(stage, kind, name, spec).await;
        town(&stage, "Runtime", "main", &runtime).await;
        town(&stage, "Channel", "out", &json!({"log": {}})).await;
        let account = async || !stage.get("rolebinding", "main-runtime").is_null();
        stage.until("the runtime has an account", account).await;
        let before_runtime =
            Proxy::start(&stage.cluster.kubeconfig_of(&stage.namespace, "main-runtime")).await;
        let kubelet = stage.kubelet_through(&[], Some(before_runtime.kubeconfig()));
        stage.until_ready("runtime", "main").await;
        Town { stage, operator, before_operator, before_runtime, _kubelet: kubelet }
    }

    pub async fn apply(&self, kind: &str, name: &str, spec: &Value) {
        apply(&self.stage, kind, name, spec).await;
    }

    /// Where the runtime takes calls.
    pub fn calls(&self) -> String {
        let pod = self.stage.get("pod", "main-runtime-0");
        format!("http://{}:8080", pod["status"]["podIP"].as_str().unwrap())
    }

    /// The most memory the runtime had, in MiB.
    pub fn runtime_memory(&self) -> f64 {
        let pattern = format!("runtime --namespace {} ", self.stage.namespace);
        let found = std::process::Command::new("pgrep").args(["-f", &pattern]).output().unwrap();
        let ids = String::from_utf8(found.stdout).unwrap();
        memory(ids.lines().next().expect("the runtime runs").parse().unwrap())
    }
}

/// The most memory a process had, in MiB.
pub fn memory(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Objects of a kind of ours.
pub fn api(stage: &Stage, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("fanfare.dev", "v1alpha1", kind));
    Api::namespaced_with(stage.client.clone(), &stage.namespace, &resource)
}

async fn apply(stage: &Stage, kind: &str, name: &str, spec: &Value) {
    let object =
        json!({"apiVersion": "fanfare.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let parameters = PatchParams::apply("bench").force();
    api(stage, kind).patch(name, &parameters, &Patch::Apply(&object)).await.unwrap();
}

pub fn trigger() -> Value {
    json!({"parameters": [{"name": "city", "type": "string", "example": "Vienna"}]})
}

pub fn scenario(trigger: &str) -> Value {
    json!({
        "triggers": [{"triggerRef": {"name": trigger}}],
        "audience": {"where": "customer.city == params.city"},
        "nodes": [{"name": "tell", "message": {"channelRef": {"name": "out"}, "consent": "None",
            "log": {"text": "It happened in {{ params.city }}."}}}],
    })
}

/// How often something is looked at that is waited for.
pub const LOOK: Duration = Duration::from_millis(5);
