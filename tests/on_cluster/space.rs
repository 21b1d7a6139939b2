//! A namespace of a story, as strict as namespaces can be.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::harness::until;
use crate::node::{Node, SOON, Witness};

/// A Runtime with its data on a volume.
pub const RUNTIME: &str = "apiVersion: fanfare.dev/v1alpha1
kind: Runtime
metadata: {name: main}
spec: {storage: {sqlite: {size: 1Gi}}}
";
/// A trigger that takes any call.
pub const TRIGGER: &str = "apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: storm}
spec:
  parameters: [{name: region, type: string, required: false}]
";

/// A namespace on the shared node.
pub struct Space {
    pub node: Arc<Node>,
    pub name: String,
    _witness: Witness,
}

impl Space {
    /// Makes it.
    pub fn new(name: &str) -> Self {
        let node = Node::shared();
        node.ask(&["create", "namespace", name]);
        node.ask(&["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]);
        Self::existing(node, name)
    }

    /// One that is there.
    pub fn existing(node: Arc<Node>, name: &str) -> Self {
        let witness = Witness(Arc::clone(&node));
        Self { node, name: name.to_owned(), _witness: witness }
    }

    /// Runs kubectl in it; it must succeed.
    pub fn ask(&self, arguments: &[&str]) -> String {
        self.node.ask(&[&["-n", &self.name], arguments].concat())
    }

    /// Applies a manifest to it.
    pub fn apply(&self, manifest: &str) {
        self.node.apply(&["apply", "-n", &self.name], manifest);
    }

    /// An object; null if there is none.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        let output = self.node.kubectl(&["-n", &self.name, "get", kind, name, "-o", "json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Waits for Ready as a person or a script would.
    pub fn until_ready(&self, objects: &str) {
        self.ask(&["wait", "--for=condition=Ready", objects, "--timeout=120s"]);
    }

    /// Waits until a condition has this reason; gives its message.
    pub fn until_reason(&self, kind: &str, name: &str, condition: &str, reason: &str) -> String {
        until(&format!("{kind} {name}: {condition} {reason}"), SOON, || {
            let object = self.get(kind, name);
            let conditions = object["status"]["conditions"].as_array()?;
            let found = conditions.iter().find(|it| it["type"] == condition && it["reason"] == reason)?;
            (found["observedGeneration"] == object["metadata"]["generation"])
                .then(|| found["message"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// What a Secret holds under a key.
    pub fn secret(&self, name: &str, key: &str) -> String {
        until(&format!("the key {key} of Secret {name}"), SOON, || {
            let secret = self.get("secret", name);
            let bytes = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
            String::from_utf8(bytes).ok()
        })
    }

    /// The names of the Pods of its Runtime that are not about to end.
    pub fn pods(&self) -> Vec<String> {
        let pods = self.node.list(&["pods", "-n", &self.name, "-l", "app.kubernetes.io/component=runtime"]);
        let staying = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        staying.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The port of the node that leads to a port of a Service of another name for the Runtime's Pods.
    pub fn node_port(&self, port: &str) -> u16 {
        let ports = self.get("service", "outside")["spec"]["ports"].clone();
        let found = ports.as_array().unwrap().iter().find(|it| it["name"] == port).unwrap().clone();
        u16::try_from(found["nodePort"].as_u64().unwrap()).unwrap()
    }

    /// Makes that Service.
    pub fn open_node_ports(&self) {
        self.apply(
            "{apiVersion: v1, kind: Service, metadata: {name: outside}, spec: {type: NodePort,
              selector: {app.kubernetes.io/name: fanfare, app.kubernetes.io/component: runtime}, ports: [
                {name: calls, port: 80, targetPort: calls}, {name: api, port: 8081, targetPort: api}]}}",
        );
    }

    /// Begins to delete it. Kubernetes takes half a minute and more for that, as it waits for half the time that Pods may
    /// take to end.
    pub fn delete(&self) {
        self.node.ask(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}
