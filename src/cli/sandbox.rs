//! `fanfare sandbox`: providers to test against, in a process of their own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::output::{line, warn};
use crate::sandbox::{Record, Rule, Sandbox, SandboxCredentials, SandboxSettings};

/// Run an SMTP server, a Twilio-shaped API and a webhook sink that keep what they receive.
///
/// They listen on loopback, print their addresses, and can be told to throttle, fail, hang, hang up or answer
/// late: by --fault from the start, by PUT /sandbox/faults while they run. GET /sandbox/messages shows what
/// they received. A webhook's url is http://<http address>/hooks/<any name>.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fanfare sandbox --record received.ndjson --fault smtp:throttle,count=3 \
    --fault webhook:fail,keep,every=10")]
pub struct SandboxCommand {
    /// Where to serve SMTP; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    smtp_listen: SocketAddr,

    /// Where to serve the Twilio-shaped API, webhooks and the control API; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    http_listen: SocketAddr,

    /// Append what is received to this file, one JSON object a line, each on disk before it is answered;
    /// `memory` keeps the latest in memory only, `none` only counts.
    #[arg(long, default_value = "memory", value_name = "FILE")]
    record: Record,

    /// Write {"smtp", "http", "url"} to this file once everything is served.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,

    /// A fault: <smtp|twilio|webhook>:<ok|throttle|fail|hang|close|reset>, then any of ,keep ,delay-ms=N
    /// ,status=N ,retry-after=SECONDS ,to=RECIPIENT ,probability=P ,every=N ,count=N
    /// ,step=<connect|ehlo|auth|mail|rcpt|data|end> of SMTP ,code=N of Twilio, and last ,text=WORDS of the answer. The first
    /// that applies decides.
    #[arg(long, value_name = "RULE")]
    fault: Vec<Rule>,

    /// Seed of the faults' probabilities.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    fault_seed: u64,

    /// Require SMTP AUTH with this user and password.
    #[arg(long, value_name = "USER:PASSWORD", env = "FANFARE_SANDBOX_SMTP", hide_env_values = true)]
    smtp_credentials: Option<SandboxCredentials>,

    /// Require this account SID and token at the Twilio-shaped API.
    #[arg(long, value_name = "SID:TOKEN", env = "FANFARE_SANDBOX_TWILIO", hide_env_values = true)]
    twilio_credentials: Option<SandboxCredentials>,

    /// End with the process that started it, also when that one is killed.
    #[arg(long)]
    with_parent: bool,

    /// Threads that serve connections.
    #[arg(long, default_value_t = 2, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
}

impl SandboxCommand {
    pub(super) fn run(self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(usize::from(self.threads))
            .enable_all()
            .build();
        let served = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(self.serve()));
        match served {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                warn(&format!("error: {error}"));
                ExitCode::FAILURE
            }
        }
    }

    async fn serve(self) -> Result<(), Box<dyn std::error::Error>> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let ready_file = self.ready_file.clone();
        let running = Sandbox::start(self.settings()).await?;
        line(format_args!("smtp  {}\nhttp  http://{}", running.smtp_addr, running.http_addr));
        if let Some(path) = ready_file {
            write_whole(&path, &running.ready().to_string())
                .map_err(|error| format!("ready file {}: {error}", path.display()))?;
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = parent_gone(), if self.with_parent => {}
        }
        running.stop().await;
        Ok(())
    }

    fn settings(&self) -> SandboxSettings {
        SandboxSettings {
            smtp_listen: self.smtp_listen,
            http_listen: self.http_listen,
            record: self.record.clone(),
            faults: self.fault.clone(),
            fault_seed: self.fault_seed,
            smtp_credentials: self.smtp_credentials.clone(),
            twilio_credentials: self.twilio_credentials.clone(),
        }
    }
}

/// Waits until this process has another parent than it began with: the system gives orphans a new one.
async fn parent_gone() {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

/// A process that waits for the file never sees half of it.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".part");
    std::fs::write(&draft, text)?;
    std::fs::rename(&draft, path)
}
