//! `fanfare dev` on a folder of manifests.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use super::http::{Answer, Request};
use super::process::Process;
use super::sandbox::Sandbox;

/// A running `fanfare dev`, as its ready file describes it.
pub struct Dev {
    /// The process.
    pub process: Process,
    /// `http://127.0.0.1:…`
    pub server: String,
    /// The triggers it serves.
    pub triggers: Vec<Trigger>,
    key: Key,
}

/// A trigger's endpoint with its credentials.
#[derive(Debug, Clone, Deserialize)]
pub struct Trigger {
    pub namespace: String,
    pub name: String,
    pub url: String,
    pub username: String,
    pub password: String,
    pub example: Value,
    pub curl: String,
}

#[derive(Deserialize)]
struct Key {
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    server: String,
    api_key: Key,
    triggers: Vec<Trigger>,
}

impl Dev {
    /// Starts it on a free port and returns once it serves.
    pub fn start(manifests: &Path, data: &Path, sandbox: &Sandbox) -> Self {
        Self::start_by(&mut Self::command(manifests, data, sandbox), data)
    }

    /// The command that [`Self::start`] gives, to be changed or started by other means. The folder `data` gets two
    /// neighbours, `<data>.log` and `<data>.ready.json`.
    pub fn command(manifests: &Path, data: &Path, sandbox: &Sandbox) -> Command {
        Self::command_beside(manifests, data, sandbox, "ready.json")
    }

    /// The same for one of several processes that share the data folder: `name` keeps their files apart.
    pub fn replica_command(manifests: &Path, data: &Path, sandbox: &Sandbox, name: &str) -> Command {
        Self::command_beside(manifests, data, sandbox, &format!("{name}.ready.json"))
    }

    fn command_beside(manifests: &Path, data: &Path, sandbox: &Sandbox, ready_file: &str) -> Command {
        let mut command = Process::command(["dev"]);
        command.arg(manifests).args(["--listen", "127.0.0.1:0"]).arg("--data").arg(data);
        command.arg("--ready-file").arg(beside(data, ready_file));
        for host in sandbox.hosts() {
            command.args(["--host", &host]);
        }
        command
    }

    /// Starts such a command and returns once it serves.
    pub fn start_by(command: &mut Command, data: &Path) -> Self {
        let (process, ready) =
            Process::start_ready(command, &beside(data, "log"), &beside(data, "ready.json"));
        Self::of(process, ready)
    }

    /// Starts a [`Self::replica_command`]. None says that it ended before it served, as it may while its database
    /// does not.
    pub fn try_start_replica(command: &mut Command, data: &Path, name: &str) -> Option<Self> {
        let (log, ready) = (Self::replica_log(data, name), beside(data, &format!("{name}.ready.json")));
        let (process, ready) = Process::try_start_ready(command, &log, &ready);
        Some(Self::of(process, ready.ok()?))
    }

    /// Where a replica's output goes.
    pub fn replica_log(data: &Path, name: &str) -> PathBuf {
        beside(data, &format!("{name}.log"))
    }

    fn of(process: Process, ready: Value) -> Self {
        let Ready { server, api_key, triggers } = serde_json::from_value(ready).unwrap();
        Self { process, server, triggers, key: api_key }
    }

    /// What client commands read from their environment.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let key = format!("{}:{}", self.key.username, self.key.password);
        [("FANFARE_SERVER", self.server.clone()), ("FANFARE_API_KEY", key)]
    }

    /// The trigger of this name.
    pub fn trigger(&self, name: &str) -> &Trigger {
        self.triggers.iter().find(|trigger| trigger.name == name).expect("a trigger of this name")
    }

    /// A call to a trigger, with its own credentials, not yet sent.
    pub fn call(&self, trigger: &str, payload: &Value) -> Request {
        let trigger = self.trigger(trigger);
        Request::post(&trigger.url).basic(&trigger.username, &trigger.password).json(payload)
    }

    /// A request to the API with the ready file's key, not yet sent.
    pub fn api(&self, method: &'static str, path: &str) -> Request {
        let request = Request::new(method, format!("{}{path}", self.server));
        request.basic(&self.key.username, &self.key.password)
    }

    /// What the API answers to a GET; it must be 200.
    pub fn get(&self, path: &str) -> Value {
        self.api("GET", path).must().expect(200).json()
    }

    /// Asks what has become of a call, not yet sent; see [`is_done`].
    pub fn ask_about(&self, call: &str) -> Request {
        self.api("GET", &format!("/api/v1/calls/{call}"))
    }

    /// Whether this call is at its end.
    pub fn is_done(&self, call: &str) -> bool {
        is_done(&self.ask_about(call).must())
    }

    /// What the API answers to a POST.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.api("POST", path).json(body).must()
    }
}

/// Whether the answer about a call says that it is at its end. An acknowledged call is never unknown.
pub fn is_done(answer: &Answer) -> bool {
    assert_eq!(answer.status, 200, "an acknowledged call is lost: {}", answer.body);
    answer.json()["status"] == "done"
}

/// `<data>.<suffix>`, next to the data folder, so that nothing but the product writes into it.
fn beside(data: &Path, suffix: &str) -> PathBuf {
    data.with_extension(suffix)
}
