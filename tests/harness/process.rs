//! One process of the `fanfare` binary, with its output in a file and never outliving its handle.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::wait::wait_for;

/// A running `fanfare` process.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// The binary under test with these arguments, not yet started. `FANFARE_TEST_BINARY` names another build of it,
    /// such as a release.
    pub fn command<Argument: AsRef<std::ffi::OsStr>>(
        arguments: impl IntoIterator<Item = Argument>,
    ) -> Command {
        let built = || env!("CARGO_BIN_EXE_fanfare").into();
        let mut command = Command::new(std::env::var_os("FANFARE_TEST_BINARY").unwrap_or_else(built));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Starts it; what it prints is appended to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).unwrap();
        let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Self { child, log: log.to_owned() }
    }

    /// Starts it and returns once it has written this JSON file, with what is in it.
    pub fn start_ready(command: &mut Command, log: &Path, ready_file: &Path) -> (Self, serde_json::Value) {
        match Self::try_start_ready(command, log, ready_file) {
            (process, Ok(ready)) => (process, ready),
            (process, Err(status)) => {
                panic!("ended with {status} before it was ready:\n{}", process.printed())
            }
        }
    }

    /// The same for one that may end before: then with how it ended.
    pub fn try_start_ready(
        command: &mut Command,
        log: &Path,
        ready_file: &Path,
    ) -> (Self, Result<serde_json::Value, ExitStatus>) {
        let _ = std::fs::remove_file(ready_file);
        let mut process = Self::start(command, log);
        let ready = wait_for("the ready file", || {
            if let Some(status) = process.child.try_wait().unwrap() {
                return Some(Err(status));
            }
            let text = std::fs::read_to_string(ready_file).ok()?;
            serde_json::from_str(&text).ok().map(Ok)
        });
        (process, ready)
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it printed so far, on both streams.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL, and waits for its end.
    pub fn kill(&mut self) {
        // It may have ended by itself already; that is for the test to judge, by `ended`.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Sends a signal: `STOP`, `CONT`, `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
        assert!(sent.success(), "SIG{name} could not be sent");
    }

    /// SIGTERM, and waits for its end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        wait_for("the end after SIGTERM", || self.ended())
    }

    /// The most memory it ever held at once, in MiB, as the kernel counts it.
    pub fn memory_max_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        // One that has just ended holds none.
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
