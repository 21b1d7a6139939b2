//! Starts everything in its order, serves until told to stop, and drains.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::args::DevCommand;
use super::data_folder::{DataFolder, DataFolderError};
use super::folder::{Folder, FolderError};
use super::live::{Live, LiveError};
use super::ready_file::Ready;
use super::sandbox_process::{SandboxError, SandboxProcess};
use super::secrets::UserSecrets;
use super::watch::Watch;
use super::{announce, demo, hosts, import};
use crate::channels::egress::{Egress, HostMapError};
use crate::channels::wire::{Network, Tls};
use crate::cli::output::warn;
use crate::cli::paused;
use crate::cli::serving::serve;
use crate::cli::signals::Signals;
use crate::compile::{Snapshot, Sources};
use crate::manifests::is_read_from;
use crate::runtime::configuration::Applied;
use crate::runtime::engine::RunningEngine;
use crate::runtime::http::api;
use crate::runtime::http::server::{self, Listen, ListenError, RunningServer, Surface};
use crate::runtime::process::Parts;
use crate::runtime::stores::{Stores, StoresError};
use crate::telemetry;

/// How long requests and sends under way may take once `dev` is told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// How long an edit rests that the store could not keep.
const AFTER_A_FAILURE: Duration = Duration::from_secs(2);

/// Why `dev` cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataFolderError),
    /// There is nothing to keep calls and customers in.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// The manifests cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Nothing could be put in force.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A `--host` is wrong.
    #[error("--host: {0}")]
    Host(#[from] HostMapError),
    /// No sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The data of the folder cannot be imported.
    #[error(transparent)]
    Import(#[from] import::DevImportError),
    /// The address cannot be listened on.
    #[error("{0}; choose another with --listen")]
    Listen(#[from] ListenError),
    /// It would be read as a manifest, and each writing of it be an edit.
    #[error(
        "the ready file {} is among the manifests and would be read as one; choose a place outside of the folder, or a name \
         that begins with a dot", .0.display()
    )]
    ReadyFileAmongManifests(PathBuf),
    /// A task of the engine has ended without having been told to stop.
    #[error("a part of the engine has ended, which is a defect of Fanfare; the log says where")]
    EngineEnded,
    /// A file cannot be written, signals cannot be received, or the folder cannot be watched.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: String,
        /// What the system says.
        source: io::Error,
    },
}

impl DevCommand {
    pub(in crate::cli) fn run(self) -> ExitCode {
        telemetry::init();
        match serve(self.serve()) {
            Ok(Ok(code)) => code,
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        }
    }

    async fn serve(self) -> Result<ExitCode, DevError> {
        if let Some(path) = self.ready_file.as_ref().filter(|path| is_read_from(&self.manifests, path)) {
            return Err(DevError::ReadyFileAmongManifests(path.clone()));
        }
        let mut signals = Signals::receive()
            .map_err(|source| DevError::System { what: "cannot receive signals".into(), source })?;
        let mut data = match &self.database {
            None => DataFolder::hold(&self.data)?,
            Some(_) => DataFolder::share(&self.data)?,
        };
        // Before the folder is read: an edit behind the reading must not go unseen.
        let mut watch = self.watch()?;
        let mut folder = Folder::new(self.manifests.clone());
        let reading = folder.read(&Sources::default())?;
        let sandbox = match hosts::needs_sandbox(&reading.wanted, &self.hosts) {
            true => Some(SandboxProcess::start(&self.data).await?),
            false => None,
        };
        let addresses = sandbox.as_ref().map(|sandbox| sandbox.addresses);
        let egress = Egress::for_dev(hosts::map(&reading.wanted, &self.hosts, addresses)?);
        let network = Network { egress: Arc::new(egress), tls: Tls::default() };
        let stores = match &self.database {
            None => Stores::in_folder(&data.path)?,
            Some(address) => Stores::on_postgres(address, &reading.wanted.namespace).await?,
        };
        let (parts, configuration) = {
            let namespace = &reading.wanted.namespace;
            Parts::assemble(stores, namespace, namespace, network)
        };
        let mut live = Live { folder, configuration, secrets: UserSecrets::default() };
        let snapshot = live.apply(reading, &mut data).await?.snapshot;
        {
            let _alone = data.alone()?;
            import::when_empty(&self.manifests, parts.stores.customers.as_ref()).await?;
        }
        paused::say(parts.stores.pauses.as_ref()).await;
        let engine = parts.start_engine(&data.path.join("writing"));
        let server = self.listen(&parts, &engine)?;
        let ready = self.say_ready(&server, &snapshot, &data, &live)?;
        let serving = self.until_stopped(&mut live, &mut data, &ready, addresses, &mut signals, &mut watch);
        let served = tokio::select! {
            code = serving => Ok(code?),
            () = engine.ended() => Err(DevError::EngineEnded),
        };
        if let Err(error) = &served {
            tracing::error!(%error, "calls cannot be served any more");
        }
        if !self.unready_for.is_zero() {
            tracing::info!("stopping; unready for {:?}, then no more calls are taken", self.unready_for);
        }
        parts.stop(server, engine, self.unready_for, DRAIN_MAX).await;
        if let Some(sandbox) = sandbox {
            sandbox.stop().await;
        }
        served
    }

    fn listen(&self, parts: &Parts, engine: &RunningEngine) -> Result<RunningServer, DevError> {
        let listen = Listen { address: self.listen, surface: Surface::Everything };
        let log = Arc::clone(&parts.stores.log);
        let routes = api::routes(Arc::clone(&parts.app), log, Some(engine.control()));
        Ok(server::start(&[listen], &parts.app, &routes)?)
    }

    fn say_ready(
        &self,
        server: &RunningServer,
        snapshot: &Snapshot,
        data: &DataFolder,
        live: &Live,
    ) -> Result<Ready, DevError> {
        let address = server.addresses.first().copied().unwrap_or(self.listen);
        let ready = Ready::of(format!("http://{address}"), snapshot, &data.credentials, &live.secrets);
        announce::ready(&ready, snapshot, &data.path);
        if let Some(path) = &self.ready_file {
            let what = format!("cannot write {}", path.display());
            ready.write(path).map_err(|source| DevError::System { what, source })?;
        }
        Ok(ready)
    }

    /// Serves and reloads; with `--demo`, runs the demo beside it.
    async fn until_stopped(
        &self,
        live: &mut Live,
        data: &mut DataFolder,
        ready: &Ready,
        sandbox: Option<super::sandbox_process::Addresses>,
        signals: &mut Signals,
        watch: &mut Watch,
    ) -> Result<ExitCode, DevError> {
        let demo = async {
            match self.demo {
                true => demo::run(&self.manifests, ready, sandbox).await,
                false => std::future::pending().await,
            }
        };
        tokio::pin!(demo);
        let (mut shown, mut again_at) = (false, None);
        loop {
            tokio::select! {
                () = signals.stop() => return Ok(ExitCode::SUCCESS),
                kept = &mut demo, if !shown => {
                    shown = true;
                    if self.once {
                        return Ok(ExitCode::from(u8::from(!kept)));
                    }
                }
                () = changed(watch, again_at) => {
                    let reloaded = tokio::select! {
                        () = signals.stop() => return Ok(ExitCode::SUCCESS),
                        reloaded = live.reload(data) => reloaded,
                    };
                    again_at = self.take_note(reloaded, ready, data, live);
                }
            }
        }
    }

    /// Says what came of an edit; gives when to try once more what the store could not keep.
    fn take_note(
        &self,
        reloaded: Result<Applied, LiveError>,
        ready: &Ready,
        data: &DataFolder,
        live: &Live,
    ) -> Option<Instant> {
        match reloaded {
            Ok(applied) => {
                self.follow(ready, &applied.snapshot, data, live);
                None
            }
            Err(LiveError::Store(error)) => {
                tracing::error!(%error, "the store cannot keep the edit: what was in force stays; trying again");
                Some(Instant::now() + AFTER_A_FAILURE)
            }
            Err(error) => {
                tracing::error!(%error, "the folder cannot be read: everything stays as it was");
                None
            }
        }
    }

    /// Keeps the ready file true: an edit may have added a trigger, whose credentials stand there.
    fn follow(&self, ready: &Ready, snapshot: &Snapshot, data: &DataFolder, live: &Live) {
        let Some(path) = &self.ready_file else { return };
        let now = Ready::of(ready.server.clone(), snapshot, &data.credentials, &live.secrets);
        if let Err(error) = now.write(path) {
            tracing::error!(%error, path = %path.display(), "cannot write the ready file");
        }
    }

    fn watch(&self) -> Result<Watch, DevError> {
        let stream = self.manifests.as_os_str() == "-";
        let watch = if stream { Ok(Watch::nothing()) } else { Watch::start(&self.manifests) };
        watch.map_err(|error| {
            let what = format!("cannot watch {}", self.manifests.display());
            DevError::System { what, source: io::Error::other(error) }
        })
    }
}

/// Waits for an edit, or until what the store could not keep is due again.
async fn changed(watch: &mut Watch, again_at: Option<Instant>) {
    let due = async {
        match again_at {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = watch.changed() => {}
        () = due => {}
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    warn(&format!("fanfare dev: {error}"));
    ExitCode::from(2)
}
