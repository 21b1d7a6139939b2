//! Starts the operator: whoever holds the Lease watches and reconciles, the others stand by.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind, PartialObjectMeta};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use kube::{Api, Client, Resource};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::admin::{self, Health};
use super::backoff::Backoff;
use super::caches::{Caches, Guarded, Wakes, name_of, namespace_of};
use super::context::{Context, FIELD_MANAGER};
use super::controller::{self, Kind};
use super::leadership::Candidate;
use super::metrics::Metrics;
use super::replicas::Replicas;
use super::settings::Settings;
use super::watches::{Links, attend, changes, labels_of};
use crate::api::labels::{
    ALLOW_LABEL, API_KEY_LABEL, MANAGED_BY, MANAGED_BY_LABEL, RUNTIME_LABEL, TRIGGER_LABEL,
};
use crate::api::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};

/// How often the API server is asked for the first time.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long one such request may take.
const ASK_MAX: Duration = Duration::from_secs(5);
/// How long what is under way may take to its end.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Why the operator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The admin address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A running operator.
pub struct Running {
    /// Where the admin port is.
    pub admin: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    /// Begins nothing more, brings what is under way to its end, and gives the Lease back.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(DRAIN_MAX * 2, async {
            while let Some(joined) = self.tasks.join_next().await {
                if let Err(error) = joined {
                    tracing::error!(%error, "a part of the operator ended by a panic");
                }
            }
        });
        if ended.await.is_err() {
            tracing::warn!("a reconcile was still under way after {DRAIN_MAX:?}");
        }
    }
}

/// Starts it. Must be called within a tokio runtime.
///
/// # Errors
/// See [`StartError`].
pub async fn start(client: Client, settings: Settings) -> Result<Running, StartError> {
    let (settings, stop) = (Arc::new(settings), CancellationToken::new());
    let failed = |source| StartError::Listen { address: settings.admin, source };
    let listener = TcpListener::bind(settings.admin).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let health = Health {
        metrics: Arc::new(Metrics::default()),
        watched: Arc::default(),
        leaving: stop.clone(),
        reached: Arc::default(),
    };
    let mut tasks = JoinSet::new();
    // The probes are answered to the very end.
    let serving = axum::serve(listener, admin::routes(health.clone()));
    let work = work(client, settings, health, stop.clone());
    tasks.spawn(async move {
        tokio::select! {
            () = work => {}
            served = serving => tracing::error!(?served, "the admin port is gone"),
        }
    });
    Ok(Running { admin: address, stop, tasks })
}

async fn work(client: Client, settings: Arc<Settings>, health: Health, stop: CancellationToken) {
    let Some(cluster_id) = cluster_id(&client, &stop).await else { return };
    health.reached.store(true, Ordering::Release);
    let (leads, mut led) = watch::channel(!settings.elects_leader);
    let resign = CancellationToken::new();
    let mut seeking = JoinSet::new();
    if settings.elects_leader {
        let candidate = Candidate::new(client.clone(), &settings.own_namespace, &settings.identity);
        seeking.spawn(candidate.run(leads, resign.clone()));
    }
    while !stop.is_cancelled() {
        let leading = *led.borrow_and_update();
        health.metrics.leads(leading);
        let term = stop.child_token();
        let term_ended = async {
            if leading {
                lead(&client, &settings, &health, &cluster_id, term.clone()).await;
            } else {
                stop.cancelled().await;
            }
        };
        tokio::pin!(term_ended);
        loop {
            tokio::select! {
                () = &mut term_ended => break,
                changed = led.changed(), if !term.is_cancelled() => {
                    // A Lease that was lost ends the term; what is under way goes to its end first.
                    if changed.is_err() || *led.borrow() != leading {
                        term.cancel();
                        if !leading {
                            break;
                        }
                    }
                }
            }
        }
    }
    health.metrics.leads(false);
    resign.cancel();
    while seeking.join_next().await.is_some() {}
}

/// The cluster, by the UID of a namespace that every one has; `None` if told to stop before it is known.
async fn cluster_id(client: &Client, stop: &CancellationToken) -> Option<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let is_told = AtomicBool::new(false);
    loop {
        match tokio::time::timeout(ASK_MAX, namespaces.get("kube-system")).await {
            Ok(Ok(found)) => return Some(found.metadata.uid.unwrap_or_default()),
            Ok(Err(error)) if !is_told.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "the API server cannot be asked yet");
            }
            _ => {}
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(ASK_EVERY) => {}
        }
    }
}

/// Watches and reconciles until the term ends.
async fn lead(
    client: &Client,
    settings: &Arc<Settings>,
    health: &Health,
    cluster_id: &str,
    term: CancellationToken,
) {
    let scopes: Vec<Option<&str>> = match settings.namespaces.as_slice() {
        [] => vec![None],
        named => named.iter().map(|name| Some(name.as_str())).collect(),
    };
    let mut tasks = JoinSet::new();
    let mut followed = Vec::new();
    for namespace in scopes {
        let scope = Scope { client, namespace };
        followed.push(scope.start(settings, health, cluster_id, &term, &mut tasks));
    }
    while let Some(joined) = tasks.join_next().await {
        if let Err(error) = joined {
            tracing::error!(%error, "a controller ended by a panic; the others end too, and all begin anew");
            term.cancel();
        }
    }
    for replicas in followed {
        replicas.ended().await;
    }
    health.watched.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// All namespaces, or one.
struct Scope<'a> {
    client: &'a Client,
    namespace: Option<&'a str>,
}

impl Scope<'_> {
    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        match self.namespace {
            None => Api::all(self.client.clone()),
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
        }
    }

    /// Starts every watch and controller of the scope.
    fn start(
        &self,
        settings: &Arc<Settings>,
        health: &Health,
        cluster_id: &str,
        term: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> Arc<Replicas> {
        let (triggers, trigger_writer) = reflector::store::<Guarded<ApiTrigger>>();
        let (scenarios, scenario_writer) = reflector::store::<Guarded<Scenario>>();
        let (channels, channel_writer) = reflector::store::<Guarded<Channel>>();
        let (api_keys, api_key_writer) = reflector::store::<Guarded<ApiKey>>();
        let (runtimes, runtime_writer) = reflector::store::<Guarded<Runtime>>();
        let caches = Caches { triggers, scenarios, channels, api_keys, runtimes };
        health.watched.lock().unwrap_or_else(PoisonError::into_inner).push(caches.clone());
        let wakes = Wakes::default();
        let links = Links::new(caches.clone(), wakes.clone());
        let replicas = Arc::new(Replicas::new(links.clone(), settings.admin_port, term.clone()));
        let reporter =
            Reporter { controller: FIELD_MANAGER.into(), instance: Some(settings.identity.clone()) };
        let context = Arc::new(Context {
            client: self.client.clone(),
            settings: Arc::clone(settings),
            caches: caches.clone(),
            backoff: Backoff::default(),
            metrics: Arc::clone(&health.metrics),
            recorder: Recorder::new(self.client.clone(), reporter),
            replicas: Arc::clone(&replicas),
            cluster_id: cluster_id.to_owned(),
            term: term.clone(),
        });
        let link = links.clone();
        let of_triggers = changes(self.api(), trigger_writer, move |it| link.trigger_changed(it));
        let of_scenarios = changes(self.api(), scenario_writer, |_| {});
        let link = links.clone();
        let of_channels = changes(self.api(), channel_writer, move |it| link.channel_changed(it));
        let link = links.clone();
        let of_api_keys = changes(self.api(), api_key_writer, move |it| link.api_key_changed(it));
        let link = links.clone();
        let of_runtimes = changes(self.api(), runtime_writer, move |it| link.runtime_changed(it));
        let c = &context;
        control(tasks, c, of_triggers, &caches, |it| it.triggers.clone(), wakes.triggers, term);
        control(tasks, c, of_scenarios, &caches, |it| it.scenarios.clone(), wakes.scenarios, term);
        control(tasks, c, of_channels, &caches, |it| it.channels.clone(), wakes.channels, term);
        control(tasks, c, of_api_keys, &caches, |it| it.api_keys.clone(), wakes.api_keys, term);
        control(tasks, c, of_runtimes, &caches, |it| it.runtimes.clone(), wakes.runtimes, term);
        self.attend_others(&links, term, tasks);
        tasks.spawn(follow_pods(self.api(), Arc::clone(&replicas), term.clone()));
        replicas
    }

    /// Watches what is not ours or what was made for a Runtime, by its metadata.
    fn attend_others(&self, links: &Links, term: &CancellationToken, tasks: &mut JoinSet<()>) {
        let link = links.clone();
        let config_maps: Api<PartialObjectMeta<ConfigMap>> = self.api();
        let stop = term.clone();
        tasks.spawn(async move {
            attend(config_maps, "", stop, |it| link.config_map_changed(&namespace_of(it), &name_of(it)))
                .await;
        });
        for labels in [ALLOW_LABEL, TRIGGER_LABEL, API_KEY_LABEL] {
            let (link, stop) = (links.clone(), term.clone());
            let secrets: Api<PartialObjectMeta<Secret>> = self.api();
            tasks.spawn(async move {
                let concerned = |it: &PartialObjectMeta<Secret>| {
                    link.secret_changed(&namespace_of(it), &name_of(it), &labels_of(it));
                };
                attend(secrets, labels, stop, concerned).await;
            });
        }
        self.attend_children::<Deployment>(links, term, tasks);
        self.attend_children::<StatefulSet>(links, term, tasks);
        self.attend_children::<Service>(links, term, tasks);
        self.attend_children::<ServiceAccount>(links, term, tasks);
        self.attend_children::<Role>(links, term, tasks);
        self.attend_children::<RoleBinding>(links, term, tasks);
        self.attend_children::<NetworkPolicy>(links, term, tasks);
        self.attend_children::<PodDisruptionBudget>(links, term, tasks);
        self.attend_children::<HorizontalPodAutoscaler>(links, term, tasks);
        self.attend_children::<Ingress>(links, term, tasks);
        self.attend_routes(links, term, tasks);
    }

    fn attend_children<K>(&self, links: &Links, term: &CancellationToken, tasks: &mut JoinSet<()>)
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + Send
            + Sync
            + 'static,
    {
        let (link, stop, children) = (links.clone(), term.clone(), self.api::<PartialObjectMeta<K>>());
        tasks.spawn(async move {
            let labels = format!("{MANAGED_BY_LABEL}={MANAGED_BY},{RUNTIME_LABEL}");
            attend(children, &labels, stop, |it| link.child_changed(&namespace_of(it), &labels_of(it))).await;
        });
    }

    /// A cluster without the Gateway API has no routes; should it come, the watch finds it.
    fn attend_routes(&self, links: &Links, term: &CancellationToken, tasks: &mut JoinSet<()>) {
        let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
        let resource = ApiResource::from_gvk(&kind);
        let routes: Api<DynamicObject> = match self.namespace {
            None => Api::all_with(self.client.clone(), &resource),
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
        };
        let (link, stop) = (links.clone(), term.clone());
        tasks.spawn(async move {
            let labels = format!("{MANAGED_BY_LABEL}={MANAGED_BY},{RUNTIME_LABEL}");
            attend(routes, &labels, stop, |it| link.child_changed(&namespace_of(it), &labels_of(it))).await;
        });
    }
}

/// Starts the controller of a kind.
fn control<K: Kind>(
    tasks: &mut JoinSet<()>,
    context: &Arc<Context>,
    changes: impl futures_util::Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + 'static,
    caches: &Caches,
    cache: impl Fn(&Caches) -> Store<Guarded<K>>,
    wake: super::caches::WakeOf<K>,
    term: &CancellationToken,
) {
    tasks.spawn(controller::run(Arc::clone(context), changes, cache(caches), wake, term.clone()));
}

/// Keeps the replicas that are asked those that are ready.
async fn follow_pods(pods: Api<Pod>, replicas: Arc<Replicas>, stop: CancellationToken) {
    use futures_util::StreamExt as _;
    let (store, writer) = reflector::store::<Pod>();
    let labels = format!("{MANAGED_BY_LABEL}={MANAGED_BY},{RUNTIME_LABEL}");
    let stream = watcher(pods, watcher::Config::default().labels(&labels))
        .default_backoff()
        .modify(|pod| pod.metadata.managed_fields = None)
        .reflect(writer)
        .take_until(stop.cancelled_owned());
    tokio::pin!(stream);
    while let Some(event) = stream.next().await {
        match event {
            Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
            Ok(_) => replicas.follow(&store.state()),
            Err(error) => tracing::debug!(%error, "the watch of Pods was interrupted and goes on"),
        }
    }
}
