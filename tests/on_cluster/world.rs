//! The story of the fault tests in Pods: storm and briefing, their customers, and a sandbox whose record is on a volume.

use crate::checker::{Claims, Ledger, Record, check, say_what_was_at_stake};
use crate::files::files_of;
use crate::harness::cluster::{file, stderr};
use crate::harness::{Answer, Process, Request, until};
use crate::node::SOON;
use crate::space::Space;
use crate::story::{Customers, Manifests};
use crate::traffic::Calls;

/// The channels' window.
const WINDOW: u32 = 64;

/// What a story is told with.
pub struct World {
    pub space: Space,
    pub customers: Customers,
    manifests: tempfile::TempDir,
    /// Where the API is, and the key to it.
    api: String,
    key: (String, String),
}

impl World {
    /// A namespace in which a Runtime with this spec serves so many customers; `channel` is added to each channel's
    /// spec.
    pub fn new(space: Space, runtime: &str, north: u32, channel: &str) -> Self {
        sandbox(&space);
        let folder = tempfile::tempdir().unwrap();
        let customers = Customers { north };
        Manifests::write(folder.path(), customers, WINDOW, channel);
        space.ask(&["apply", "-f", &folder.path().display().to_string()]);
        space.apply(&format!(
            "{{apiVersion: fanfare.dev/v1alpha1, kind: Runtime, metadata: {{name: main}}, spec: {runtime}}}"
        ));
        space.apply(
            "{apiVersion: fanfare.dev/v1alpha1, kind: ApiKey, metadata: {name: driver},
              spec: {permissions: [Track, ReadLog]}}",
        );
        space.open_node_ports();
        for object in
            ["runtime/main", "apitrigger/alert", "scenario/storm", "scenario/briefing", "apikey/driver"]
        {
            space.until_ready(object);
        }
        let api = format!("http://{}:{}", space.node.ip, space.node_port("api"));
        let key = (space.secret("driver-apikey", "username"), space.secret("driver-apikey", "password"));
        let world = Self { space, customers, manifests: folder, api, key };
        world.import("customers", "customers.ndjson");
        world.import("events", "events.ndjson");
        world
    }

    fn import(&self, what: &str, name: &str) {
        let path = self.manifests.path().join("data").join(name);
        let (username, password) = &self.key;
        let mut command =
            Process::command(["import", what, &path.display().to_string(), "--server", &self.api]);
        let output = command.env("FANFARE_API_KEY", format!("{username}:{password}")).output().unwrap();
        assert!(output.status.success(), "import {what}: {}", stderr(&output));
    }

    /// Calls through a Service, with the trigger's credentials.
    pub fn calls(&self) -> Calls {
        let port = self.space.node_port("calls");
        let url = format!("http://{}:{port}/in/{}/alert", self.space.node.ip, self.space.name);
        Calls::new(
            url,
            self.space.secret("alert-trigger", "username"),
            self.space.secret("alert-trigger", "password"),
        )
    }

    /// Whether a call is at its end; `None` while nobody can be asked.
    pub fn is_done(&self, id: &str) -> Option<bool> {
        self.ask_about(id).map(|answer| crate::harness::is_done(&answer))
    }

    /// Whether the log knows a call; `None` while nobody can be asked.
    pub fn knows(&self, id: &str) -> Option<bool> {
        self.ask_about(id).map(|answer| answer.status != 404)
    }

    /// What the runs of a call wait for, in the log's words.
    pub fn waits_for(&self, id: &str) -> String {
        let answer = self.ask_about(id).map(|answer| answer.json());
        let runs = answer.as_ref().and_then(|call| call["runs"].as_array());
        runs.into_iter().flatten().map(|run| run["waitsFor"].to_string()).collect()
    }

    fn ask_about(&self, id: &str) -> Option<Answer> {
        let (username, password) = &self.key;
        let asked = Request::get(format!("{}/api/v1/calls/{id}", self.api)).basic(username, password);
        asked.send().ok().filter(|answer| answer.status != 503)
    }

    /// Waits until what was accepted is at its end.
    pub fn until_done(&self, ids: &[String]) {
        for id in ids {
            until(&format!("the end of call {id}"), SOON, || self.is_done(id)?.then_some(()));
        }
    }

    /// How many messages the sandbox has taken so far.
    pub fn taken(&self) -> usize {
        let stats =
            format!("/api/v1/namespaces/{}/services/sandbox:http/proxy/sandbox/stats", self.space.name);
        let stats: serde_json::Value =
            serde_json::from_str(&self.space.node.ask(&["get", "--raw", &stats])).unwrap();
        let taken = |protocol: &str| stats[protocol]["taken"].as_u64().unwrap_or_default();
        ["smtp", "twilio", "webhook"].map(taken).iter().sum::<u64>().try_into().unwrap()
    }

    /// Asserts that every promise was kept; `faults` of them may have left a window in doubt.
    pub fn settle(&self, calls: &Calls, ledger: &Ledger, faults: u64, replicas: u64) {
        let claims = Claims {
            acknowledged: calls.acknowledged(),
            faults,
            replicas,
            window: WINDOW.into(),
            stories: Manifests::stories(self.customers),
            calls_max: calls.begun(),
        };
        let files = files_of(&self.space, "record");
        let record = Record::read(&files.path().join("sandbox.ndjson"));
        let violations = check(&claims, &record, ledger);
        assert!(violations.is_empty(), "{violations:#?}");
        print!("{} calls, {} messages, ", claims.acknowledged.len(), record.taken.len());
        say_what_was_at_stake(&record, ledger);
    }
}

/// The sandbox of the examples, but that it keeps its record on a volume.
fn sandbox(space: &Space) {
    space.apply(
        "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: record},
          spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}",
    );
    let text = std::fs::read_to_string(file("examples/sandbox/sandbox.yaml")).unwrap();
    let replaced = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "examples/sandbox has no {from:?}");
        text.replacen(from, to, 1)
    };
    let text = replaced(
        &text,
        "'--http-listen=[::]:8080']",
        "'--http-listen=[::]:8080', --record=/record/sandbox.ndjson]",
    );
    let text =
        replaced(&text, "        runAsGroup: 65532\n", "        runAsGroup: 65532\n        fsGroup: 65532\n");
    let volumes =
        "      volumes: [{name: record, persistentVolumeClaim: {claimName: record}}]\n      containers:\n";
    let text = replaced(&text, "      containers:\n", volumes);
    let mounts = "          volumeMounts: [{name: record, mountPath: /record}]\n          readinessProbe:\n";
    space.apply(&replaced(&text, "          readinessProbe:\n", mounts));
    space.ask(&["rollout", "status", "deployment/sandbox", "--timeout=120s"]);
}
