//! What the API server holds of our kinds, as the watches brought it: read by every reconcile, written by the watches.

use std::sync::Arc;

use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource as _, ResourceExt as _};

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

impl Caches {
    /// Whether every kind's first list has come.
    pub(super) fn are_filled(&self) -> Result<(), &'static str> {
        let filled = |ready: bool, kind| if ready { Ok(()) } else { Err(kind) };
        filled(is_filled(&self.triggers), "ApiTrigger")?;
        filled(is_filled(&self.scenarios), "Scenario")?;
        filled(is_filled(&self.channels), "Channel")?;
        filled(is_filled(&self.api_keys), "ApiKey")?;
        filled(is_filled(&self.runtimes), "Runtime")
    }

    /// Waits for the first list of every kind.
    pub(super) async fn filled(&self) {
        // A writer that is dropped means that the process is ending.
        let _ended = self.triggers.wait_until_ready().await;
        let _ended = self.scenarios.wait_until_ready().await;
        let _ended = self.channels.wait_until_ready().await;
        let _ended = self.api_keys.wait_until_ready().await;
        let _ended = self.runtimes.wait_until_ready().await;
    }
}

fn is_filled<K>(cache: &Cache<K>) -> bool
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    futures_util::FutureExt::now_or_never(cache.wait_until_ready()).is_some_and(|ready| ready.is_ok())
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
