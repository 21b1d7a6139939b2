//! A namespace of its own on an API server, with a runtime's account, and the runtime that serves it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::harness::cluster::{Cluster, stderr};
use crate::harness::{Answer, Process, Request, Sandbox, wait_for};

/// The password of every Secret a test writes, unless it says otherwise.
pub const PASSWORD: &str = "correct-horse";

static SPACES: AtomicU32 = AtomicU32::new(0);

/// A namespace.
pub struct Space {
    pub cluster: Arc<Cluster>,
    pub name: String,
    pub folder: tempfile::TempDir,
    pub sandbox: Sandbox,
}

/// A running `fanfare runtime`.
pub struct Runtime {
    pub process: Process,
    pub calls: String,
    pub api: String,
    pub admin: String,
    namespace: String,
}

impl Space {
    /// One on the API server that tests share.
    pub fn new() -> Self {
        Self::on(Cluster::shared())
    }

    /// One on this API server.
    pub fn on(cluster: Arc<Cluster>) -> Self {
        let name = format!("rt-{}-{}", std::process::id(), SPACES.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(folder.path(), &[]);
        let space = Space { cluster, name, folder, sandbox };
        space.cluster.ask(&["create", "namespace", &space.name]);
        space.apply(
            &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "main-runtime"}}),
        );
        space.grant(&[]);
        let subject = json!({"kind": "ServiceAccount", "name": "main-runtime", "namespace": space.name});
        space.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "main-runtime"}, "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "main-runtime"},
        }));
        let kubeconfig = space.cluster.kubeconfig_of(&space.name, "main-runtime");
        std::fs::write(space.kubeconfig(), kubeconfig).unwrap();
        space.apply(&kind("Runtime", "main", json!({"storage": {"sqlite": {"size": "1Gi"}}})));
        space
    }

    /// The kubeconfig of the runtime's account.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Gives the account what a runtime needs: these Secrets by name, and nothing else of any.
    pub fn grant(&self, secrets: &[&str]) {
        let read = ["get", "list", "watch"];
        let kinds = ["apikeys", "apitriggers", "channels", "runtimes", "scenarios"];
        let mut rules = vec![
            json!({"apiGroups": ["fanfare.dev"], "resources": kinds, "verbs": read}),
            json!({"apiGroups": [""], "resources": ["configmaps", "services"], "verbs": read}),
        ];
        if !secrets.is_empty() {
            rules.push(json!({
                "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": secrets,
            }));
        }
        self.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "main-runtime"}, "rules": rules,
        }));
    }

    /// Applies a manifest, or several in a list.
    pub fn apply(&self, manifest: &Value) {
        let file = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        std::fs::write(file.path(), manifest.to_string()).unwrap();
        let path = file.path().display().to_string();
        let output = self.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &path]);
        assert!(output.status.success(), "{}", stderr(&output));
    }

    /// Deletes an object.
    pub fn delete(&self, kind: &str, name: &str) {
        let output = self.kubectl(&["delete", kind, name]);
        assert!(output.status.success(), "{}", stderr(&output));
    }

    /// Runs kubectl in the namespace, as the administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> std::process::Output {
        self.cluster.kubectl(&[&["-n", self.name.as_str()], arguments].concat())
    }

    /// Writes a Secret of generated credentials as the operator does.
    pub fn generated(&self, name: &str, data: &[(&str, &str)]) {
        self.secret(name, json!({"app.kubernetes.io/managed-by": "fanfare"}), data);
    }

    /// Writes a Secret.
    pub fn secret(&self, name: &str, labels: Value, data: &[(&str, &str)]) {
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let data: serde_json::Map<_, _> =
            data.iter().map(|(key, value)| ((*key).to_owned(), encode(value).into())).collect();
        // Replaced and not applied: a key that is not named any more goes.
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}, "data": data,
        });
        self.apply(&secret);
    }

    /// A trigger with its Secret, a webhook, and a scenario that sends everyone the text.
    pub fn story(&self) {
        self.grant(&["storm-trigger", "crm-apikey"]);
        self.generated("storm-trigger", &[("username", "storm-1"), ("password", PASSWORD)]);
        self.generated("crm-apikey", &[("username", "crm"), ("password", PASSWORD)]);
        self.apply(&kind("ApiKey", "crm", json!({"permissions": ["Track", "ReadLog"]})));
        self.apply(&trigger("storm"));
        self.apply(&self.hook("hook"));
        self.apply(&scenario("warn", "storm", "hook", "{{ params.alert }}"));
    }

    /// A channel to the sandbox's webhook of this name.
    pub fn hook(&self, name: &str) -> Value {
        let url = format!("http://{}/hooks/{name}", self.sandbox.http);
        kind("Channel", name, json!({"webhook": {"url": url}}))
    }

    /// The command of a runtime of this namespace, with its data in the folder.
    pub fn command(&self) -> Command {
        self.command_with_admin("127.0.0.1:0")
    }

    /// The same, with its admin port at this address.
    pub fn command_with_admin(&self, admin: &str) -> Command {
        let mut command = self.bare_command(admin);
        command.arg("--data").arg(self.folder.path().join("data"));
        command
    }

    /// The same, with its data in the PostgreSQL database at this URL, under a tenant's name.
    pub fn command_on_postgres(&self, url: &str, tenant: &str) -> Command {
        let file = self.folder.path().join("uri");
        std::fs::write(&file, format!("{url}\n")).unwrap();
        let mut command = self.bare_command("127.0.0.1:0");
        command.arg("--database-file").arg(file).args(["--tenant", tenant]);
        command
    }

    fn bare_command(&self, admin: &str) -> Command {
        let mut command = Process::command(["runtime", "--namespace", &self.name, "--name", "main"]);
        command.args([
            "--listen-calls",
            "127.0.0.1:0",
            "--listen-api",
            "127.0.0.1:0",
            "--listen-admin",
            admin,
        ]);
        command.args(["--unready-for", "0s", "--egress-allow", "127.0.0.0/8"]);
        command.arg("--ready-file").arg(self.ready_file());
        command.env("KUBECONFIG", self.kubeconfig()).env_remove("KUBERNETES_SERVICE_HOST");
        command
    }

    fn ready_file(&self) -> PathBuf {
        self.folder.path().join("ready.json")
    }

    /// Where a runtime's output goes.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("runtime.log")
    }

    /// Starts a runtime and returns once it serves.
    pub fn start(&self) -> Runtime {
        self.start_by(&mut self.command())
    }

    /// The same for a command of this namespace.
    pub fn start_by(&self, command: &mut Command) -> Runtime {
        let (process, ready) = Process::start_ready(command, &self.log(), Path::new(&self.ready_file()));
        let address = |name: &str| format!("http://{}", ready[name].as_str().unwrap());
        let (calls, api, admin) = (address("calls"), address("api"), address("admin"));
        Runtime { process, calls, api, admin, namespace: self.name.clone() }
    }

    /// How often the sandbox's webhook of this name has taken a body with this text.
    pub fn received(&self, hook: &str, text: &str) -> usize {
        let messages = self.sandbox.messages().into_iter();
        let taken = messages.filter(|message| message.taken && message.content.endpoint == hook);
        taken.filter(|message| message.content.text.as_deref().unwrap_or_default().contains(text)).count()
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.log()).unwrap_or_default());
        }
    }
}

impl Runtime {
    /// Calls a trigger.
    pub fn call(&self, trigger: &str, username: &str, password: &str) -> Answer {
        self.call_about("nothing", trigger, username, password)
    }

    /// Calls a trigger with something to say.
    pub fn call_about(&self, alert: &str, trigger: &str, username: &str, password: &str) -> Answer {
        let url = format!("{}/in/{}/{trigger}", self.calls, self.namespace);
        Request::post(url).basic(username, password).json(&json!({"alert": alert})).must()
    }

    /// Calls until it is answered so.
    pub fn until_answered(&self, trigger: &str, username: &str, status: u16) {
        wait_for("the answer of a call", || {
            (self.call(trigger, username, PASSWORD).status == status).then_some(())
        });
    }

    /// Waits until all of [`Space::story`] is in force.
    pub fn until_story(&self) {
        self.until_reported("the story", |report| {
            !report["secrets"]["crm-apikey"]["read"].is_null()
                && !report["objects"]["Scenario/warn"].is_null()
        });
    }

    /// Makes a customer, with the ApiKey of [`Space::story`].
    pub fn customer(&self, name: &str) {
        let batch = json!([{"ids": {"registered": name}, "attributes": {"first_name": name}}]);
        let request =
            Request::post(format!("{}/api/v1/customers", self.api)).basic("crm", PASSWORD).json(&batch);
        request.must().expect(200);
    }

    /// What it has in force.
    pub fn report(&self) -> Value {
        Request::get(format!("{}/report", self.admin)).must().expect(200).json()
    }

    /// Waits until what it reports is so, and gives the report.
    pub fn until_reported(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, || Some(self.report()).filter(|report| is_so(report)))
    }
}

/// An object of one of our kinds.
pub fn kind(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "fanfare.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A trigger with one parameter.
pub fn trigger(name: &str) -> Value {
    let parameter = json!({"name": "alert", "type": "string", "example": "snowstorm"});
    kind("ApiTrigger", name, json!({"parameters": [parameter]}))
}

/// A scenario that sends everyone a body through a webhook.
pub fn scenario(name: &str, trigger: &str, channel: &str, body: &str) -> Value {
    let message = json!({
        "channelRef": {"name": channel}, "consent": "None",
        "webhook": {"body": format!("{{\"text\": \"{body}\"}}")},
    });
    let spec = json!({
        "triggers": [{"triggerRef": {"name": trigger}}], "audience": {"everyone": {}},
        "nodes": [{"name": "send", "message": message}],
    });
    kind("Scenario", name, spec)
}
