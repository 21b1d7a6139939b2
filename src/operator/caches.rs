//! What the API server holds of our kinds, as the watches brought it: read by every reconcile, written by the watches.
//!
//! A [`Cache`] is indexed by namespace: a change in one costs nothing for the objects of all others.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use kube::core::DeserializeGuard;
use kube::runtime::reflector::{self, ObjectRef, Store, store};
use kube::runtime::watcher;
use kube::{Resource as _, ResourceExt as _};
use tokio::sync::watch;

use super::allowed::Allowed;
use super::wake::Wake;
use crate::api::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};

/// An object, or what is known of one that this version cannot understand.
pub(super) type Guarded<K> = DeserializeGuard<K>;
/// Objects of a kind to be looked at.
pub(super) type WakeOf<K> = Arc<Wake<ObjectRef<Guarded<K>>>>;

/// A kind's objects, by namespace and name.
#[derive(Clone)]
pub(super) struct Cache<K: kube::Resource<DynamicType = ()> + Clone + 'static> {
    /// What the kind's controller reads too.
    pub store: Store<Guarded<K>>,
    names: Arc<RwLock<Names>>,
}

/// The names of a kind's objects, by namespace.
type Names = HashMap<String, BTreeSet<String>>;

/// What fills a [`Cache`].
pub(super) struct CacheWriter<K: kube::Resource<DynamicType = ()> + Clone + 'static> {
    store: store::Writer<Guarded<K>>,
    cache: Cache<K>,
}

impl<K: kube::Resource<DynamicType = ()> + Clone + 'static> Cache<K> {
    /// An empty one.
    pub(super) fn new() -> (Self, CacheWriter<K>) {
        let (reader, store) = reflector::store();
        let cache = Cache { store: reader, names: Arc::default() };
        (cache.clone(), CacheWriter { store, cache })
    }

    /// All objects, in no order.
    pub(super) fn state(&self) -> Vec<Arc<Guarded<K>>> {
        self.store.state()
    }

    /// The object, also when it is about to go.
    pub(super) fn get(&self, object: &ObjectRef<Guarded<K>>) -> Option<Arc<Guarded<K>>> {
        self.store.get(object)
    }

    /// The objects of a namespace, also those that are about to go; no other namespace's are looked at.
    fn of(&self, namespace: &str) -> Vec<Arc<Guarded<K>>> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let named = names.get(namespace).into_iter().flatten();
        named.filter_map(|name| self.store.get(&ObjectRef::new(name).within(namespace))).collect()
    }
}

impl<K: kube::Resource<DynamicType = ()> + Clone + 'static> CacheWriter<K> {
    /// Takes what the watch says. The index follows the objects, so a name without an object is only seen while one is
    /// being removed, and an object without its name while one is being added, whose change is announced after this.
    pub(super) fn apply(&mut self, event: &watcher::Event<Guarded<K>>) {
        self.store.apply_watcher_event(event);
        let mut names = self.cache.names.write().unwrap_or_else(PoisonError::into_inner);
        match event {
            watcher::Event::Apply(object) => {
                names.entry(namespace_of(object)).or_default().insert(name_of(object));
            }
            watcher::Event::Delete(object) => {
                let namespace = namespace_of(object);
                let left = names.get_mut(&namespace).is_some_and(|names| {
                    names.remove(&name_of(object));
                    !names.is_empty()
                });
                if !left {
                    names.remove(&namespace);
                }
            }
            // The list is complete, and has replaced what there was.
            watcher::Event::InitDone => {
                names.clear();
                for object in self.cache.store.state() {
                    names.entry(namespace_of(object.as_ref())).or_default().insert(name_of(object.as_ref()));
                }
            }
            watcher::Event::Init | watcher::Event::InitApply(_) => {}
        }
    }
}

/// The objects of all kinds.
#[derive(Clone)]
pub(super) struct Caches {
    pub triggers: Cache<ApiTrigger>,
    pub scenarios: Cache<Scenario>,
    pub channels: Cache<Channel>,
    pub api_keys: Cache<ApiKey>,
    pub runtimes: Cache<Runtime>,
    /// What users' Secrets may be used for.
    pub allowed: Allowed,
    pub filled: Arc<Filled>,
}

/// What is to be looked at, for a reason other than its own change.
#[derive(Clone, Default)]
pub(super) struct Wakes {
    pub triggers: WakeOf<ApiTrigger>,
    pub scenarios: WakeOf<Scenario>,
    pub channels: WakeOf<Channel>,
    pub api_keys: WakeOf<ApiKey>,
    pub runtimes: WakeOf<Runtime>,
}

/// Our kinds, in the order in which they are told of.
pub(super) const KINDS: [&str; 5] = ["ApiTrigger", "Scenario", "Channel", "ApiKey", "Runtime"];

/// The Secrets that users allow for something.
pub(super) const SECRETS: &str = "Secret";
/// The replicas of runtimes: listed, and each ready one asked once.
pub(super) const REPLICAS: &str = "Pod";
/// All that is known before anything is judged.
const AWAITED: [&str; 7] = ["ApiTrigger", "Scenario", "Channel", "ApiKey", "Runtime", SECRETS, REPLICAS];

/// Of which kinds the first list has come, and what is known of replicas.
///
/// Not `Store::wait_until_ready`: of several that wait on one store it wakes one, and the controllers wait on it too.
#[derive(Debug)]
pub(super) struct Filled(watch::Sender<u8>);

impl Default for Filled {
    fn default() -> Self {
        Filled(watch::Sender::new(0))
    }
}

impl Filled {
    const ALL: u8 = (1 << AWAITED.len()) - 1;

    /// The first list of a kind has come.
    pub(super) fn mark(&self, kind: &str) {
        self.0.send_if_modified(|filled| {
            let before = *filled;
            *filled |= Self::bit(kind);
            *filled != before
        });
    }

    fn bit(kind: &str) -> u8 {
        AWAITED.iter().position(|known| *known == kind).map_or(0, |place| 1 << place)
    }
}

impl Caches {
    /// Whether every kind's first list has come; the first kind of which it has not.
    pub(super) fn are_filled(&self) -> Result<(), &'static str> {
        let filled = *self.filled.0.borrow();
        let missing = AWAITED.into_iter().find(|kind| filled & Filled::bit(kind) == 0);
        missing.map_or(Ok(()), Err)
    }

    /// Waits for the first list of every kind, and for the first word of every replica.
    pub(super) async fn filled(&self) {
        self.filled_but(0).await;
    }

    /// Waits for everything but replicas.
    pub(super) async fn listed(&self) {
        self.filled_but(Filled::bit(REPLICAS)).await;
    }

    async fn filled_but(&self, left_out: u8) {
        let mut filled = self.filled.0.subscribe();
        // The sender lives as long as these caches.
        let _filled = filled.wait_for(|filled| *filled | left_out == Filled::ALL).await;
    }
}

/// One object, if it is there and not about to go.
pub(super) fn get<K>(cache: &Cache<K>, namespace: &str, name: &str) -> Option<Arc<Guarded<K>>>
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    let found = cache.get(&ObjectRef::new(name).within(namespace))?;
    (found.meta().deletion_timestamp.is_none()).then_some(found)
}

/// The objects of a namespace that are not about to go.
pub(super) fn of_namespace<K>(cache: &Cache<K>, namespace: &str) -> Vec<Arc<Guarded<K>>>
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    let mut found = cache.of(namespace);
    found.retain(|object| object.meta().deletion_timestamp.is_none());
    found
}

/// How objects of a namespace are referred to.
pub(super) fn refs<'a, K>(
    namespace: &'a str,
    names: impl IntoIterator<Item = String> + 'a,
) -> impl Iterator<Item = ObjectRef<Guarded<K>>> + 'a
where
    K: kube::Resource<DynamicType = ()> + 'a,
{
    names.into_iter().map(move |name| ObjectRef::new(&name).within(namespace))
}

/// The name of an object that came from the API server, which always gives one.
pub(super) fn name_of<K: kube::Resource>(object: &K) -> String {
    object.name_any()
}

/// The namespace of an object of a namespaced kind.
pub(super) fn namespace_of<K: kube::Resource>(object: &K) -> String {
    object.namespace().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use kube::core::ObjectMeta;

    use super::*;

    /// A kind that counts how often its objects are looked at.
    #[derive(Debug, Clone)]
    struct Counted {
        metadata: ObjectMeta,
        looked_at: Arc<AtomicUsize>,
    }

    impl kube::Resource for Counted {
        type DynamicType = ();
        type Scope = k8s_openapi::NamespaceResourceScope;

        fn kind((): &()) -> Cow<'_, str> {
            "Counted".into()
        }
        fn group((): &()) -> Cow<'_, str> {
            "tests".into()
        }
        fn version((): &()) -> Cow<'_, str> {
            "v1".into()
        }
        fn plural((): &()) -> Cow<'_, str> {
            "counted".into()
        }
        fn meta(&self) -> &ObjectMeta {
            self.looked_at.fetch_add(1, Ordering::Relaxed);
            &self.metadata
        }
        fn meta_mut(&mut self) -> &mut ObjectMeta {
            &mut self.metadata
        }
    }

    fn object(namespace: &str, name: &str, looked_at: &Arc<AtomicUsize>) -> Guarded<Counted> {
        let metadata = ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        };
        DeserializeGuard(Ok(Counted { metadata, looked_at: Arc::clone(looked_at) }))
    }

    fn listed(writer: &mut CacheWriter<Counted>, objects: impl IntoIterator<Item = Guarded<Counted>>) {
        writer.apply(&watcher::Event::Init);
        objects.into_iter().for_each(|it| writer.apply(&watcher::Event::InitApply(it)));
        writer.apply(&watcher::Event::InitDone);
    }

    fn names(cache: &Cache<Counted>, namespace: &str) -> Vec<String> {
        of_namespace(cache, namespace).iter().map(|it| name_of(it.as_ref())).collect()
    }

    #[test]
    fn a_change_in_one_namespace_looks_at_no_object_of_another() {
        let (cache, mut writer) = Cache::<Counted>::new();
        let looked_at = Arc::new(AtomicUsize::new(0));
        let all = (0..2_000).map(|n| object(&format!("n{}", n / 2), &format!("o{}", n % 2), &looked_at));
        listed(&mut writer, all);
        looked_at.store(0, Ordering::Relaxed);
        writer.apply(&watcher::Event::Apply(object("n7", "o2", &looked_at)));
        assert_eq!(of_namespace(&cache, "n7").len(), 3);
        assert_eq!(of_namespace(&cache, "n8").len(), 2);
        assert!(of_namespace(&cache, "elsewhere").is_empty());
        let looks = looked_at.load(Ordering::Relaxed);
        assert!(
            looks < 20,
            "{looks} looks at objects, of which 2,001 are in the cluster and 5 were asked for"
        );
    }

    #[test]
    fn a_namespace_has_what_the_watch_brought_last() {
        let (cache, mut writer) = Cache::<Counted>::new();
        let looked_at = Arc::default();
        let object = |namespace: &str, name: &str| object(namespace, name, &looked_at);
        listed(&mut writer, [object("shop", "b"), object("shop", "a"), object("bank", "a")]);
        assert_eq!(names(&cache, "shop"), ["a", "b"]);
        writer.apply(&watcher::Event::Delete(object("bank", "a")));
        assert_eq!(names(&cache, "bank"), Vec::<String>::new());
        writer.apply(&watcher::Event::Delete(object("bank", "never listed")));
        let mut going = object("shop", "b");
        going.meta_mut().deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
        writer.apply(&watcher::Event::Apply(going));
        assert_eq!(names(&cache, "shop"), ["a"], "one that is about to go is not there");
        writer.apply(&watcher::Event::Init);
        assert_eq!(names(&cache, "shop"), ["a"], "until a list is complete, what was known stays");
        listed(&mut writer, [object("bank", "c")]);
        assert_eq!((names(&cache, "shop"), names(&cache, "bank")), (vec![], vec!["c".to_owned()]));
        assert!(
            cache.names.read().is_ok_and(|names| names.len() == 1),
            "no namespace without objects is kept"
        );
    }
}
