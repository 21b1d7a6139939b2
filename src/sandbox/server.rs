//! Starts a sandbox's listeners and stops them in order.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fault::Faults;
use super::inbox::{Filter, Inbox, Page};
use super::recorder::Recorder;
use super::state::SandboxState;
use super::stats::Stats;
use super::{Record, SandboxSettings};
use super::{http, listen, smtp};

/// The start of a sandbox.
#[derive(Debug)]
pub struct Sandbox;

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxStartError {
    /// The record can't be kept there.
    #[error("record {}: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The address can't be listened on.
    #[error("listen on {address}: {source}; port 0 takes a free one")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A sandbox that serves. Dropping it cuts its connections; [`RunningSandbox::stop`] ends it in order.
#[derive(Debug)]
pub struct RunningSandbox {
    /// Where SMTP is served.
    pub smtp_addr: SocketAddr,
    /// Where the Twilio-shaped API, the webhook sink and the control API are served.
    pub http_addr: SocketAddr,
    state: Arc<SandboxState>,
    stop: DropGuard,
    listeners: JoinSet<()>,
    writer: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Binds both ports, opens the record and serves, on the runtime of the caller.
    pub async fn start(settings: SandboxSettings) -> Result<RunningSandbox, SandboxStartError> {
        let (smtp, smtp_addr) = bind(settings.smtp_listen).await?;
        let (http, http_addr) = bind(settings.http_listen).await?;
        let inbox = Arc::new(Inbox::default());
        let (recorder, writer) = match &settings.record {
            Record::None => (None, None),
            Record::Memory => keep(None, &inbox)?,
            Record::File(path) => keep(Some(path), &inbox)?,
        };
        let faults = Faults::new(settings.faults, settings.fault_seed);
        let state = Arc::new(SandboxState::new(recorder, inbox, faults));
        let stop = CancellationToken::new();
        let mut listeners = JoinSet::new();
        let mails = smtp::Service::new(Arc::clone(&state), settings.smtp_credentials, stop.clone());
        listeners.spawn(listen::accept(smtp, stop.clone(), move |stream| mails.clone().serve(stream)));
        let requests = http::Service::new(Arc::clone(&state), settings.twilio_credentials, stop.clone());
        listeners.spawn(listen::accept(http, stop.clone(), move |stream| requests.clone().serve(stream)));
        Ok(RunningSandbox { smtp_addr, http_addr, state, stop: stop.drop_guard(), listeners, writer })
    }
}

impl RunningSandbox {
    /// The latest messages in memory, oldest first.
    pub fn messages(&self, filter: &Filter) -> Page {
        self.state.messages(filter)
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    /// What `--ready-file` holds: `{"smtp": "127.0.0.1:…", "http": "127.0.0.1:…", "url": "http://127.0.0.1:…"}`.
    pub fn ready(&self) -> serde_json::Value {
        json!({
            "smtp": self.smtp_addr,
            "http": self.http_addr,
            "url": format!("http://{}", self.http_addr),
        })
    }

    /// Ends all connections and the record's writer. What was answered is on disk before and after this.
    pub async fn stop(self) {
        let Self { state, stop, mut listeners, writer, .. } = self;
        stop.disarm().cancel();
        while listeners.join_next().await.is_some() {}
        // With the last sender of the record gone its writer finishes what is queued and ends.
        drop(state);
        if let Some(writer) = writer {
            let ended = tokio::task::spawn_blocking(move || writer.join().is_ok()).await;
            if !ended.unwrap_or(false) {
                tracing::error!("the record's writer ended in a panic");
            }
        }
    }
}

/// `[::]` is everywhere by both families, and `0.0.0.0` where the kernel has no IPv6.
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SandboxStartError> {
    let is_everywhere = address.is_ipv6() && address.ip().is_unspecified();
    let or_else = is_everywhere.then(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()));
    let tried: Vec<SocketAddr> = [address].into_iter().chain(or_else).collect();
    let bound = async {
        let listener = TcpListener::bind(&tried[..]).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|source| SandboxStartError::Listen { address, source })
}

type Kept = (Option<Recorder>, Option<JoinHandle<()>>);

fn keep(path: Option<&Path>, inbox: &Arc<Inbox>) -> Result<Kept, SandboxStartError> {
    let (recorder, writer) = Recorder::start(path, Arc::clone(inbox)).map_err(|source| {
        SandboxStartError::Record { path: path.unwrap_or(Path::new("")).to_owned(), source }
    })?;
    Ok((Some(recorder), Some(writer)))
}
