//! A real API server for the tests of this binary, built and started by `tests/cluster/cluster api`.
//!
//! Tests that run at the same time share one; the last of them ends it, also when it fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, Weak};

/// A running API server that knows our kinds.
pub struct Cluster {
    state: PathBuf,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
}

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

impl Cluster {
    /// The API server of this process, started if none is running.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Self::start());
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    /// One of its own, for a test that stops or kills it.
    pub fn own() -> Self {
        Self::start()
    }

    /// Sends a signal to the API server's process: `STOP`, `CONT`, `KILL`.
    pub fn signal_api_server(&self, name: &str) {
        let id = std::fs::read_to_string(self.state.join("pids/kube-apiserver")).unwrap();
        let sent = Command::new("kill").args([&format!("-{name}"), id.trim()]).status().unwrap();
        assert!(sent.success(), "SIG{name} could not be sent");
    }

    fn start() -> Self {
        let state = tempfile::tempdir().unwrap().keep();
        let output = Command::new(script()).arg("api").arg(&state).output().expect("bash runs the script");
        let environment = String::from_utf8(output.stdout).unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "`tests/cluster/cluster api` failed; it needs Go, openssl, curl, python3:\n{told}"
        );
        let path = |name: &str| PathBuf::from(quoted(&environment, name));
        let cluster = Self { state, kubectl: path("PATH").join("kubectl"), kubeconfig: path("KUBECONFIG") };
        let applied = cluster.kubectl(&["apply", "--server-side", "-f", &file("crds")]);
        assert!(applied.status.success(), "{}", stderr(&applied));
        let wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"];
        // A definition that was just made may have no conditions yet, which kubectl takes for an error.
        let established = (0..20).map(|_| cluster.kubectl(&wait)).find(|waited| waited.status.success());
        assert!(
            established.is_some(),
            "the definitions are not established: {}",
            stderr(&cluster.kubectl(&wait))
        );
        cluster
    }

    /// Runs kubectl against this API server and no other.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        let kubeconfig = format!("--kubeconfig={}", self.kubeconfig.display());
        let mut command = Command::new(&self.kubectl);
        command.arg(kubeconfig).args(arguments).env_remove("KUBECONFIG").output().expect("kubectl was built")
    }

    /// Runs kubectl and gives what it prints; it must succeed.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = self.kubectl(arguments);
        assert!(output.status.success(), "kubectl {arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// One of the programs that `cluster build` makes.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.kubectl.with_file_name(name)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A kubeconfig with a token of a service account: what a process of that account may do, and no more.
    pub fn kubeconfig_of(&self, namespace: &str, account: &str) -> String {
        let output = Command::new(script())
            .args(["kubeconfig-for", namespace, account])
            .env("FANFARE_CLUSTER", &self.state)
            .output()
            .expect("bash runs the script");
        assert!(output.status.success(), "kubeconfig-for {namespace} {account}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the API server says to a file, as strictly as it can, without keeping anything of it.
    pub fn judge(&self, manifest: &Path) -> Output {
        self.kubectl(&[
            "apply",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            &manifest.display().to_string(),
        ])
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A failure to end it must not hide the failure that got us here.
        match Command::new(script()).arg("down").arg(&self.state).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => eprintln!("cluster down: {}", stderr(&output)),
            Err(error) => eprintln!("cluster down: {error}"),
        }
    }
}

/// A path of the repository, whole.
pub fn file(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

/// What a program said on its error output.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn script() -> String {
    file("tests/cluster/cluster")
}

/// The value of `NAME='…'` in what the script prints.
fn quoted(environment: &str, name: &str) -> String {
    let value = environment.split_once(&format!("{name}='")).and_then(|(_, rest)| rest.split_once('\''));
    value.unwrap_or_else(|| panic!("the script names {name}: {environment}")).0.to_owned()
}
