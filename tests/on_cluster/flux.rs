//! Flux's kustomize-controller delivers the example with `wait: true`, holds on a scenario that is wrong, goes on when it
//! is right, and prunes it clean. The story plays the source itself.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::cluster::{file, stderr};
use crate::harness::until;
use crate::node::{Node, SOON};
use crate::space::Space;
use crate::times::timed;
use crate::turns::among_others;

const SCENARIO: &str = "examples/weather-alert/snowstorm-warning.yaml";
const KUSTOMIZATION: &str = "examples/weather-alert/kustomization.yaml";

#[test]
fn flux_delivers_holds_recovers_and_prunes() {
    let _others = among_others();
    let space = Space::new("delivered");
    let source = Source::new(&space);

    timed("Flux delivers the example", || {
        let revision = source.publish(&space.node);
        source.until_ready(&space, &revision);
    });
    space.until_ready("runtime/main");

    source.edit(SCENARIO, "customer.county in params.counties", "customer.county in params.countys");
    let revision = source.publish(&space.node);
    let said = timed("Flux says what is wrong", || {
        until("what is wrong", SOON, || {
            let ready = source.ready(&space);
            let is_of_it = source.attempted(&space).contains(&revision);
            (is_of_it && ready["status"] == "False").then(|| ready["message"].as_str().unwrap().to_owned())
        })
    });
    println!("Flux on a broken scenario: {said}");
    assert!(said.contains("Scenario/delivered/snowstorm-warning"), "{said}");
    let ours = space.until_reason("scenario", "snowstorm-warning", "Ready", "Invalid");
    assert!(ours.contains("countys"), "{ours}");

    source.edit(SCENARIO, "params.countys", "params.counties");
    let revision = source.publish(&space.node);
    timed("Flux goes on once it is right", || source.until_ready(&space, &revision));

    what_people_did_outlives_the_next_delivery(&space, &source);

    timed("Flux prunes the example", || {
        space.node.ask(&["delete", "kustomization", "check", "-n", "flux-system", "--timeout=120s"]);
        for kinds in [
            "fanfare",
            "pods,services,secrets,statefulsets,deployments",
            "roles,rolebindings,networkpolicies",
        ] {
            space.node.until_gone(&[kinds, "-n", "delivered"]);
        }
    });
    let claim = space.get("pvc", "data-main-runtime-0");
    assert_eq!(claim["status"]["phase"], "Bound", "the volume is kept: {claim:#}");
    space.delete();
}

fn what_people_did_outlives_the_next_delivery(space: &Space, source: &Source) {
    // A rotation that a person asks for between two deliveries outlives the next one, though Flux takes the annotation
    // away as it does with whatever kubectl wrote.
    let password = space.secret("weather-alert-trigger", "password");
    let rotate = "fanfare.dev/rotate-requested-at=2026-01-01T00:00:00Z";
    space.ask(&["annotate", "apitrigger", "weather-alert", rotate]);
    until("the rotation", SOON, || {
        (space.secret("weather-alert-trigger", "password") != password).then_some(())
    });
    let rotated = space.secret("weather-alert-trigger", "password");
    // So does what a person stops.
    let stop = "kubectl fanfare -n delivered pause scenario snowstorm-warning --reason 'wrong link'";
    space.node.shell(stop);
    space.until_reason("scenario", "snowstorm-warning", "Paused", "Requested");
    source.edit(KUSTOMIZATION, "  - snowstorm-briefing.yaml\n", "");
    let revision = source.publish(&space.node);
    source.until_ready(space, &revision);
    space.node.until_gone(&["scenario", "snowstorm-briefing", "-n", "delivered"]);
    assert_eq!(space.secret("weather-alert-trigger", "password"), rotated);
    space.until_ready("apitrigger/weather-alert");
    let message = space.until_reason("scenario", "snowstorm-warning", "Paused", "Requested");
    assert!(message.contains("by key/desk") && message.contains("wrong link"), "{message}");
}

/// A repository, what serves it, and the controller that applies it.
struct Source {
    folder: tempfile::TempDir,
    url: String,
    children: Vec<Child>,
}

impl Source {
    fn new(space: &Space) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = &space.node;
        for name in ["repository", "served"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let copied =
            Command::new("cp").args(["-r", &file("examples")]).arg(folder.path().join("repository")).status();
        assert!(copied.unwrap().success(), "the examples can be copied");
        install(node);
        let mut server = Command::new("python3")
            .args(["-u", "-c", SERVER])
            .arg(folder.path().join("served"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().expect("it is piped")).read_line(&mut port).unwrap();
        let url = format!("http://127.0.0.1:{}", port.trim());
        let log = std::fs::File::create(folder.path().join("controller.log")).unwrap();
        let controller = node
            .command("kustomize-controller")
            .args(["--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0"])
            .env("RUNTIME_NAMESPACE", "flux-system")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { folder, url, children: vec![server, controller] }
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.folder.path().join("repository").join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }

    /// The working tree becomes the artifact of the GitRepository; its revision.
    fn publish(&self, node: &Node) -> String {
        let (repository, served) = (self.folder.path().join("repository"), self.folder.path().join("served"));
        let archive = served.join("new.tar.gz");
        let tar = Command::new("tar").arg("-C").arg(repository).arg("-czf").arg(&archive).arg(".").status();
        assert!(tar.unwrap().success(), "tar packs the repository");
        let digest = sum("sha256sum", &archive);
        let revision = digest[..40].to_owned();
        std::fs::rename(&archive, served.join(format!("{revision}.tar.gz"))).unwrap();
        let now = jiff::Timestamp::now().strftime("%FT%TZ").to_string();
        let status = json!({"status": {
            "observedGeneration": 1,
            "artifact": {
                "revision": format!("main@sha1:{revision}"), "path": format!("{revision}.tar.gz"), "lastUpdateTime": now,
                "url": format!("{}/{revision}.tar.gz", self.url), "digest": format!("sha256:{digest}"),
            },
            "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "published",
                "lastTransitionTime": now}],
        }});
        let patch = [
            "patch",
            "gitrepository",
            "check",
            "-n",
            "flux-system",
            "--subresource=status",
            "--type=merge",
            "-p",
        ];
        node.ask(&[&patch[..], &[&status.to_string()]].concat());
        revision
    }

    fn status(space: &Space) -> Value {
        let mut found = space.node.list(&["kustomization", "check", "-n", "flux-system"]);
        found.remove(0)["status"].take()
    }

    fn ready(&self, space: &Space) -> Value {
        let status = Self::status(space);
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|it| it["type"] == "Ready").unwrap_or_default()
    }

    fn attempted(&self, space: &Space) -> String {
        Self::status(space)["lastAttemptedRevision"].as_str().unwrap_or_default().to_owned()
    }

    fn until_ready(&self, space: &Space, revision: &str) {
        until(&format!("Flux has delivered {revision}"), SOON, || {
            let ready = self.ready(space);
            let applied = ready["message"].as_str().is_some_and(|said| said.contains(revision));
            (ready["status"] == "True" && applied).then_some(())
        });
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _gone = child.kill();
            let _gone = child.wait();
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("controller.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- kustomize-controller:\n{}", lines[lines.len().saturating_sub(15)..].join("\n"));
        }
    }
}

/// Flux's definitions, and what is delivered from where.
fn install(node: &Node) {
    node.ask(&["create", "namespace", "flux-system"]);
    let script = file("tests/cluster/cluster");
    let crds = node.command(&script).args(["crds", "flux"]).output().unwrap();
    assert!(crds.status.success(), "{}", stderr(&crds));
    node.apply(&["apply", "--server-side"], &String::from_utf8(crds.stdout).unwrap());
    for name in ["kustomizations.kustomize", "gitrepositories.source"] {
        let crd = format!("crd/{name}.toolkit.fluxcd.io");
        node.ask(&["wait", "--for=condition=Established", &crd, "--timeout=60s"]);
    }
    let manifest = std::fs::read_to_string(file("tests/cluster/verify.d/flux.yaml")).unwrap();
    let manifest =
        manifest.replace("path: ./apps", "path: ./examples/weather-alert\n  targetNamespace: delivered");
    node.apply(&["apply"], &manifest);
}

fn sum(program: &str, path: &Path) -> String {
    let output = Command::new(program).arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap_or_default().to_owned()
}

/// Serves a folder on a free port, which it prints.
const SERVER: &str = r#"
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_port)
server.serve_forever()
"#;
