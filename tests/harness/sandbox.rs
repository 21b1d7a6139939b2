//! `fanfare sandbox` as a process of its own.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::http::Request;
use super::process::Process;

/// Providers that keep what they receive.
pub struct Sandbox {
    /// The process.
    pub process: Process,
    /// Where SMTP is served, `127.0.0.1:…`.
    pub smtp: String,
    /// Where the HTTP side is served, `127.0.0.1:…`.
    pub http: String,
    /// The record file, one JSON object a line.
    pub record: PathBuf,
}

impl Sandbox {
    /// Starts one that records to `sandbox.ndjson` in the folder; `faults` are `--fault` rules.
    pub fn start(folder: &Path, faults: &[&str]) -> Self {
        let (record, ready) = (folder.join("sandbox.ndjson"), folder.join("sandbox-ready.json"));
        let mut command = Process::command(["sandbox"]);
        command.arg("--record").arg(&record).arg("--ready-file").arg(&ready);
        for fault in faults {
            command.args(["--fault", fault]);
        }
        let (process, ready) = Process::start_ready(&mut command, &folder.join("sandbox.log"), &ready);
        let address = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self { process, smtp: address("smtp"), http: address("http"), record }
    }

    /// `--host` entries with which the host `sandbox` is this one: port 25 its SMTP side, every other its HTTP side.
    pub fn hosts(&self) -> [String; 2] {
        [format!("sandbox:25={}", self.smtp), format!("sandbox={}", self.http)]
    }

    /// Puts these faults in force instead of those before; see `fanfare sandbox --help` for the fields.
    pub fn set_faults(&self, rules: &Value) {
        let url = format!("http://{}/sandbox/faults", self.http);
        Request::new("PUT", url).json(&json!({"rules": rules})).must().expect(204);
    }

    /// The counters: `{"smtp": {"received", "taken", …}, "twilio": …, "webhook": …, …}`.
    pub fn stats(&self) -> Value {
        Request::get(format!("http://{}/sandbox/stats", self.http)).must().expect(200).json()
    }

    /// Every whole line of the record file.
    pub fn messages(&self) -> Vec<fanfare::sandbox::ReceivedMessage> {
        let text = std::fs::read_to_string(&self.record).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
