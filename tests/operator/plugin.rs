//! `kubectl fanfare`, run by kubectl itself: what a person with a kubeconfig sees, may do, and is told when they may not.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::forward_proxy::ForwardProxy;
use crate::scene::RUNTIME;
use crate::serving::Served;
use crate::stage::{Stage, free_address};
use crate::stories::TRIGGER;

const KEYS: &str = "
apiVersion: fanfare.dev/v1alpha1
kind: ApiKey
metadata: {name: crm}
spec: {permissions: [Track, ReadCustomers]}
---
apiVersion: fanfare.dev/v1alpha1
kind: ApiKey
metadata: {name: desk}
spec: {permissions: [ReadLog]}
";

/// What a command printed and how it ended.
#[derive(Debug)]
struct Told {
    code: i32,
    out: String,
    err: String,
}

impl Told {
    #[track_caller]
    fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// Ended with this code, and named each of these.
    #[track_caller]
    fn refused(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "it does not say {word:?}: {}", self.err);
        }
    }
}

/// A person with a kubeconfig and kubectl, who has installed the plugin.
struct Person<'a> {
    stage: &'a Stage,
    kubeconfig: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl<'a> Person<'a> {
    fn with(stage: &'a Stage, name: &str, kubeconfig: &str) -> Self {
        let path = stage.folder.path().join(format!("kubeconfig-{name}"));
        std::fs::write(&path, kubeconfig).unwrap();
        Person { stage, kubeconfig: path, environment: Vec::new() }
    }

    /// Who may do anything.
    fn administrator(stage: &'a Stage) -> Self {
        Person::with(stage, "admin", &std::fs::read_to_string(stage.cluster.kubeconfig()).unwrap())
    }

    /// A service account of the namespace, which may do nothing yet.
    fn nobody(stage: &'a Stage) -> Self {
        stage.kubectl(&["create", "serviceaccount", "person", "-n", &stage.namespace]);
        Person::with(stage, "person", &stage.cluster.kubeconfig_of(&stage.namespace, "person"))
    }

    /// `kubectl fanfare …` in the namespace.
    async fn types(&self, arguments: &[&str]) -> Told {
        self.run(&[arguments, &["-n", &self.stage.namespace]].concat()).await
    }

    async fn run(&self, arguments: &[&str]) -> Told {
        self.kubectl(&[&["fanfare"], arguments].concat()).await
    }

    async fn kubectl(&self, arguments: &[&str]) -> Told {
        let tools = self.stage.folder.path().join("plugins");
        std::fs::create_dir_all(&tools).unwrap();
        for name in ["kubectl-fanfare", "kubectl_complete-fanfare"] {
            if !tools.join(name).exists() {
                std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fanfare"), tools.join(name)).unwrap();
            }
        }
        let mut command = Command::new(self.stage.cluster.tool("kubectl"));
        command
            .args(arguments)
            .env("PATH", &tools)
            .env("HOME", self.stage.folder.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .envs(self.environment.iter().cloned())
            .env_remove("FANFARE_API_KEY")
            .env_remove("FANFARE_SERVER");
        // The played kubelet lives in this process, and must go on while the command runs.
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Told { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Lets the person do something, as they are told to ask for.
    fn may(&self, verbs: &str, resource: &str, name: Option<&str>) {
        let (stage, namespace) = (self.stage, self.stage.namespace.as_str());
        let role = format!("{}-{}", verbs.replace(',', "-"), resource.replace(['/', '.'], "-"));
        let (verbs, resource) = (format!("--verb={verbs}"), format!("--resource={resource}"));
        let name = name.map(|name| format!("--resource-name={name}"));
        let mut create = vec!["create", "role", &role, "-n", namespace, &verbs, &resource];
        create.extend(name.as_deref());
        stage.kubectl(&create);
        let (role_flag, account) = (format!("--role={role}"), format!("--serviceaccount={namespace}:person"));
        stage.kubectl(&["create", "rolebinding", &role, "-n", namespace, &role_flag, &account]);
    }
}

fn customers(stage: &Stage, count: u32) -> String {
    let path = stage.folder.path().join("customers.csv");
    let lines: Vec<String> = (0..count).map(|n| format!("c{n},Vienna")).collect();
    std::fs::write(&path, format!("registered,city\n{}\n", lines.join("\n"))).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_imports_calls_watches_and_reads_through_kubectl() {
    let served = Served::new("plugin").await;
    let stage = &served.stage;
    stage.apply(KEYS);
    stage.until_ready("apikey", "crm").await;
    stage.until_ready("apikey", "desk").await;
    let person = Person::administrator(stage);
    let told = person.types(&["import", "customers", &customers(stage, 3)]).await.done();
    assert_eq!(told.trim(), "3 customers imported");
    let told = person.types(&["call", "storm", "--data", r#"{"city": "Vienna"}"#, "--watch"]).await.done();
    assert!(told.contains("sent 3"), "{told}");
    let listed = person.types(&["log", "-o", "json"]).await.done();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["items"][0]["trigger"], "storm");
    let told = person.types(&["deliveries", "--state", "sent"]).await.done();
    assert_eq!(told.lines().filter(|line| line.contains("warning/tell")).count(), 3, "{told}");
    assert!(person.types(&["customers", "get", "c1"]).await.done().contains("Vienna"));
    // By name, and what that one may not do.
    person.types(&["log", "--api-key", "desk"]).await.done();
    person.types(&["log", "--api-key", "crm"]).await.refused(4, &["ApiKey crm", "ReadLog"]);
    person.types(&["log", "--api-key", "dsk"]).await.refused(1, &["did you mean desk?"]);
    // Nobody has the permission, and what would make one.
    let held = person.types(&["deliveries", "close", "1-1-1"]).await;
    held.refused(4, &["no ApiKey with the permission Control", "kind: ApiKey", "permissions: [Control]"]);
    person.types(&["call", "strom"]).await.refused(1, &["no ApiTrigger strom", "did you mean storm?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_may_not_do_is_named_with_who_can_allow_it() {
    let served = Served::new("lowly").await;
    let stage = &served.stage;
    stage.apply(KEYS);
    stage.until_ready("apikey", "desk").await;
    let person = Person::nobody(stage);
    let call = ["call", "storm", "--data", r#"{"city": "Vienna"}"#];
    let all = "runtimes.fanfare.dev";
    person.types(&call).await.refused(4, &["may not list", all, "--verb=list", "role `admin`"]);
    person.may("list", all, None);
    person.types(&call).await.refused(4, &["may not get apitriggers.fanfare.dev storm"]);
    person.may("get", "apitriggers.fanfare.dev", None);
    person
        .types(&call)
        .await
        .refused(4, &["may not get secrets storm-trigger", "--resource-name=storm-trigger"]);
    person.may("get", "secrets", Some("storm-trigger"));
    person.types(&call).await.refused(4, &["may not list pods"]);
    person.may("list", "pods", None);
    person.types(&call).await.refused(4, &["may not create pods/portforward", "--verb=get,create"]);
    person.may("get,create", "pods/portforward", None);
    assert!(person.types(&call).await.done().starts_with("accepted "));
    // Calling is all they may: the key that reads the log is another Secret.
    person.may("list", "apikeys.fanfare.dev", None);
    person.types(&["log"]).await.refused(4, &["may not get secrets desk-apikey"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_when_the_port_forward_is_lost_and_says_when_it_must_not() {
    let served = Served::new("cut").await;
    let stage = &served.stage;
    stage.apply(KEYS);
    stage.until_ready("apikey", "crm").await;
    let person = Person::administrator(stage);
    let forwards = &served.kubelet.forwards;
    forwards.cut_after(100_000);
    let told = person.types(&["import", "customers", &customers(stage, 5_000)]).await.done();
    assert!(forwards.was_cut());
    assert_eq!(told.trim(), "5000 customers imported");
    // Events have no id: sent again, some might be there twice.
    let events = stage.folder.path().join("events.ndjson");
    let lines = (0..3_000).map(|n| format!(r#"{{"ids":{{"registered":"c{n}"}},"type":"seen"}}"#));
    std::fs::write(&events, lines.collect::<Vec<_>>().join("\n")).unwrap();
    forwards.cut_after(150_000);
    let told = person.types(&["import", "events", &events.display().to_string()]).await;
    assert!(forwards.was_cut());
    told.refused(3, &["was lost", "lines 1001 to 2000 may be in or not", "1000 lines were imported"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_runtime_that_takes_requests_it_says_why() {
    let stage = Stage::new("unserved").await;
    let person = Person::administrator(&stage);
    person.types(&["log"]).await.refused(3, &["has no Runtime", "kind: Runtime"]);
    let _operator = stage.operator(&[]).await;
    stage.apply(&[RUNTIME, TRIGGER].join("---"));
    stage.until_reason("runtime", "main", "Ready", "RollingOut").await;
    stage.until("the key is there", async || !stage.get("secret", "storm-trigger").is_null()).await;
    person
        .types(&["call", "storm", "--wait", "1s"])
        .await
        .refused(3, &["waiting up to 1s", "takes no requests now", "RollingOut"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_cannot_be_asked_is_named() {
    let stage = Stage::new("nowhere").await;
    let person = Person::administrator(&stage);
    person.run(&["log", "--context", "other"]).await.refused(2, &["other", "get-contexts"]);
    person.run(&["log", "--kubeconfig", "/nonexistent"]).await.refused(2, &["/nonexistent"]);
    let whole = std::fs::read_to_string(stage.cluster.kubeconfig()).unwrap();
    let server = whole.split("https://").nth(1).unwrap().split('"').next().unwrap();
    let lost = Person::with(&stage, "lost", &whole.replace(server, &free_address()));
    lost.run(&["log"]).await.refused(3, &["cannot ask the cluster's API server", "kubectl get pods"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn help_and_completion_leave_out_what_is_not_for_kubectl() {
    let stage = Stage::new("help").await;
    let person = Person::administrator(&stage);
    let offered = person.kubectl(&["__complete", "fanfare", ""]).await.done();
    assert!(offered.contains("import\t") && !offered.contains("operator\t"), "{offered}");
    let told = person.run(&["--help"]).await.done();
    assert!(told.contains("Usage: kubectl fanfare <COMMAND>"), "{told}");
    assert!(told.contains("\n  call ") && !told.contains("\n  operator "), "{told}");
    for command in [&["pause"][..], &["import", "customers"]] {
        let told = person.run(&[command, &["--help"]].concat()).await.done();
        assert!(told.contains("\n  kubectl fanfare ") && !told.contains("\n  fanfare "), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_the_cluster_goes_through_the_proxy_a_person_has() {
    let stage = Stage::new("proxied").await;
    let proxy = ForwardProxy::start().await;
    let url = format!("http://{}", proxy.address);
    let whole = std::fs::read_to_string(stage.cluster.kubeconfig()).unwrap();
    let server = whole.split("https://").nth(1).unwrap().split('"').next().unwrap();
    let no_runtime = ["has no Runtime"];

    let named = whole.replace("server: ", &format!("proxy-url: \"{url}\", server: "));
    assert!(named != whole);
    Person::with(&stage, "named", &named).types(&["log"]).await.refused(3, &no_runtime);
    let asked_for = proxy.asked_for();
    assert!(!asked_for.is_empty() && asked_for.iter().all(|host| host == server), "{asked_for:?}");

    // The environment's is not for what is on this machine.
    let mut person = Person::administrator(&stage);
    person.environment = vec![("HTTPS_PROXY", url.clone())];
    person.types(&["log"]).await.refused(3, &no_runtime);
    assert_eq!(proxy.asked_for(), Vec::<String>::new());

    let mut far = Person::with(&stage, "far", &whole.replace(server, "kube.invalid:443"));
    far.environment = vec![("HTTPS_PROXY", url)];
    far.types(&["log"]).await.refused(3, &["cannot ask the cluster's API server"]);
    assert!(proxy.asked_for().contains(&"kube.invalid:443".to_owned()));
    far.environment.push(("NO_PROXY", ".invalid,10.0.0.0/8".into()));
    far.types(&["log"]).await.refused(3, &["cannot ask the cluster's API server"]);
    assert_eq!(proxy.asked_for(), Vec::<String>::new());
}
