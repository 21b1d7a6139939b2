//! One process of a runtime: its stores, what serves and what sends, put together and ended in their order.
//!
//! `dev` and the runtime of a cluster differ in where configuration comes from, and in nothing that is here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::configuration::Configuration;
use super::engine::dispatch::ChannelHandles;
use super::engine::run::{CrashMarkers, RenderPool};
use super::engine::versions::VersionCache;
use super::engine::{Clock, Deps, Engine, RunningEngine};
use super::http::RefusalLog;
use super::http::app::App;
use super::http::server::RunningServer;
use super::index_watch::IndexWatch;
use super::retention::RetentionTask;
use super::stores::Stores;
use crate::channels::wire::Network;

/// What runs beside the server.
pub struct Parts {
    /// Everything that is kept.
    pub stores: Stores,
    /// What requests share.
    pub app: Arc<App>,
    /// The channels that can be used now.
    pub handles: ChannelHandles,
    tenant: Arc<str>,
    stop_refusals: CancellationToken,
    refusals: tokio::task::JoinHandle<()>,
    stop_removal: CancellationToken,
    removal: tokio::task::JoinHandle<()>,
    stop_watching: CancellationToken,
    index_watch: tokio::task::JoinHandle<()>,
}

impl Parts {
    /// Puts the parts together; nothing is in force and nothing is sent yet. Must be called within a tokio runtime.
    pub fn assemble(
        stores: Stores,
        namespace: &str,
        tenant: &str,
        network: Network,
    ) -> (Self, Configuration) {
        let (refusals, writer) = RefusalLog::new(Arc::clone(&stores.calls));
        let app =
            Arc::new(App::new(namespace, Arc::clone(&stores.calls), Arc::clone(&stores.customers), refusals));
        let handles = ChannelHandles::default();
        let read = (Arc::clone(&stores.audiences), Arc::clone(&stores.customers));
        let configuration = Configuration::new(Arc::clone(&app), read, handles.clone(), network);
        let stop_refusals = CancellationToken::new();
        let refusals = tokio::spawn(writer.run(stop_refusals.clone()));
        let (old_calls, old_events) = (Arc::clone(&stores.old_calls), Arc::clone(&stores.old_events));
        let removal = RetentionTask::new(Arc::clone(&app), old_calls, old_events);
        let stop_removal = CancellationToken::new();
        let removal = tokio::spawn(removal.run(stop_removal.clone()));
        let stop_watching = CancellationToken::new();
        let index_watch = IndexWatch::new(Arc::clone(&app), Arc::clone(&stores.audiences));
        let index_watch = tokio::spawn(index_watch.run(stop_watching.clone()));
        let parts = Parts {
            stores,
            app,
            handles,
            tenant: tenant.into(),
            stop_refusals,
            refusals,
            stop_removal,
            removal,
            stop_watching,
            index_watch,
        };
        (parts, configuration)
    }

    /// Starts what turns calls into messages. Whom it writes for is marked in a folder that outlives the process.
    pub fn start_engine(&self, crash_markers: &Path) -> RunningEngine {
        let crash_markers = CrashMarkers::in_folder(crash_markers).unwrap_or_else(|error| {
            let folder = crash_markers.display();
            tracing::warn!(%folder, %error, "a run that ends this process will not be known as the reason: the folder cannot be used");
            CrashMarkers::default()
        });
        let app = Arc::clone(&self.app);
        let stores = &self.stores;
        let library = VersionCache::new(Arc::clone(&self.tenant), Arc::clone(&stores.calls), move || {
            app.snapshot.load_full()
        });
        Engine::start(Deps {
            calls: Arc::clone(&stores.calls),
            runs: Arc::clone(&stores.runs),
            deliveries: Arc::clone(&stores.deliveries),
            log: Arc::clone(&stores.log),
            replicas: Arc::clone(&stores.replicas),
            pauses: Arc::clone(&stores.pauses),
            rates: stores.rates.clone(),
            customers: Arc::clone(&stores.customers),
            audiences: Arc::clone(&stores.audiences),
            versions: Arc::new(library),
            channels: self.handles.clone(),
            metrics: Arc::clone(&self.app.metrics),
            crash_markers: Arc::new(crash_markers),
            render_pool: RenderPool::default(),
            owner: uuid::Uuid::now_v7().to_string().into(),
            clock: Clock::system(),
        })
    }

    /// In the order of a call's way: others are told to look elsewhere, nothing new comes in, what is under way ends,
    /// then the stores close.
    pub async fn stop(
        self,
        server: RunningServer,
        engine: RunningEngine,
        unready_for: Duration,
        drain_for: Duration,
    ) {
        self.app.begin_to_leave();
        tokio::time::sleep(unready_for).await;
        if !server.drain(drain_for).await {
            tracing::warn!("some requests were still under way after {drain_for:?}");
        }
        engine.stop(drain_for).await;
        self.close().await;
    }

    /// Closes what is kept, once nothing works on it any more.
    pub async fn close(self) {
        self.stop_watching.cancel();
        if let Err(error) = self.index_watch.await {
            tracing::error!(%error, "the watch of indexes ended by a panic");
        }
        self.stop_removal.cancel();
        if let Err(error) = self.removal.await {
            tracing::error!(%error, "the removal of what is old ended by a panic");
        }
        self.stop_refusals.cancel();
        if let Err(error) = self.refusals.await {
            tracing::error!(%error, "the writer of refusals ended by a panic");
        }
        self.stores.close().await;
    }
}
