//! `fanfare dev` that is killed and started again while others talk to it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use crate::harness::{Answer, Dev, Process, Request, Sandbox};
use crate::story::Asked;

/// The server under test; there is none while it is being restarted.
pub struct Server<'a> {
    manifests: PathBuf,
    data: PathBuf,
    sandbox: &'a Sandbox,
    dev: Mutex<Option<Dev>>,
}

impl<'a> Server<'a> {
    pub fn start(manifests: &Path, data: &Path, sandbox: &'a Sandbox) -> Self {
        let (manifests, data) = (manifests.to_owned(), data.to_owned());
        let dev = Mutex::new(Some(Dev::start(&manifests, &data, sandbox)));
        Self { manifests, data, sandbox, dev }
    }

    /// Does something with the server while it stands. Only for what does not wait.
    pub fn with<T>(&self, work: impl FnOnce(&Dev) -> T) -> Option<T> {
        self.dev.lock().unwrap().as_ref().map(work)
    }

    /// SIGKILL, now.
    pub fn kill(&self) {
        let dev = self.dev.lock().unwrap().take();
        let mut dev = dev.expect("only this thread takes it away");
        if let Some(status) = dev.process.ended() {
            panic!("it ended by itself with {status}:\n{}", dev.process.printed());
        }
        dev.process.kill();
    }

    /// Starts it and kills it so soon that it may not even be ready.
    pub fn start_and_kill(&self, after: Duration) {
        let mut command = Dev::command(&self.manifests, &self.data, self.sandbox);
        let mut process = Process::start(&mut command, &self.data.with_extension("log"));
        std::thread::sleep(after);
        process.kill();
    }

    /// Starts it and waits until it serves.
    pub fn restart(&self) {
        let dev = Dev::start(&self.manifests, &self.data, self.sandbox);
        *self.dev.lock().unwrap() = Some(dev);
    }

    /// SIGTERM: it must drain and exit with 0.
    pub fn stop(self) {
        let mut dev = self.dev.into_inner().unwrap().expect("it runs");
        assert_eq!(dev.process.terminate().code(), Some(0), "{}", dev.process.printed());
    }
}

impl Asked for Server<'_> {
    fn ask(&self, request: impl FnOnce(&Dev) -> Request) -> Option<Answer> {
        self.with(request)?.send().ok()
    }
}
