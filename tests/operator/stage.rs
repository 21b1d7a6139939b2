//! A namespace with an operator that serves it, and whatever a story needs.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::coherence;
use crate::harness::cluster::{Cluster, file};
use crate::harness::{Answer, Request};
use crate::kubelet::Kubelet;

/// How long anything may take.
pub const SOON: Duration = Duration::from_secs(60);

/// A namespace of its own on the shared API server.
pub struct Stage {
    pub cluster: Arc<Cluster>,
    pub namespace: String,
    /// The namespace the operator lives in.
    pub system: String,
    pub folder: tempfile::TempDir,
    pub client: kube::Client,
}

/// A process that is killed when it is dropped.
pub struct Operator {
    process: Child,
    admin: String,
    log: PathBuf,
    identity: String,
}

impl Operator {
    /// What its own port answers; `None` if nothing does.
    pub async fn ask(&self, path: &str) -> Option<Answer> {
        Request::get(format!("http://{}/{path}", self.admin)).sent().await.ok()
    }

    /// Where its own port is.
    #[allow(dead_code, reason = "the bench asks through this handle only")]
    pub fn address(&self) -> &str {
        &self.admin
    }

    /// The name by which it takes its Lease.
    #[allow(dead_code, reason = "the bench has one operator")]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Its numbers.
    #[allow(dead_code, reason = "the bench counts at the proxy")]
    pub async fn metrics(&self) -> String {
        self.ask("metrics").await.map(|answer| answer.body).unwrap_or_default()
    }

    /// Tells it to end, and gives the code it ends with.
    #[allow(dead_code, reason = "the bench just drops it")]
    pub async fn terminate(mut self) -> Option<i32> {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let begun = Instant::now();
        loop {
            if let Some(ended) = self.process.try_wait().unwrap() {
                return ended.code();
            }
            assert!(begun.elapsed() < SOON, "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The process.
    #[allow(dead_code, reason = "the bench looks at its memory")]
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
        if std::thread::panicking() {
            let text = std::fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!(
                "--- the operator said:\n{}",
                text.lines().rev().take(40).collect::<Vec<_>>().join("\n")
            );
        }
    }
}

impl Stage {
    /// A new namespace; the operator's account may serve it and no other.
    pub async fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let cluster = tokio::task::spawn_blocking(Cluster::shared).await.unwrap();
        let namespace = format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let system = format!("{namespace}-system");
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let kubeconfig = kube::config::Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
        config.default_retry = false;
        let client = kube::Client::try_from(config).unwrap();
        let stage = Stage { cluster, namespace, system, folder: tempfile::tempdir().unwrap(), client };
        stage.kubectl(&["create", "namespace", &stage.namespace]);
        stage.kubectl(&["create", "namespace", &stage.system]);
        stage.kubectl(&["apply", "--server-side", "-f", &file("config/operator/rbac.yaml")]);
        stage.kubectl(&["create", "serviceaccount", "fanfare-operator", "-n", &stage.system]);
        let account = format!("--serviceaccount={}:fanfare-operator", stage.system);
        let bind = |kind: &str, role: &str, namespace: &[&str]| {
            let name = format!("{role}-{}", stage.namespace);
            let role = format!("--clusterrole={role}");
            stage.kubectl(&[&["create", kind, &name, &role, &account], namespace].concat());
        };
        bind("rolebinding", "fanfare-operator", &["-n", &stage.namespace]);
        bind("rolebinding", "fanfare-operator-own", &["-n", &stage.system]);
        bind("clusterrolebinding", "fanfare-operator-cluster", &[]);
        stage
    }

    /// Another namespace that the operator's account may serve, as a stage of its own.
    pub fn another(&self, name: &str) -> Self {
        Stage {
            cluster: Arc::clone(&self.cluster),
            namespace: self.serve_too(name),
            system: self.system.clone(),
            folder: tempfile::tempdir().unwrap(),
            client: self.client.clone(),
        }
    }

    /// Another namespace that the operator's account may serve.
    pub fn serve_too(&self, name: &str) -> String {
        let namespace = format!("{}-{name}", self.namespace);
        self.kubectl(&["create", "namespace", &namespace]);
        let account = format!("--serviceaccount={}:fanfare-operator", self.system);
        let role = "--clusterrole=fanfare-operator";
        self.kubectl(&["create", "rolebinding", "fanfare-operator", role, &account, "-n", &namespace]);
        namespace
    }

    /// The kubeconfig of the operator's account.
    pub fn operator_kubeconfig(&self) -> String {
        self.cluster.kubeconfig_of(&self.system, "fanfare-operator")
    }

    /// Starts the operator under its own account.
    pub async fn operator(&self, extra: &[&str]) -> Operator {
        self.operator_with(&self.operator_kubeconfig(), extra).await
    }

    /// Starts the operator with a kubeconfig.
    pub async fn operator_with(&self, kubeconfig: &str, extra: &[&str]) -> Operator {
        let operator = self.begin_operator(kubeconfig, extra);
        let ready = async || operator.ask("readyz").await.is_some_and(|answer| answer.status == 200);
        self.until("the operator is ready", ready).await;
        operator
    }

    /// Starts the operator and does not wait for it.
    pub fn begin_operator(&self, kubeconfig: &str, extra: &[&str]) -> Operator {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = self.folder.path().join(format!("operator-{number}"));
        std::fs::create_dir_all(&place).unwrap();
        let (path, log) = (place.join("kubeconfig"), place.join("log"));
        std::fs::write(&path, kubeconfig).unwrap();
        let admin = free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
        command.args(["operator", "--watch", &self.namespace]);
        let identity = format!("operator-{number}");
        for usual in [["--image", "fanfare:test"], ["--identity", &identity]] {
            if !extra.contains(&usual[0]) {
                command.args(usual);
            }
        }
        command
            .args(["--own-namespace", &self.system, "--listen", &admin])
            .args(extra)
            .env("KUBECONFIG", &path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap());
        Operator { process: command.spawn().unwrap(), admin, log, identity }
    }

    /// Starts a kubelet for the namespace.
    pub fn kubelet(&self, extra: &[&str]) -> Kubelet {
        self.kubelet_through(extra, None)
    }

    /// Starts a kubelet whose containers find the API server by this kubeconfig.
    pub fn kubelet_through(&self, extra: &[&str], kubeconfig: Option<String>) -> Kubelet {
        let extra = extra.iter().map(|it| (*it).to_owned()).collect();
        let (client, cluster) = (self.client.clone(), Arc::clone(&self.cluster));
        Kubelet::start(client, cluster, &self.namespace, self.folder.path(), extra, kubeconfig)
    }

    /// Runs kubectl; it must succeed.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.ask(arguments)
    }

    /// Applies a manifest to the namespace.
    pub fn apply(&self, manifest: &str) {
        self.apply_in(&self.namespace, manifest);
    }

    /// Applies a manifest to another namespace.
    pub fn apply_in(&self, namespace: &str, manifest: &str) {
        let path =
            self.folder.path().join(format!("{:x}.yaml", manifest.len() ^ std::process::id() as usize));
        std::fs::write(&path, manifest).unwrap();
        self.kubectl(&["apply", "-n", namespace, "-f", &path.display().to_string()]);
    }

    /// An object of the namespace; null if there is none.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        let output = self.cluster.kubectl(&[
            "get",
            kind,
            name,
            "-n",
            &self.namespace,
            "-o",
            "json",
            "--ignore-not-found",
        ]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// How often something was told in an Event of the namespace.
    #[allow(dead_code, reason = "the bench counts at the proxy")]
    pub fn events(&self) -> usize {
        let all = self.kubectl(&["get", "events.v1.events.k8s.io", "-n", &self.namespace, "-o", "json"]);
        let all: Value = serde_json::from_str(&all).unwrap();
        let ours = all["items"].as_array().unwrap().iter();
        let ours = ours.filter(|it| it["reportingController"] == "fanfare-operator");
        ours.map(|it| 1 + it["series"]["count"].as_u64().unwrap_or(0) as usize).sum()
    }

    /// Username and password as a Secret holds them.
    pub fn pair(&self, secret: &str) -> (String, String) {
        let secret = self.get("secret", secret);
        let text = |key: &str| {
            let bytes = STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        (text("username"), text("password"))
    }

    /// The reason of an object's Ready condition, or of another one's.
    pub fn reason(&self, kind: &str, name: &str, condition: &str) -> (String, String, String) {
        let object = self.get(kind, name);
        let found = object["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|it| it["type"] == condition);
        let text = |field: &str| found.map_or("", |it| it[field].as_str().unwrap_or_default()).to_owned();
        (text("status"), text("reason"), text("message"))
    }

    /// Waits until an object is Ready at its newest generation, as kstatus sees it.
    pub async fn until_ready(&self, kind: &str, name: &str) -> Value {
        let mut last = Value::Null;
        let begun = Instant::now();
        while begun.elapsed() < SOON {
            last = self.get(kind, name);
            self.check(&last);
            if !last.is_null()
                && coherence::kstatus(&last) == "Current"
                && last["status"]["observedGeneration"] != -1
            {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{kind} {name} is not ready: {:#}", last["status"]);
    }

    /// Waits until an object's condition has this reason; gives the condition's message.
    pub async fn until_reason(&self, kind: &str, name: &str, condition: &str, reason: &str) -> String {
        let mut last = Value::Null;
        let begun = Instant::now();
        while begun.elapsed() < SOON {
            last = self.get(kind, name);
            self.check(&last);
            let is_seen = last["status"]["observedGeneration"] == last["metadata"]["generation"];
            let (_, found, message) = self.reason(kind, name, condition);
            if found == reason && is_seen {
                return message;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{kind} {name}: {condition} is not {reason}: {:#}", last["status"]);
    }

    /// Every status that is looked at must be coherent.
    fn check(&self, object: &Value) {
        if object["status"].is_object() {
            let complaints = coherence::complaints(object);
            assert!(complaints.is_empty(), "{complaints:?}: {:#}", object["status"]);
        }
    }

    /// Waits for a condition.
    pub async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let begun = Instant::now();
        while !holds().await {
            assert!(begun.elapsed() < SOON, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

/// An address nobody listens on.
pub fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
