//! Starts everything in its order, serves until told to stop, and drains.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::args::RuntimeCommand;
use super::ready_file::Ready;
use super::store::{self, Opened, StoreProblem};
use crate::channels::egress::{ClusterServices, Egress, HostMap, Rules};
use crate::channels::wire::{Network, Tls};
use crate::cli::output::warn;
use crate::cli::paused;
use crate::cli::serving::serve;
use crate::cli::signals::Signals;
use crate::domain::egress_target::EgressTarget;
use crate::runtime::cluster::{ApiServer, ApiServerError, Cluster, ClusterSources, Reporter};
use crate::runtime::http::admin::AdminState;
use crate::runtime::http::api;
use crate::runtime::http::server::{self, Listen, ListenError, RunningServer, Surface};
use crate::runtime::process::Parts;
use crate::telemetry;

/// How often it is said why nothing can be served yet.
const SAY_EVERY: Duration = Duration::from_secs(1);
/// How long the admin port may take to end.
const ADMIN_DRAIN_MAX: Duration = Duration::from_secs(2);

/// Why the runtime cannot run.
#[derive(Debug, thiserror::Error)]
enum RuntimeError {
    #[error(transparent)]
    ApiServer(#[from] ApiServerError),
    #[error(transparent)]
    Store(#[from] StoreProblem),
    #[error("{source}; choose another with --{flag}")]
    Listen { flag: &'static str, source: ListenError },
    #[error("the API server is not followed any more, which is a defect of Fanfare; the log says where")]
    NotFollowed,
    #[error("a part of the engine has ended, which is a defect of Fanfare; the log says where")]
    EngineEnded,
    #[error("{what}: {source}")]
    System { what: String, source: io::Error },
}

impl RuntimeCommand {
    pub(in crate::cli) fn run(self) -> ExitCode {
        telemetry::init();
        match serve(self.serve()) {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        }
    }

    /// Where it marks whom it writes for: with the files, or what the Pod has for as long as it lives.
    fn marks(&self) -> PathBuf {
        let name = || format!("fanfare-writing-{}-{}", self.namespace, self.name);
        self.data.as_ref().map_or_else(|| std::env::temp_dir().join(name()), |data| data.join("writing"))
    }

    async fn serve(self) -> Result<(), RuntimeError> {
        let system = |what: &str| {
            let what = what.to_owned();
            move |source| RuntimeError::System { what, source }
        };
        let mut signals = Signals::receive().map_err(system("cannot receive signals"))?;
        let admin_state = Arc::new(AdminState::default());
        // There from the beginning, so that /readyz says what is waited for.
        let admin = server::start_routes(self.listen_admin, admin_state.routes());
        let admin = admin.map_err(|source| RuntimeError::Listen { flag: "listen-admin", source })?;
        let starting = async {
            let api_server = ApiServer::find().await?;
            Ok::<_, RuntimeError>((api_server, store::open(&self, &admin_state).await?))
        };
        let (api_server, opened) = tokio::select! {
            () = signals.stop() => return Ok(()),
            started = starting => started?,
        };
        self.serve_from(api_server, opened, &admin_state, &admin, &mut signals).await?;
        admin_state.close();
        admin.drain(ADMIN_DRAIN_MAX).await;
        Ok(())
    }

    async fn serve_from(
        &self,
        api_server: ApiServer,
        opened: Opened,
        admin_state: &Arc<AdminState>,
        admin: &RunningServer,
        signals: &mut Signals,
    ) -> Result<(), RuntimeError> {
        let services = ClusterServices::default();
        let network = self.network(&api_server, &services);
        let Opened { stores, folder: _held } = opened;
        let (parts, configuration) = Parts::assemble(stores, &self.namespace, self.tenant(), network);
        admin_state.set_served(Arc::clone(&parts.app), Arc::clone(&parts.stores.log));
        let scope = ClusterSources { client: api_server.client, namespace: self.namespace.clone(), services };
        let reporter = Reporter::new(&parts, Arc::clone(admin_state));
        let mut cluster = Cluster::start(scope, &parts, configuration, reporter);
        let has_begun = tokio::select! {
            () = signals.stop() => false,
            () = begun(&cluster, admin_state) => true,
        };
        if !has_begun {
            cluster.stop().await;
            parts.close().await;
            return Ok(());
        }
        paused::say(parts.stores.pauses.as_ref()).await;
        let engine = parts.start_engine(&self.marks());
        let routes =
            api::routes(Arc::clone(&parts.app), Arc::clone(&parts.stores.log), Some(engine.control()));
        let serving = match self.listen(&parts, &routes) {
            Ok(serving) => serving,
            Err(error) => {
                cluster.stop().await;
                engine.stop(Duration::ZERO).await;
                parts.close().await;
                return Err(error);
            }
        };
        admin_state.set_awaits(None);
        self.say_ready(&serving, admin)?;
        let served = tokio::select! {
            () = signals.stop() => Ok(()),
            () = cluster.ended() => Err(RuntimeError::NotFollowed),
            () = engine.ended() => Err(RuntimeError::EngineEnded),
        };
        if let Err(error) = &served {
            tracing::error!(%error, "calls cannot be served any more");
        }
        tracing::info!("stopping; unready for {:?}, then no more calls are taken", self.unready_for);
        parts.app.begin_to_leave();
        tokio::time::sleep(self.unready_for).await;
        cluster.stop().await;
        parts.stop(serving, engine, Duration::ZERO, self.drain_for).await;
        served
    }

    fn network(&self, api_server: &ApiServer, services: &ClusterServices) -> Network {
        let (mut allow, mut named) = (Vec::new(), Vec::new());
        for target in &self.egress_allow {
            match target {
                EgressTarget::Range(net) => allow.push(*net),
                EgressTarget::Service(service) => named.push(service.clone()),
            }
        }
        let rules = Rules {
            named,
            cluster_domain: self.cluster_domain.clone(),
            deny: self.egress_deny.clone(),
            api_server: api_server.addresses.clone(),
            services: if self.same_namespace_egress { services.clone() } else { ClusterServices::default() },
        };
        let egress = Egress::new(allow, HostMap::default()).with_rules(rules);
        Network { egress: Arc::new(egress), tls: Tls::default() }
    }

    fn listen(&self, parts: &Parts, routes: &axum::Router) -> Result<RunningServer, RuntimeError> {
        let listen = [
            Listen { address: self.listen_calls, surface: Surface::Calls },
            Listen { address: self.listen_api, surface: Surface::Api },
        ];
        server::start(&listen, &parts.app, routes).map_err(|source| {
            let flag = if source.address == self.listen_calls { "listen-calls" } else { "listen-api" };
            RuntimeError::Listen { flag, source }
        })
    }

    fn say_ready(&self, serving: &RunningServer, admin: &RunningServer) -> Result<(), RuntimeError> {
        let address =
            |running: &RunningServer, n: usize, asked| running.addresses.get(n).copied().unwrap_or(asked);
        let ready = Ready {
            calls: address(serving, 0, self.listen_calls),
            api: address(serving, 1, self.listen_api),
            admin: address(admin, 0, self.listen_admin),
        };
        tracing::info!(
            runtime = self.name, namespace = self.namespace, calls = %ready.calls, api = %ready.api,
            admin = %ready.admin, "calls are served"
        );
        let Some(path) = &self.ready_file else { return Ok(()) };
        let what = format!("cannot write {}", path.display());
        ready.write(path).map_err(|source| RuntimeError::System { what, source })
    }
}

/// Waits until something is in force, and says meanwhile what is waited for.
async fn begun(cluster: &Cluster, admin_state: &AdminState) {
    loop {
        admin_state.set_awaits(Some(cluster.awaits()));
        if tokio::time::timeout(SAY_EVERY, cluster.begun()).await.is_ok() {
            return;
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    warn(&format!("fanfare runtime: {error}"));
    ExitCode::from(2)
}
