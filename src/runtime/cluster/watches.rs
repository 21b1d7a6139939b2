//! The watches that keep [`Objects`] as the API server has them: one a kind, each by itself, all with a backoff.
//!
//! Whatever happens to an object also says that the Secrets it refers to are to be read again: the operator changes its
//! status whenever one of them has changed.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::core::DeserializeGuard;
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::objects::{Kind, Object, Objects, Texts};
use super::secret_cache::SecretCache;
use crate::api::labels::api_key_secret_name;
use crate::api::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};
use crate::causes::in_words;
use crate::cluster_watch::{each_event, watch};
use crate::compile::references::{channel_secrets, trigger_secret};

/// What the watches write, and whom they tell.
#[derive(Default)]
pub(super) struct Watched {
    objects: Mutex<Objects>,
    /// Why a kind cannot be listed or watched just now.
    trouble: Mutex<Option<String>>,
    /// Told when something is different.
    pub changed: Notify,
    /// The Secrets that objects refer to.
    pub secrets: Arc<SecretCache>,
}

impl Watched {
    /// The objects.
    pub(super) fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why something cannot be listed or watched, if that is so.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// A kind's way from the API server into [`Objects`].
struct Way<K, S> {
    /// Where it is kept.
    kind: fn(&mut Objects) -> &mut Kind<S>,
    /// What is kept of it, given which ConfigMaps are named.
    pick: fn(&BTreeSet<String>, K) -> S,
    /// The Secrets it refers to.
    secrets: fn(&str, &S) -> Vec<String>,
}

/// Watches everything until stopped.
pub(super) fn watch_all(
    client: &Client,
    namespace: &str,
    watched: &Arc<Watched>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let mut starter = Starter { client, namespace, watched, stop, tasks };
    starter.start(Way {
        kind: |objects| &mut objects.triggers,
        pick: |_, it: ApiTrigger| it.spec,
        secrets: |name, spec| trigger_secret(name, spec).into_iter().map(|(secret, _)| secret).collect(),
    });
    starter.start(Way {
        kind: |objects| &mut objects.scenarios,
        pick: |_, it: Scenario| it.spec,
        secrets: |_, _| vec![],
    });
    starter.start(Way {
        kind: |objects| &mut objects.channels,
        pick: |_, it: Channel| it.spec,
        secrets: |_, spec| channel_secrets(spec).into_iter().map(|key| key.secret).collect(),
    });
    starter.start(Way {
        kind: |objects| &mut objects.api_keys,
        pick: |_, it: ApiKey| it.spec,
        secrets: |name, _| vec![api_key_secret_name(name)],
    });
    starter.start(Way {
        kind: |objects| &mut objects.runtimes,
        pick: |_, it: Runtime| it.spec,
        secrets: |_, _| vec![],
    });
    starter.start(Way {
        kind: |objects| &mut objects.config_maps,
        pick: |named, it: ConfigMap| named.contains(&it.name_any()).then(|| texts(it)),
        secrets: |_, _| vec![],
    });
    starter.start(Way {
        kind: |objects| &mut objects.services,
        pick: |_, it| addresses(it),
        secrets: |_, _| vec![],
    });
}

struct Starter<'a> {
    client: &'a Client,
    namespace: &'a str,
    watched: &'a Arc<Watched>,
    stop: &'a CancellationToken,
    tasks: &'a mut JoinSet<()>,
}

impl Starter<'_> {
    fn start<K, S>(&mut self, way: Way<K, S>)
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
        S: PartialEq + Send + 'static,
    {
        let api = Api::<DeserializeGuard<K>>::namespaced(self.client.clone(), self.namespace);
        let (watched, stop) = (Arc::clone(self.watched), self.stop.clone());
        let take = move |event| match event {
            Ok(event) => {
                if take(&way, &watched, event) {
                    watched.changed.notify_one();
                }
            }
            Err(error) => {
                let kind = K::plural(&());
                let trouble = format!("{kind} cannot be listed and watched: {}", in_words(&error));
                watched.set_trouble(Some(trouble));
            }
        };
        self.tasks.spawn(each_event(watch(api, ""), stop, take));
    }
}

/// Takes an event; answers whether anything is different now.
fn take<K, S>(way: &Way<K, S>, watched: &Watched, event: watcher::Event<DeserializeGuard<K>>) -> bool
where
    K: Resource<DynamicType = ()>,
    S: PartialEq,
{
    let mut objects = watched.objects();
    let named = std::mem::take(&mut objects.named);
    let is_news = take_into((way.kind)(&mut objects), way, watched, &named, event);
    objects.named = named;
    is_news
}

fn take_into<K, S>(
    kind: &mut Kind<S>,
    way: &Way<K, S>,
    watched: &Watched,
    named: &BTreeSet<String>,
    event: watcher::Event<DeserializeGuard<K>>,
) -> bool
where
    K: Resource<DynamicType = ()>,
    S: PartialEq,
{
    use watcher::Event;
    match event {
        Event::Init => {
            kind.begin_list();
            false
        }
        Event::InitApply(object) => {
            if !is_going(&object) {
                let (name, object) = picked(way, watched, named, object);
                kind.listed(name, object);
            }
            false
        }
        Event::InitDone => {
            watched.set_trouble(None);
            kind.end_list()
        }
        Event::Apply(object) if is_going(&object) => kind.remove(&object.name_any()),
        Event::Apply(object) => {
            let (name, object) = picked(way, watched, named, object);
            kind.put(name, object)
        }
        Event::Delete(object) => kind.remove(&object.name_any()),
    }
}

fn is_going<K: Resource>(object: &DeserializeGuard<K>) -> bool {
    object.meta().deletion_timestamp.is_some()
}

fn picked<K, S>(
    way: &Way<K, S>,
    watched: &Watched,
    named: &BTreeSet<String>,
    object: DeserializeGuard<K>,
) -> (String, Object<S>)
where
    K: Resource<DynamicType = ()>,
{
    let name = object.name_any();
    let created = object.meta().creation_timestamp.as_ref().map(|time| time.0);
    let spec = object.0.map(|object| (way.pick)(named, object)).map_err(|invalid| invalid.error);
    if let Ok(spec) = &spec {
        watched.secrets.touch(&(way.secrets)(&name, spec), Instant::now());
    }
    (name, Object { created, spec })
}

/// The texts of a ConfigMap.
pub(super) fn texts(config_map: ConfigMap) -> Texts {
    config_map.data.unwrap_or_default()
}

/// Where a Service is within the cluster. One that stands for a name elsewhere, or for its Pods each by itself, has no
/// address of the cluster's.
fn addresses(service: Service) -> Vec<IpAddr> {
    let Some(spec) = service.spec else { return vec![] };
    if spec.type_.as_deref() == Some("ExternalName") {
        return vec![];
    }
    let all = spec.cluster_ips.unwrap_or_default().into_iter().chain(spec.cluster_ip);
    let mut found: Vec<IpAddr> = all.filter_map(|address| address.parse().ok()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(spec: serde_json::Value) -> Vec<IpAddr> {
        addresses(
            serde_json::from_value(serde_json::json!({"metadata": {"name": "s"}, "spec": spec})).unwrap(),
        )
    }

    #[test]
    fn only_what_the_cluster_gave_out_is_a_services_address() {
        use serde_json::json;
        let both =
            json!({"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"]});
        assert_eq!(service(both).len(), 2);
        let elsewhere =
            json!({"type": "ExternalName", "externalName": "169.254.169.254", "clusterIP": "10.0.0.9"});
        assert_eq!(service(elsewhere), Vec::<IpAddr>::new());
        let headless = json!({"type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"]});
        assert_eq!(service(headless), Vec::<IpAddr>::new());
        let external =
            json!({"type": "NodePort", "clusterIP": "10.0.0.2", "externalIPs": ["169.254.169.254"]});
        assert_eq!(service(external), ["10.0.0.2".parse::<IpAddr>().unwrap()]);
    }
}
