//! Runs one client command to its end.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::harness::{Dev, Postgres, Process, Sandbox};

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("not ended by a signal"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same, once it ended with this code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// What it printed as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }
}

/// A running example with everything a client needs.
pub struct Example {
    pub dev: Dev,
    pub sandbox: Sandbox,
    pub folder: tempfile::TempDir,
}

impl Example {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same in a database of its own.
    pub fn start_on_postgres() -> Self {
        Self::start_with(&["--database", &Postgres::shared().database()])
    }

    fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(folder.path(), &[]);
        let data = folder.path().join("data");
        let dev = Dev::start_by(Dev::command(&example(), &data, &sandbox).args(options), &data);
        Self { dev, sandbox, folder }
    }

    /// A client command with the server and the key in its environment.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = Process::command(arguments);
        command.envs(self.dev.environment());
        Ended::of(&command.output().unwrap())
    }

    /// The same with another environment.
    pub fn run_with(&self, arguments: &[&str], server: &str, key: Option<&str>) -> Ended {
        let mut command = Process::command(arguments);
        command.env("FANFARE_SERVER", server).env_remove("FANFARE_API_KEY");
        if let Some(key) = key {
            command.env("FANFARE_API_KEY", key);
        }
        Ended::of(&command.output().unwrap())
    }

    /// Writes a file for a command to read.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }
}

/// The folder of the weather example.
pub fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/weather-alert")
}

/// A file of the example, as a command line names it.
pub fn example_file(name: &str) -> String {
    example().join(name).to_string_lossy().into_owned()
}
