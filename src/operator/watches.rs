//! What a change concerns: from any object, and from any replica's report, to the objects to be looked at again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::caches::{Cache, CacheWriter, Caches, Guarded, Wakes, name_of, namespace_of, of_namespace, refs};
use super::kind::Kind;
use super::namespace::Namespace;
use crate::api::labels::{API_KEY_LABEL, OPERATOR_ANNOTATION, RUNTIME_LABEL, TRIGGER_LABEL};
use crate::api::{ApiKey, ApiTrigger, Channel, GROUP, Runtime};
use crate::cluster_watch::{WatchEvent, each_event, watch};
use crate::compile::references::{channel_secrets, config_maps, trigger_secret};
use crate::domain::replica_report::ReplicaReport;

/// Who is concerned by what.
#[derive(Clone)]
pub(super) struct Links {
    pub caches: Caches,
    pub wakes: Wakes,
    /// What others build upon of each object, as it was last: its status changes far more often.
    facts: Arc<Mutex<HashMap<Identity, Facts>>>,
}

/// Kind, namespace and name.
type Identity = (&'static str, String, String);
/// What others build upon of an object: which one it is, what it declares, where it is reached and who manages it.
type Facts = (Option<String>, Option<i64>, Option<String>);

/// A watch of one of our kinds: the cache is written, and `concerned` is told of each change, deletions included. What
/// goes wrong with it heals by itself; the controller never sees it, as it would rest for all its objects.
///
/// After every relist all objects are reconciled once more: an object that is missing from the list was deleted without an
/// event, and one that was reconciled during the relist was read from the state before it.
pub(super) fn changes<K>(
    api: Api<Guarded<K>>,
    mut writer: CacheWriter<K>,
    links: Links,
    concerned: fn(&Links, &Guarded<K>),
) -> impl Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + 'static
where
    K: Kind,
{
    let (mut is_first, listing) = (true, links.clone());
    watch(api, "")
        .inspect_ok(move |event| {
            writer.apply(event);
            match event {
                // The first list comes before anything was judged.
                watcher::Event::InitDone if std::mem::take(&mut is_first) => {
                    listing.caches.filled.mark(K::NAME);
                }
                watcher::Event::InitDone => listing.everyone(),
                _ => {}
            }
        })
        .touched_objects()
        .filter(|touched| std::future::ready(touched.is_ok()))
        .inspect_ok(move |object| concerned(&links, object))
}

/// A watch beside those of our kinds, of which only the metadata count. `listed` is told when a list has come anew: what
/// is not in it was deleted without an event.
pub(super) async fn attend<K>(
    api: Api<K>,
    labels: &str,
    stop: CancellationToken,
    concerned: impl Fn(&K),
    listed: impl Fn(),
) where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Clone + Send + Sync,
{
    attend_stream(watch(api, labels), stop, concerned, listed).await;
}

/// The same of a watch that was begun.
pub(super) async fn attend_stream<K>(
    stream: impl Stream<Item = WatchEvent<K>> + Send,
    stop: CancellationToken,
    concerned: impl Fn(&K),
    listed: impl Fn(),
) {
    let mut is_first = true;
    let take = |event| match event {
        Ok(
            watcher::Event::Apply(object)
            | watcher::Event::InitApply(object)
            | watcher::Event::Delete(object),
        ) => concerned(&object),
        // The first list comes before anything was judged.
        Ok(watcher::Event::InitDone) if std::mem::take(&mut is_first) => {}
        Ok(watcher::Event::InitDone) => listed(),
        Ok(watcher::Event::Init) | Err(_) => {}
    };
    each_event(stream, stop, take).await;
}

impl Links {
    pub(super) fn new(caches: Caches, wakes: Wakes) -> Self {
        Links { caches, wakes, facts: Arc::default() }
    }

    fn space<'a>(&'a self, namespace: &'a str) -> Namespace<'a> {
        Namespace { caches: &self.caches, name: namespace }
    }

    /// An ApiTrigger concerns the scenarios that listen to it, the keys that list it, and the Role of the runtime.
    pub(super) fn trigger_changed(&self, trigger: &Guarded<ApiTrigger>) {
        if !self.is_news(trigger, &self.caches.triggers, None) {
            return;
        }
        let (namespace, name) = (namespace_of(trigger), name_of(trigger));
        let space = self.space(&namespace);
        self.wakes.scenarios.wake(refs(&namespace, space.scenarios_of_trigger(&name)));
        self.wakes.api_keys.wake(refs(&namespace, space.api_keys_of_trigger(&name)));
        self.runtimes(&namespace);
    }

    /// A Channel concerns the scenarios that send through it, and the Role of the runtime.
    pub(super) fn channel_changed(&self, channel: &Guarded<Channel>) {
        if !self.is_news(channel, &self.caches.channels, None) {
            return;
        }
        let (namespace, name) = (namespace_of(channel), name_of(channel));
        self.wakes.scenarios.wake(refs(&namespace, self.space(&namespace).scenarios_of_channel(&name)));
        self.runtimes(&namespace);
    }

    /// An ApiKey concerns the Role of the runtime.
    pub(super) fn api_key_changed(&self, key: &Guarded<ApiKey>) {
        if self.is_news(key, &self.caches.api_keys, None) {
            self.runtimes(&namespace_of(key));
        }
    }

    /// A Runtime concerns everything in its namespace.
    pub(super) fn runtime_changed(&self, runtime: &Guarded<Runtime>) {
        let status = runtime.0.as_ref().ok().and_then(|it| it.status.as_ref());
        let manager = runtime.annotations().get(OPERATOR_ANNOTATION);
        let url = status.map(|it| format!("{:?} {:?} {manager:?}", it.url, it.operator));
        if self.is_news(runtime, &self.caches.runtimes, url) {
            let namespace = namespace_of(runtime);
            self.runtimes(&namespace);
            self.all(&namespace);
        }
    }

    /// Whether something has changed of an object that others build upon, its end included.
    fn is_news<K: Kind>(&self, object: &Guarded<K>, cache: &Cache<K>, url: Option<String>) -> bool {
        let meta = object.meta();
        let identity = (K::NAME, namespace_of(object), name_of(object));
        let is_gone = meta.deletion_timestamp.is_some() || cache.get(&ObjectRef::from_obj(object)).is_none();
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        if is_gone {
            facts.remove(&identity);
            return true;
        }
        let now = (meta.uid.clone(), meta.generation, url);
        facts.insert(identity, now.clone()) != Some(now)
    }

    /// A ConfigMap concerns the scenarios that use texts of it.
    pub(super) fn config_map_changed(&self, namespace: &str, name: &str) {
        self.wakes.scenarios.wake(refs(namespace, self.space(namespace).scenarios_of_config_map(name)));
    }

    /// A Secret concerns the object whose credentials it holds, and every object that reads it.
    pub(super) fn secret_changed<K: Resource>(&self, secret: &K) {
        let (namespace, name) = (namespace_of(secret), name_of(secret));
        let made_for = |kind, label, suffix| made_for(secret, kind, label, suffix);
        self.wakes.triggers.wake(refs(&namespace, made_for("ApiTrigger", TRIGGER_LABEL, "-trigger")));
        self.wakes.api_keys.wake(refs(&namespace, made_for("ApiKey", API_KEY_LABEL, "-apikey")));
        self.readers_of(&namespace, &BTreeSet::from([name]));
    }

    /// A Secret that a user allows for something concerns its readers, and the Runtime: its Role names it, and where
    /// the database is stands in one too.
    pub(super) fn user_secret_changed(&self, namespace: &str, name: &str) {
        self.readers_of(namespace, &BTreeSet::from([name.to_owned()]));
        self.runtimes(namespace);
    }

    /// An object that was made for a Runtime concerns that.
    pub(super) fn child_changed<K: Resource>(&self, child: &K) {
        let runtimes = made_for(child, "Runtime", RUNTIME_LABEL, "-runtime");
        self.wakes.runtimes.wake(refs(&namespace_of(child), runtimes));
    }

    /// A change that no watch reports: a replica reported it on its admin port.
    pub(super) fn runtime_changed_elsewhere(&self, namespace: &str, runtime: &str) {
        self.wakes.runtimes.wake(refs(namespace, [runtime.to_owned()]));
    }

    /// A replica came or went.
    pub(super) fn replicas_changed(&self, namespace: &str, runtime: &str) {
        self.wakes.runtimes.wake(refs(namespace, [runtime.to_owned()]));
        self.all(namespace);
    }

    /// A replica reports something new.
    pub(super) fn report_changed(
        &self,
        namespace: &str,
        runtime: &str,
        before: &ReplicaReport,
        now: &ReplicaReport,
    ) {
        for key in different(&before.objects, &now.objects) {
            self.object(namespace, &key);
        }
        self.wakes.channels.wake(refs(namespace, different(&before.channels, &now.channels)));
        self.wakes.channels.wake(refs(namespace, different(&before.learned, &now.learned)));
        self.wakes.scenarios.wake(refs(namespace, different(&before.audiences, &now.audiences)));
        let maps: BTreeSet<String> = different(&before.config_maps, &now.config_maps).into_iter().collect();
        if !maps.is_empty() {
            let concerned =
                self.space(namespace).scenarios_where(|spec| !config_maps(spec).is_disjoint(&maps));
            self.wakes.scenarios.wake(refs(namespace, concerned));
        }
        let mut secrets: BTreeSet<String> = different(&before.secrets, &now.secrets).into_iter().collect();
        secrets.extend(different(&before.secret_uses, &now.secret_uses));
        self.readers_of(namespace, &secrets);
        let of_store = |report: &ReplicaReport| (report.store_problem.clone(), report.store_caution.clone());
        if of_store(before) != of_store(now) {
            self.wakes.runtimes.wake(refs(namespace, [runtime.to_owned()]));
        }
        let finishing = before.finishing.symmetric_difference(&now.finishing).cloned();
        self.wakes.scenarios.wake(refs(namespace, finishing));
        self.wakes.scenarios.wake(refs(namespace, different(&before.left_out, &now.left_out)));
        for key in different(&before.pauses, &now.pauses) {
            self.paused(namespace, runtime, &key);
        }
    }

    /// What was paused or resumed, as a replica names it; a pause of everything concerns all.
    fn paused(&self, namespace: &str, runtime: &str, key: &str) {
        match key.split_once('/') {
            Some(("scenario", name)) => self.object(namespace, &ReplicaReport::object("Scenario", name)),
            Some(("channel", name)) => self.object(namespace, &ReplicaReport::object("Channel", name)),
            _ => self.replicas_changed(namespace, runtime),
        }
    }

    /// An object as a replica names it.
    fn object(&self, namespace: &str, key: &str) {
        let Some((kind, name)) = key.split_once('/') else { return };
        let name = [name.to_owned()];
        match kind {
            "ApiTrigger" => self.wakes.triggers.wake(refs(namespace, name)),
            "Scenario" => self.wakes.scenarios.wake(refs(namespace, name)),
            "Channel" => self.wakes.channels.wake(refs(namespace, name)),
            "ApiKey" => self.wakes.api_keys.wake(refs(namespace, name)),
            "Runtime" => self.wakes.runtimes.wake(refs(namespace, name)),
            _ => {}
        }
    }

    fn readers_of(&self, namespace: &str, secrets: &BTreeSet<String>) {
        if secrets.is_empty() {
            return;
        }
        let keys = secrets.iter().filter_map(|name| name.strip_suffix("-apikey")).map(str::to_owned);
        self.wakes.api_keys.wake(refs(namespace, keys));
        let triggers = of_namespace(&self.caches.triggers, namespace);
        let reads = |it: &Guarded<ApiTrigger>| {
            let named = it.0.as_ref().ok().and_then(|found| trigger_secret(&name_of(found), &found.spec));
            named.is_some_and(|(name, _)| secrets.contains(&name))
        };
        let triggers = triggers.iter().filter(|it| reads(it)).map(|it| name_of(it.as_ref()));
        self.wakes.triggers.wake(refs(namespace, triggers));
        let channels = of_namespace(&self.caches.channels, namespace);
        let reads = |it: &Guarded<Channel>| {
            it.0.as_ref()
                .is_ok_and(|it| channel_secrets(&it.spec).iter().any(|key| secrets.contains(&key.secret)))
        };
        let channels = channels.iter().filter(|it| reads(it)).map(|it| name_of(it.as_ref()));
        self.wakes.channels.wake(refs(namespace, channels));
    }

    /// Every Runtime there is.
    pub(super) fn all_runtimes(&self) {
        self.wakes.runtimes.wake(refs_of(&self.caches.runtimes.state()));
    }

    /// Every Scenario there is.
    pub(super) fn all_scenarios(&self) {
        self.wakes.scenarios.wake(refs_of(&self.caches.scenarios.state()));
    }

    /// Every object of our kinds.
    pub(super) fn everyone(&self) {
        self.all_runtimes();
        self.all_scenarios();
        self.wakes.triggers.wake(refs_of(&self.caches.triggers.state()));
        self.wakes.api_keys.wake(refs_of(&self.caches.api_keys.state()));
        self.wakes.channels.wake(refs_of(&self.caches.channels.state()));
    }

    fn runtimes(&self, namespace: &str) {
        self.wakes.runtimes.wake(refs_of(&of_namespace(&self.caches.runtimes, namespace)));
    }

    /// Everything in the namespace but its Runtimes.
    fn all(&self, namespace: &str) {
        self.wakes.triggers.wake(refs_of(&of_namespace(&self.caches.triggers, namespace)));
        self.wakes.scenarios.wake(refs_of(&of_namespace(&self.caches.scenarios, namespace)));
        self.wakes.channels.wake(refs_of(&of_namespace(&self.caches.channels, namespace)));
        self.wakes.api_keys.wake(refs_of(&of_namespace(&self.caches.api_keys, namespace)));
    }
}

fn refs_of<K: Kind>(objects: &[Arc<Guarded<K>>]) -> impl Iterator<Item = ObjectRef<Guarded<K>>> {
    objects.iter().map(|it| ObjectRef::from_obj(it.as_ref()))
}

/// The keys that only one of both has, or that stand for something else.
fn different<V: PartialEq>(before: &BTreeMap<String, V>, now: &BTreeMap<String, V>) -> Vec<String> {
    let changed = now.iter().filter(|(key, value)| before.get(*key) != Some(value)).map(|(key, _)| key);
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    changed.chain(gone).cloned().collect()
}

/// Whom an object was made for: its owners of the kind, whatever became of its labels; whom its label names, as others may
/// have taken its owners away; and whose name its own name tells, as others may have done both.
fn made_for<K: Resource>(object: &K, kind: &str, label: &str, suffix: &str) -> BTreeSet<String> {
    let is_ours = |owner: &&OwnerReference| {
        owner.kind == kind && owner.api_version.split_once('/').is_some_and(|(group, _)| group == GROUP)
    };
    let owners = object.owner_references().iter().filter(is_ours).map(|owner| owner.name.clone());
    let by_label = object.labels().get(label).cloned();
    let by_name = object.name_any().strip_suffix(suffix).map(str::to_owned);
    owners.chain(by_label).chain(by_name).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_concerns_its_owner_whatever_others_made_of_its_labels() {
        let whom = |name: &str, labels: serde_json::Value, owner: Option<(&str, &str)>| {
            let owners: Vec<_> = owner
                .map(|(kind, name)| json!({"apiVersion": "fanfare.dev/v1alpha1", "kind": kind, "name": name, "uid": "u"}))
                .into_iter()
                .collect();
            let object = json!({"metadata": {"name": name, "labels": labels, "ownerReferences": owners}});
            let service: Service = serde_json::from_value(object).unwrap();
            made_for(&service, "Runtime", RUNTIME_LABEL, "-runtime").into_iter().collect::<Vec<_>>()
        };
        let main = Some(("Runtime", "main"));
        assert_eq!(whom("main-runtime", json!({RUNTIME_LABEL: "main"}), main), ["main"]);
        assert_eq!(whom("other", json!({}), main), ["main"], "no label");
        assert_eq!(whom("other", json!({RUNTIME_LABEL: "evil"}), main), ["evil", "main"], "another label");
        assert_eq!(whom("main-runtime", json!({RUNTIME_LABEL: "evil"}), None), ["evil", "main"], "no owner");
        assert_eq!(whom("other", json!({}), Some(("ApiKey", "main"))), Vec::<String>::new());
    }
}
