//! The sandbox that `dev` starts for channels whose host is `sandbox`: a process of its own.
//!
//! It ends with `dev`, also when that is killed; one that must outlive it, as a real provider does, is started by hand
//! and named by `--host`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::{Child, Command};

/// How long a sandbox may take to listen; it has nothing to load.
const START_MAX: Duration = Duration::from_secs(10);

/// A running sandbox.
#[derive(Debug)]
pub struct SandboxProcess {
    child: Child,
    /// Where it is reached.
    pub addresses: Addresses,
}

/// Where a sandbox listens, as its ready file says.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Addresses {
    /// The SMTP server.
    pub smtp: SocketAddr,
    /// The HTTP server: Twilio's API, webhooks and the sandbox's own control.
    pub http: SocketAddr,
}

/// Why no sandbox runs.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The process could not be started, or its files could not be used.
    #[error("cannot start the sandbox: {0}; give --host sandbox=ADDRESS:PORT to use another")]
    Start(#[from] std::io::Error),
    /// It did not say where it listens.
    #[error("the sandbox did not get ready within {} s; look at its messages above", START_MAX.as_secs())]
    NotReady,
}

impl SandboxProcess {
    /// Starts a sandbox that keeps its record in the folder, and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, or does not get ready.
    pub async fn start(folder: &Path) -> Result<Self, SandboxError> {
        let ready = folder.join("sandbox.ready.json");
        match std::fs::remove_file(&ready) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut child = Command::new(std::env::current_exe()?)
            .args(["sandbox", "--with-parent"])
            .arg("--record")
            .arg(folder.join("sandbox.ndjson"))
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let addresses = tokio::time::timeout(START_MAX, read_when_there(&ready, &mut child)).await;
        match addresses {
            Ok(Some(addresses)) => Ok(SandboxProcess { child, addresses }),
            _ => Err(SandboxError::NotReady),
        }
    }

    /// Ends it and waits for its end.
    pub async fn stop(mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(%error, "the sandbox could not be ended");
        }
    }
}

/// Polls for the ready file, which is written whole; ends early when the process does.
async fn read_when_there(ready: &Path, child: &mut Child) -> Option<Addresses> {
    loop {
        if let Ok(text) = tokio::fs::read(ready).await
            && let Ok(addresses) = serde_json::from_slice(&text)
        {
            return Some(addresses);
        }
        if !matches!(child.try_wait(), Ok(None)) {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
