//! The node that all stories share, with the image loaded and the chart installed as the README says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;

use crate::harness::cluster::{file, stderr};
use crate::harness::until;
use crate::readme;
use crate::theirs::Theirs;
use crate::times::timed;

/// The image that chart and examples name.
pub const IMAGE: &str = "ghcr.io/fanfare-dev/fanfare";
/// Where the operator is installed.
pub const SYSTEM: &str = "fanfare-system";
/// Where the image has the binary, as the Dockerfile puts it.
pub const PROGRAM: &str = "/usr/local/bin/fanfare";
/// How many volumes there are for claims.
const VOLUMES: u32 = 18;
/// What happens on a busy machine happens within this.
pub const SOON: Duration = Duration::from_secs(120);

/// A running node.
pub struct Node {
    state: PathBuf,
    bin: PathBuf,
    /// Where node ports are.
    pub ip: String,
    /// Its name.
    pub name: String,
    /// A cluster that is not ours.
    theirs: Option<Theirs>,
}

static SHARED: Mutex<Weak<Node>> = Mutex::new(Weak::new());
impl Node {
    /// The node of this process, started if none is running.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = shared.upgrade() {
            return node;
        }
        let node = Arc::new(timed("a node", Self::start));
        node.plugin();
        *shared = Arc::downgrade(&node);
        if node.theirs.is_none() {
            node.volumes();
        }
        timed("the image loaded", || node.load_fanfare("0.1.0"));
        let install = readme::commands().remove(0);
        timed(&install, || node.shell(&install));
        timed("the operator is ready", || {
            let deployment = "deployment/fanfare-operator";
            node.ask(&["rollout", "status", deployment, "-n", SYSTEM, "--timeout=120s"]);
        });
        node
    }

    fn start() -> Self {
        match Theirs::named() {
            Some(theirs) => Self::of_theirs(theirs),
            None => Self::up(),
        }
    }

    fn of_theirs(theirs: Theirs) -> Self {
        let state = tempfile::tempdir().unwrap().keep();
        let cache = std::env::var_os("FANFARE_TOOLS").map(PathBuf::from);
        let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/fanfare-cluster");
        let bin = cache.unwrap_or_else(home).join("bin");
        Self { state, bin, ip: String::new(), name: String::new(), theirs: Some(theirs) }.found()
    }

    /// The same, with what the cluster says of its only node.
    fn found(mut self) -> Self {
        let nodes = self.list(&["nodes"]);
        let [node] = &nodes[..] else {
            panic!("the stories need a cluster of one node, not {}", nodes.len())
        };
        self.name = node["metadata"]["name"].as_str().unwrap().to_owned();
        let addresses = node["status"]["addresses"].as_array().unwrap();
        let internal = addresses.iter().find(|it| it["type"] == "InternalIP").expect("a node has an address");
        self.ip = internal["address"].as_str().unwrap().to_owned();
        self
    }

    fn up() -> Self {
        let state = tempfile::tempdir().unwrap().keep();
        let output = Command::new(script()).arg("up").arg(&state).output().expect("bash runs the script");
        let environment = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "`tests/cluster/cluster up` failed; it needs root, Go, openssl, curl, python3:\n{}",
            stderr(&output)
        );
        let (_, path) = environment.split_once("PATH='").expect("the script names PATH");
        let bin = PathBuf::from(path.split('\'').next().unwrap_or_default());
        Self { state, bin, ip: String::new(), name: String::new(), theirs: None }.found()
    }

    /// Puts the binary under test where kubectl finds it as a plugin.
    fn plugin(&self) {
        std::fs::create_dir(self.plugins()).unwrap();
        let plugin = self.plugins().join("kubectl-fanfare");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fanfare"), plugin).unwrap();
    }

    fn plugins(&self) -> PathBuf {
        self.state.join("plugins")
    }

    /// Volumes on this machine's disk, of the class that claims get which name none.
    fn volumes(&self) {
        let mut objects = vec![serde_json::json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": "local", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer",
        })];
        let here = serde_json::json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node"]}]}]}});
        for number in 1..=VOLUMES {
            let path = self.volume(&format!("local-{number}"));
            std::fs::create_dir_all(&path).unwrap();
            objects.push(serde_json::json!({
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("local-{number}")},
                "spec": {
                    "storageClassName": "local", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                    "persistentVolumeReclaimPolicy": "Retain", "local": {"path": path}, "nodeAffinity": here,
                },
            }));
        }
        let texts: Vec<String> =
            objects.iter().map(|object| serde_yaml_ng::to_string(object).unwrap()).collect();
        self.apply(&["apply"], &texts.join("---\n"));
    }

    /// Whether it is a cluster that somebody else made.
    pub fn is_theirs(&self) -> bool {
        self.theirs.is_some()
    }

    /// Removes what the stories installed.
    fn clear(&self) {
        let kinds = ["runtimes", "apitriggers", "scenarios", "channels", "apikeys"];
        let crds: Vec<String> = kinds.iter().map(|kind| format!("{kind}.fanfare.dev")).collect();
        let line = format!(
            "kubectl delete -k examples/weather-alert --ignore-not-found --timeout=60s
             kubectl delete pvc data-main-runtime-0 --ignore-not-found --timeout=60s
             helm uninstall fanfare -n {SYSTEM} --ignore-not-found --wait
             kubectl delete namespace {SYSTEM} flux-system traefik --ignore-not-found --timeout=120s
             kubectl delete crd {} --ignore-not-found --timeout=60s",
            crds.join(" ")
        );
        if let Err(error) = self.try_shell(&line) {
            eprintln!("not all could be removed: {error}");
        }
    }

    /// Where a volume's files are.
    fn volume(&self, name: &str) -> PathBuf {
        self.state.join("volumes").join(name)
    }

    /// The binary under test as the image of this tag.
    pub fn load_fanfare(&self, tag: &str) {
        let binary = format!("{PROGRAM}={}", env!("CARGO_BIN_EXE_fanfare"));
        let roots = "/etc/ssl/certs/ca-certificates.crt=/etc/ssl/certs/ca-certificates.crt";
        self.load(&format!("{IMAGE}:{tag}"), &[&binary, roots], &[PROGRAM]);
    }

    /// An image from files.
    pub fn load(&self, image: &str, files: &[&str], entry: &[&str]) {
        if let Some(theirs) = &self.theirs {
            return theirs.load(image, files, entry);
        }
        let arguments = [&["load", image], files, &["--"], entry].concat();
        let loaded = self.command(&script()).args(arguments).output().unwrap();
        assert!(loaded.status.success(), "{image}: {}", stderr(&loaded));
    }

    /// A program of the cluster's tools or of the system, which finds this node and no other.
    pub fn command(&self, program: &str) -> Command {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let paths = [self.bin.clone(), self.plugins()].into_iter().chain(std::env::split_paths(&inherited));
        let tool = self.bin.join(program);
        let mut command = Command::new(if tool.exists() { tool } else { program.into() });
        command
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("KUBECONFIG", self.kubeconfig())
            .env("FANFARE_CLUSTER", &self.state)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        let theirs = self.theirs.as_ref().map(|theirs| theirs.kubeconfig.clone());
        theirs.unwrap_or_else(|| self.state.join("kubeconfig"))
    }

    /// Runs a line as a person types it; it must succeed.
    pub fn shell(&self, line: &str) -> String {
        self.try_shell(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Runs a line as a person types it.
    pub fn try_shell(&self, line: &str) -> Result<String, String> {
        let output = self.command("bash").args(["-euo", "pipefail", "-c", line]).output().unwrap();
        if output.status.success() { Ok(text(&output)) } else { Err(stderr(&output)) }
    }

    /// Runs kubectl; it must succeed.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = self.kubectl(arguments);
        assert!(output.status.success(), "kubectl {arguments:?}: {}", stderr(&output));
        text(&output)
    }

    /// Runs kubectl.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        self.command("kubectl").args(arguments).output().unwrap()
    }

    /// Runs kubectl with a manifest: `["apply", "-n", …]`.
    pub fn apply(&self, arguments: &[&str], manifest: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.yaml");
        std::fs::write(&path, manifest).unwrap();
        self.ask(&[arguments, &["-f", &path.display().to_string()]].concat());
    }

    /// The objects that kubectl lists.
    pub fn list(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.ask(&[&["get"], arguments, &["-o", "json"]].concat());
        let list: Value = serde_json::from_str(&output).unwrap();
        list["items"].as_array().cloned().unwrap_or_else(|| vec![list])
    }

    /// Waits until kubectl finds nothing.
    pub fn until_gone(&self, arguments: &[&str]) {
        let question = [&["get"], arguments, &["-o", "name", "--ignore-not-found"]].concat();
        let mut left = String::new();
        until(&format!("the end of {arguments:?}, of which {left} is left"), SOON, || {
            left = text(&self.kubectl(&question));
            left.is_empty().then_some(())
        });
    }

    fn tell_how_it_stands(&self) {
        let tail = ["logs", "-n", SYSTEM, "deployment/fanfare-operator", "--tail=15"];
        let events = "kubectl get events -A --sort-by=.lastTimestamp | tail -25";
        for line in [&self.ask_anyway(&["get", "pods,fanfare", "-A", "-o", "wide"]), &self.ask_anyway(&tail)]
        {
            eprintln!("{line}");
        }
        eprintln!("{}", self.try_shell(events).unwrap_or_else(|error| error));
        for pod in self.list(&["pods", "-A", "-l", "app.kubernetes.io/component=runtime"]) {
            let name = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
            let log = ["logs", "-n", &name("namespace"), &name("name"), "--tail=8"];
            eprintln!("--- {}: {}", name("name"), self.ask_anyway(&log));
        }
    }

    fn ask_anyway(&self, arguments: &[&str]) -> String {
        let output = self.kubectl(arguments);
        text(&output) + &stderr(&output)
    }
}

/// Says how the node stands when a story fails, before it is taken down.
pub struct Witness(pub Arc<Node>);

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.tell_how_it_stands();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.theirs.is_some() {
            return self.clear();
        }
        // A failure to end it must not hide the failure that got us here.
        match Command::new(script()).arg("down").arg(&self.state).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => eprintln!("cluster down: {}", stderr(&output)),
            Err(error) => eprintln!("cluster down: {error}"),
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn script() -> String {
    let script = file("tests/cluster/cluster");
    assert!(Path::new(&script).exists(), "{script}");
    script
}
