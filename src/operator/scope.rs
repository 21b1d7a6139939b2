//! Everything that is watched and reconciled in all namespaces, or in one: five kinds, and what they rest upon.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::stream::{BoxStream, select_all};
use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIGroupList;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind, PartialObjectMeta};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::admin::Health;
use super::allowed::{self, Allowed, SecretMeta};
use super::backoff::Backoff;
use super::caches::{Cache, CacheWriter, Caches, Guarded, REPLICAS, SECRETS, Wakes, name_of, namespace_of};
use super::context::{Context, FIELD_MANAGER};
use super::controller::{self, Reconcile};
use super::credentials::KnownSecrets;
use super::filled_in::FilledIn;
use super::replicas::{Made, Replicas};
use super::settings::OperatorSettings;
use super::watches::{Links, attend, attend_stream, changes};
use crate::api::labels::{
    ALLOW_LABEL, API_KEY_LABEL, MANAGED_BY, MANAGED_BY_LABEL, RUNTIME_LABEL, TRIGGER_LABEL,
};
use crate::api::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};
use crate::cluster_watch::watch;

/// How often it is looked whether the cluster has come to know a kind.
const LOOK_FOR_KINDS_EVERY: Duration = Duration::from_secs(60);
/// How long the API server may take to say which kinds it knows.
const ASK_MAX: Duration = Duration::from_secs(5);
/// How long after the lists nothing is judged because a replica has not answered yet.
const REPLICAS_MAX_WAIT: Duration = Duration::from_secs(15);

/// Where the watches write what they bring.
struct Writers {
    triggers: CacheWriter<ApiTrigger>,
    scenarios: CacheWriter<Scenario>,
    channels: CacheWriter<Channel>,
    api_keys: CacheWriter<ApiKey>,
    runtimes: CacheWriter<Runtime>,
}

/// Empty caches of all kinds, and what fills them.
fn caches() -> (Caches, Writers, Writer<SecretMeta>) {
    let (triggers, trigger_writer) = Cache::new();
    let (scenarios, scenario_writer) = Cache::new();
    let (channels, channel_writer) = Cache::new();
    let (api_keys, api_key_writer) = Cache::new();
    let (runtimes, runtime_writer) = Cache::new();
    let writers = Writers {
        triggers: trigger_writer,
        scenarios: scenario_writer,
        channels: channel_writer,
        api_keys: api_key_writer,
        runtimes: runtime_writer,
    };
    let (allowed, allowed_writer) = reflector::store();
    let (allowed, filled) = (Allowed(allowed), Arc::default());
    (Caches { triggers, scenarios, channels, api_keys, runtimes, allowed, filled }, writers, allowed_writer)
}

/// All namespaces, or one.
pub(super) struct Scope<'a> {
    pub client: &'a Client,
    pub namespace: Option<&'a str>,
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
    pub(super) fn start(
        &self,
        settings: &Arc<OperatorSettings>,
        health: &Health,
        cluster_id: &str,
        term: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> Arc<Replicas> {
        let (caches, writers, allowed_writer) = caches();
        health.watched.lock().unwrap_or_else(PoisonError::into_inner).push(caches.clone());
        let wakes = Wakes::default();
        let links = Links::new(caches.clone(), wakes.clone());
        let replicas = Arc::new(Replicas::new(links.clone(), settings.admin_port, term.clone()));
        let reporter =
            Reporter { controller: FIELD_MANAGER.into(), instance: Some(settings.identity.clone()) };
        let secrets = Arc::new(KnownSecrets::default());
        let has_routes = Arc::new(AtomicBool::new(false));
        let context = Arc::new(Context {
            client: self.client.clone(),
            settings: Arc::clone(settings),
            caches: caches.clone(),
            backoff: Backoff::default(),
            metrics: Arc::clone(&health.metrics),
            recorder: Recorder::new(self.client.clone(), reporter),
            replicas: Arc::clone(&replicas),
            secrets: Arc::clone(&secrets),
            cluster_id: cluster_id.to_owned(),
            has_routes: Arc::clone(&has_routes),
            filled_in: FilledIn::default(),
            installation: health.installation.clone(),
            others: Arc::clone(&health.others),
            term: term.clone(),
        });
        self.control_kinds(&context, &links, writers, term, tasks);
        self.attend_others(&links, &secrets, term, tasks);
        self.attend_allowed(&links, allowed_writer, term, tasks);
        self.attend_routes(&links, has_routes, term, tasks);
        let pods = PodScope {
            pods: self.api(),
            replica_sets: self.api(),
            deployments: self.api(),
            stateful_sets: self.api(),
        };
        tasks.spawn(follow_pods(pods, Arc::clone(&replicas), term.clone()));
        tasks.spawn(begin_without_replicas(caches, term.clone()));
        replicas
    }

    /// Watches and reconciles each of our kinds.
    fn control_kinds(
        &self,
        context: &Arc<Context>,
        links: &Links,
        writers: Writers,
        term: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) {
        let (caches, wakes) = (&links.caches, links.wakes.clone());
        let triggers = changes(self.api(), writers.triggers, links.clone(), Links::trigger_changed);
        let scenarios = changes(self.api(), writers.scenarios, links.clone(), |_, _| {});
        let channels = changes(self.api(), writers.channels, links.clone(), Links::channel_changed);
        let api_keys = changes(self.api(), writers.api_keys, links.clone(), Links::api_key_changed);
        let runtimes = changes(self.api(), writers.runtimes, links.clone(), Links::runtime_changed);
        control(tasks, context, triggers, caches.triggers.clone(), wakes.triggers, term);
        control(tasks, context, scenarios, caches.scenarios.clone(), wakes.scenarios, term);
        control(tasks, context, channels, caches.channels.clone(), wakes.channels, term);
        control(tasks, context, api_keys, caches.api_keys.clone(), wakes.api_keys, term);
        control(tasks, context, runtimes, caches.runtimes.clone(), wakes.runtimes, term);
    }

    /// Watches what is not ours or what was made for a Runtime, by its metadata.
    fn attend_others(
        &self,
        links: &Links,
        known: &Arc<KnownSecrets>,
        term: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) {
        let link = links.clone();
        let config_maps: Api<PartialObjectMeta<ConfigMap>> = self.api();
        let stop = term.clone();
        tasks.spawn(async move {
            let concerned =
                |it: &PartialObjectMeta<ConfigMap>| link.config_map_changed(&namespace_of(it), &name_of(it));
            attend(config_maps, "", stop, concerned, || link.all_scenarios()).await;
        });
        for labels in [TRIGGER_LABEL, API_KEY_LABEL] {
            let (link, known, stop) = (links.clone(), Arc::clone(known), term.clone());
            let secrets: Api<PartialObjectMeta<Secret>> = self.api();
            let followed = Arc::clone(&known);
            let stream = watch(secrets, labels).inspect_ok(move |event| followed.follow(event));
            tasks.spawn(async move {
                let concerned = |it: &PartialObjectMeta<Secret>| link.secret_changed(it);
                // What was deleted while the watch was interrupted is in no list.
                let listed = || {
                    known.forget_all();
                    link.everyone();
                };
                attend_stream(stream, stop, concerned, listed).await;
            });
        }
        self.attend_all_children(links, term, tasks);
    }

    /// Watches the Secrets that users allow for something, by their metadata.
    fn attend_allowed(
        &self,
        links: &Links,
        writer: Writer<SecretMeta>,
        term: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) {
        let (link, stop, secrets) = (links.clone(), term.clone(), self.api::<SecretMeta>());
        let filled = Arc::clone(&links.caches.filled);
        let stream =
            watch(secrets, ALLOW_LABEL).modify(allowed::bare).reflect(writer).inspect_ok(move |event| {
                if matches!(event, watcher::Event::InitDone) {
                    filled.mark(SECRETS);
                }
            });
        tasks.spawn(async move {
            let concerned = |it: &SecretMeta| link.user_secret_changed(&namespace_of(it), &name_of(it));
            attend_stream(stream, stop, concerned, || link.everyone()).await;
        });
    }

    /// Watches what was made for Runtimes.
    fn attend_all_children(&self, links: &Links, term: &CancellationToken, tasks: &mut JoinSet<()>) {
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
            attend(children, &labels, stop, |it| link.child_changed(it), || link.all_runtimes()).await;
        });
    }

    /// A cluster without the Gateway API has no routes; should it come, they are watched from then on.
    fn attend_routes(
        &self,
        links: &Links,
        known: Arc<AtomicBool>,
        term: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) {
        let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
        let resource = ApiResource::from_gvk(&kind);
        let routes: Api<DynamicObject> = match self.namespace {
            None => Api::all_with(self.client.clone(), &resource),
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
        };
        let (link, stop, client) = (links.clone(), term.clone(), self.client.clone());
        tasks.spawn(async move {
            if until_known(&client, &kind.group, &stop).await {
                known.store(true, Ordering::Release);
                let labels = format!("{MANAGED_BY_LABEL}={MANAGED_BY},{RUNTIME_LABEL}");
                attend(routes, &labels, stop, |it| link.child_changed(it), || link.all_runtimes()).await;
            }
        });
    }
}

/// Waits until the API server knows a group; false if told to stop before.
async fn until_known(client: &Client, group: &str, stop: &CancellationToken) -> bool {
    loop {
        let groups = tokio::select! {
            () = stop.cancelled() => return false,
            groups = tokio::time::timeout(ASK_MAX, client.list_api_groups()) => groups,
        };
        let knows = |known: &APIGroupList| known.groups.iter().any(|known| known.name == group);
        if matches!(groups, Ok(Ok(known)) if knows(&known)) {
            return true;
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(LOOK_FOR_KINDS_EVERY) => {}
        }
    }
}

/// Starts the controller of a kind.
fn control<K: Reconcile>(
    tasks: &mut JoinSet<()>,
    context: &Arc<Context>,
    changes: impl futures_util::Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + 'static,
    cache: Cache<K>,
    wake: super::caches::WakeOf<K>,
    term: &CancellationToken,
) {
    tasks.spawn(controller::run(Arc::clone(context), changes, cache, wake, term.clone()));
}

/// Lets everything begin although replicas are not known: they are waited for, but not for ever.
async fn begin_without_replicas(caches: Caches, term: CancellationToken) {
    let late = async {
        caches.listed().await;
        tokio::time::sleep(REPLICAS_MAX_WAIT).await;
    };
    tokio::select! {
        () = term.cancelled() => {}
        () = caches.filled() => {}
        () = late => {
            tracing::warn!("not every replica has answered within {REPLICAS_MAX_WAIT:?}; beginning without");
            caches.filled.mark(REPLICAS);
        }
    }
}

/// Keeps the replicas that are asked those that are ready and were made for a Runtime: a label says nothing about that.
async fn follow_pods(scope: PodScope, replicas: Arc<Replicas>, stop: CancellationToken) {
    let ((pods, pod_events), (sets, set_events)) = (followed(scope.pods), followed(scope.replica_sets));
    let ((deployments, deployment_events), (stateful_sets, stateful_set_events)) =
        (followed(scope.deployments), followed(scope.stateful_sets));
    let events = [pod_events, set_events, deployment_events, stateful_set_events];
    let numbered = events.into_iter().enumerate();
    let events = select_all(numbered.map(|(place, events)| events.map(move |event| (place, event)).boxed()))
        .take_until(stop.cancelled_owned());
    tokio::pin!(events);
    let mut listed = [false; 4];
    while let Some((place, is_listed)) = events.next().await {
        listed[place] |= is_listed;
        if listed.contains(&false) {
            continue;
        }
        let mut made = Made::default();
        sets.state().iter().for_each(|it| made.add("ReplicaSet", &it.metadata));
        deployments.state().iter().for_each(|it| made.add("Deployment", &it.metadata));
        stateful_sets.state().iter().for_each(|it| made.add("StatefulSet", &it.metadata));
        replicas.follow(&made.replicas(pods.state()));
    }
}

/// What Pods of runtimes are made by.
struct PodScope {
    pods: Api<Pod>,
    replica_sets: Api<PartialObjectMeta<ReplicaSet>>,
    deployments: Api<PartialObjectMeta<Deployment>>,
    stateful_sets: Api<PartialObjectMeta<StatefulSet>>,
}

/// The objects with the labels of runtimes, and a stream that says of each change whether the first list has come with it.
fn followed<K>(api: Api<K>) -> (Store<K>, BoxStream<'static, bool>)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store::<K>();
    let labels = format!("{MANAGED_BY_LABEL}={MANAGED_BY},{RUNTIME_LABEL}");
    let stream = watch(api, &labels).reflect(writer).filter_map(async |event| match event {
        Ok(watcher::Event::InitDone) => Some(true),
        Ok(watcher::Event::Apply(_) | watcher::Event::Delete(_)) => Some(false),
        Ok(watcher::Event::Init | watcher::Event::InitApply(_)) | Err(_) => None,
    });
    (store, stream.boxed())
}
