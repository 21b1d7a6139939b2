//! What the API server holds of our kinds, as the watches brought it: read by every reconcile, written by the watches.

use std::sync::Arc;

use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource as _, ResourceExt as _};
use tokio::sync::watch;

use super::allowed::Allowed;
use super::wake::Wake;
use crate::api::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};

/// An object, or what is known of one that this version cannot understand.
pub(super) type Guarded<K> = DeserializeGuard<K>;
/// A kind's objects.
pub(super) type Cache<K> = Store<Guarded<K>>;
/// Objects of a kind to be looked at.
pub(super) type WakeOf<K> = Arc<Wake<ObjectRef<Guarded<K>>>>;

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
    cache.state_filter(|object| {
        object.meta().namespace.as_deref() == Some(namespace) && object.meta().deletion_timestamp.is_none()
    })
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
