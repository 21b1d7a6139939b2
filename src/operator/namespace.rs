//! What belongs together in a namespace: which objects refer to which, and what is compiled with what.
//!
//! All references stay within a namespace, so an object is compiled with what it refers to and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::Resource as _;

use super::caches::{Cache, Caches, Guarded, get, name_of, of_namespace};
use crate::api::labels::trigger_secret_name;
use crate::api::{ApiKeySpec, KeyType, Permission, Runtime, ScenarioSpec};
use crate::compile::Sources;
use crate::compile::references::{SecretUse, config_maps, secrets_of};

/// What Public keys of the namespace may write to, so that it is published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct WrittenByPages {
    pub customers: bool,
    pub events: bool,
}

/// A namespace as the caches show it.
pub(super) struct Namespace<'a> {
    /// The objects of all namespaces.
    pub caches: &'a Caches,
    /// Its name.
    pub name: &'a str,
}

impl Namespace<'_> {
    /// The Runtime in force: the oldest.
    pub(super) fn runtime(&self) -> Option<Arc<Guarded<Runtime>>> {
        let runtimes = of_namespace(&self.caches.runtimes, self.name);
        runtimes.into_iter().min_by_key(|runtime| age(runtime))
    }

    /// What a scenario is compiled with, but for its texts.
    pub(super) fn sources_of_scenario(&self, name: &str, spec: &ScenarioSpec) -> Sources {
        let mut sources = self.sources();
        sources.scenarios.insert(name.to_owned(), spec.clone());
        for trigger in spec.triggers.iter().map(|entry| &entry.trigger_ref.name) {
            self.add_trigger(&mut sources, trigger);
        }
        for channel in channels_of(spec) {
            let found = get(&self.caches.channels, self.name, channel);
            let spec = found.as_ref().and_then(|found| found.0.as_ref().ok());
            sources.channels.extend(spec.map(|found| (channel.to_owned(), found.spec.clone())));
        }
        sources
    }

    /// What an ApiKey is compiled with.
    pub(super) fn sources_of_api_key(&self, name: &str, spec: &ApiKeySpec) -> Sources {
        let mut sources = self.sources();
        sources.api_keys.insert(name.to_owned(), spec.clone());
        spec.triggers.iter().for_each(|trigger| self.add_trigger(&mut sources, &trigger.name));
        sources
    }

    /// The namespace with its Runtime and nothing else.
    pub(super) fn sources(&self) -> Sources {
        let runtime = self.runtime();
        let spec = runtime.and_then(|runtime| runtime.0.as_ref().ok().map(|runtime| runtime.spec.clone()));
        Sources { namespace: self.name.to_owned(), runtime: spec, ..Sources::default() }
    }

    fn add_trigger(&self, sources: &mut Sources, name: &str) {
        let found = get(&self.caches.triggers, self.name, name);
        let spec = found.as_ref().and_then(|found| found.0.as_ref().ok());
        sources.triggers.extend(spec.map(|found| (name.to_owned(), found.spec.clone())));
    }

    /// Every Secret a runtime of the namespace reads: that something refers to, for a use that its label allows.
    pub(super) fn secrets(&self) -> BTreeSet<String> {
        let triggers = of_namespace(&self.caches.triggers, self.name);
        let channels = of_namespace(&self.caches.channels, self.name);
        let keys = of_namespace(&self.caches.api_keys, self.name);
        let triggers =
            triggers.iter().filter_map(|it| Some((it.meta().name.as_deref()?, &it.0.as_ref().ok()?.spec)));
        let channels = channels.iter().filter_map(|it| Some(&it.0.as_ref().ok()?.spec));
        // What the Secret of a key is called, does not hang on what the key declares.
        let keys = keys.iter().filter_map(|it| it.meta().name.as_deref());
        let may = |name: &str, uses: BTreeSet<SecretUse>| {
            uses.into_iter().any(|wanted| self.caches.allowed.is_for(self.name, name, wanted))
        };
        let named = secrets_of(triggers, channels, keys).into_iter();
        named.filter_map(|(name, uses)| may(&name, uses).then_some(name)).collect()
    }

    /// Whether something may refer to Secrets that this version cannot read.
    pub(super) fn hides_references(&self) -> bool {
        !unreadable(&self.caches.triggers, self.name).is_empty()
            || !unreadable(&self.caches.channels, self.name).is_empty()
    }

    /// Whether something that this version cannot read may refer to the Secret, for a use that its label allows.
    pub(super) fn may_refer_to(&self, secret: &str) -> bool {
        let is_for = |wanted| self.caches.allowed.is_for(self.name, secret, wanted);
        let triggers = unreadable(&self.caches.triggers, self.name);
        let channels = unreadable(&self.caches.channels, self.name);
        triggers.iter().any(|name| trigger_secret_name(name) == secret || is_for(SecretUse::Trigger))
            || (!channels.is_empty() && is_for(SecretUse::Channel))
    }

    /// The scenarios that something refers to by the condition.
    pub(super) fn scenarios_where(&self, mut refers: impl FnMut(&ScenarioSpec) -> bool) -> Vec<String> {
        let all = of_namespace(&self.caches.scenarios, self.name);
        let named = all.iter().filter(|it| it.0.as_ref().is_ok_and(|scenario| refers(&scenario.spec)));
        named.map(|scenario| name_of(scenario.as_ref())).collect()
    }

    /// Scenarios that listen to the trigger.
    pub(super) fn scenarios_of_trigger(&self, trigger: &str) -> Vec<String> {
        self.scenarios_where(|spec| spec.triggers.iter().any(|entry| entry.trigger_ref.name == trigger))
    }

    /// Scenarios that send through the channel.
    pub(super) fn scenarios_of_channel(&self, channel: &str) -> Vec<String> {
        self.scenarios_where(|spec| channels_of(spec).any(|name| name == channel))
    }

    /// Scenarios that use texts of the ConfigMap.
    pub(super) fn scenarios_of_config_map(&self, config_map: &str) -> Vec<String> {
        self.scenarios_where(|spec| config_maps(spec).contains(config_map))
    }

    /// What Public keys may write to.
    pub(super) fn written_by_pages(&self) -> WrittenByPages {
        let all = of_namespace(&self.caches.api_keys, self.name);
        let specs = all.iter().filter_map(|it| it.0.as_ref().ok()).map(|key| &key.spec);
        let public = specs
            .filter(|spec| spec.r#type == KeyType::Public && spec.permissions.contains(&Permission::Track));
        let mut pages = WrittenByPages::default();
        for rules in public.filter_map(|spec| spec.track.as_ref()) {
            pages.events |= !rules.events.is_empty();
            pages.customers |=
                [&rules.attributes, &rules.ids, &rules.consents].into_iter().any(|names| !names.is_empty());
        }
        pages
    }

    /// ApiKeys that list the trigger.
    pub(super) fn api_keys_of_trigger(&self, trigger: &str) -> Vec<String> {
        let all = of_namespace(&self.caches.api_keys, self.name);
        let lists = |it: &&Arc<Guarded<crate::api::ApiKey>>| {
            it.0.as_ref().is_ok_and(|key| key.spec.triggers.iter().any(|listed| listed.name == trigger))
        };
        all.iter().filter(lists).map(|key| name_of(key.as_ref())).collect()
    }
}

/// The objects of a kind that are there and that this version cannot read.
fn unreadable<K>(cache: &Cache<K>, namespace: &str) -> Vec<String>
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    let all = of_namespace(cache, namespace);
    all.iter().filter(|it| it.0.is_err()).map(|it| name_of(it.as_ref())).collect()
}

/// The channels a scenario sends through, in the order of its nodes.
pub(super) fn channels_of(spec: &ScenarioSpec) -> impl Iterator<Item = &str> {
    let messages = spec.nodes.iter().filter_map(|node| node.message.as_ref());
    messages.map(|message| message.channel_ref.name.as_str())
}

/// Of two Runtimes the older is in force; made in the same second, the first by name.
pub(super) fn age(runtime: &Guarded<Runtime>) -> (Option<jiff::Timestamp>, String) {
    let made = runtime.meta().creation_timestamp.as_ref().map(|time| time.0);
    (made, name_of(runtime))
}
