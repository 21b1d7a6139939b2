//! What the API server holds in this namespace, as the watches brought it: plain data, without metadata.
//!
//! An object that is about to be deleted counts as gone. One that this version cannot read is broken, and disturbs no
//! other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::api::{ApiKeySpec, ApiTriggerSpec, ChannelSpec, RuntimeSpec, ScenarioSpec};
use crate::compile::Sources;
use crate::compile::references::config_maps;

/// The texts of a ConfigMap by key.
pub(super) type Texts = BTreeMap<String, String>;

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object<S> {
    /// When the API server made it.
    pub created: Option<Timestamp>,
    /// What it declares, or why that cannot be read.
    pub spec: Result<S, String>,
}

/// The objects of one kind.
#[derive(Debug)]
pub(super) struct Kind<S> {
    objects: BTreeMap<String, Object<S>>,
    /// What a list that is under way has brought so far.
    listing: Option<BTreeMap<String, Object<S>>>,
    is_filled: bool,
}

impl<S> Default for Kind<S> {
    fn default() -> Self {
        Kind { objects: BTreeMap::new(), listing: None, is_filled: false }
    }
}

impl<S: PartialEq> Kind<S> {
    /// A list begins: what it does not bring is gone at its end.
    pub(super) fn begin_list(&mut self) {
        self.listing = Some(BTreeMap::new());
    }

    /// A list brings an object.
    pub(super) fn listed(&mut self, name: String, object: Object<S>) {
        self.listing.get_or_insert_default().insert(name, object);
    }

    /// A list is complete. Answers whether anything is different now.
    pub(super) fn end_list(&mut self) -> bool {
        let listed = self.listing.take().unwrap_or_default();
        let is_news = !self.is_filled || listed != self.objects;
        self.objects = listed;
        self.is_filled = true;
        is_news
    }

    /// An object was made or changed. Answers whether what it declares is different now.
    pub(super) fn put(&mut self, name: String, object: Object<S>) -> bool {
        if self.objects.get(&name) == Some(&object) {
            return false;
        }
        self.objects.insert(name, object);
        true
    }

    /// An object is gone. Answers whether it was there.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.objects.remove(name).is_some()
    }

    /// What each object declares, by name.
    pub(super) fn specs(&self) -> impl Iterator<Item = (&String, &Result<S, String>)> {
        self.objects.iter().map(|(name, object)| (name, &object.spec))
    }
}

/// The objects of all kinds.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub triggers: Kind<ApiTriggerSpec>,
    pub scenarios: Kind<ScenarioSpec>,
    pub channels: Kind<ChannelSpec>,
    pub api_keys: Kind<ApiKeySpec>,
    pub runtimes: Kind<RuntimeSpec>,
    /// Texts of those in `named`; of any other only that it is there, as a namespace may hold many.
    pub config_maps: Kind<Option<Texts>>,
    /// The addresses of each Service within the cluster.
    pub services: Kind<Vec<IpAddr>>,
    /// The ConfigMaps that scenarios name.
    pub named: BTreeSet<String>,
}

/// Everything that is wanted, and what of it cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    /// What is to be compiled.
    pub sources: Sources,
    /// The name of the Runtime in force.
    pub runtime: Option<String>,
    /// `Kind name` of what cannot be read, with the reason.
    pub broken: BTreeMap<String, String>,
}

impl Objects {
    /// A kind whose first list has not come; `None` once all have.
    pub(super) fn missing_list(&self) -> Option<&'static str> {
        let kinds = [
            (self.triggers.is_filled, "ApiTriggers"),
            (self.scenarios.is_filled, "Scenarios"),
            (self.channels.is_filled, "Channels"),
            (self.api_keys.is_filled, "ApiKeys"),
            (self.runtimes.is_filled, "Runtimes"),
            (self.config_maps.is_filled, "ConfigMaps"),
            (self.services.is_filled, "Services"),
        ];
        kinds.into_iter().find(|(is_filled, _)| !is_filled).map(|(_, kind)| kind)
    }

    /// Looks up which ConfigMaps are named now, and forgets the texts of others. Answers those that are there and whose
    /// texts are not.
    pub(super) fn name_config_maps(&mut self, in_force: &Sources) -> Vec<String> {
        let readable = self.scenarios.specs().filter_map(|(_, spec)| spec.as_ref().ok());
        self.named = readable.chain(in_force.scenarios.values()).flat_map(config_maps).collect();
        let mut missing = Vec::new();
        for (name, object) in &mut self.config_maps.objects {
            match &mut object.spec {
                Ok(texts) if !self.named.contains(name) => *texts = None,
                Ok(None) => missing.push(name.clone()),
                _ => {}
            }
        }
        missing
    }

    /// Takes the texts of a ConfigMap that was read by name, unless the watch has brought something newer meanwhile.
    pub(super) fn take_texts(&mut self, name: &str, texts: Texts) {
        if let Some(Object { spec: Ok(known @ None), .. }) = self.config_maps.objects.get_mut(name) {
            *known = Some(texts);
        }
    }

    /// What is wanted now. What cannot be read stays as it is in force.
    pub(super) fn wanted(&self, namespace: &str, in_force: &Sources) -> Wanted {
        let mut broken = BTreeMap::new();
        let triggers = readable("ApiTrigger", &self.triggers, &in_force.triggers, &mut broken);
        let scenarios = readable("Scenario", &self.scenarios, &in_force.scenarios, &mut broken);
        let channels = readable("Channel", &self.channels, &in_force.channels, &mut broken);
        let api_keys = readable("ApiKey", &self.api_keys, &in_force.api_keys, &mut broken);
        let named: BTreeSet<String> = scenarios.values().flat_map(config_maps).collect();
        let texts = self.config_maps.specs().filter(|(name, _)| named.contains(*name));
        let texts = texts.filter_map(|(name, texts)| Some((name.clone(), texts.as_ref().ok()?.clone()?)));
        let oldest = self.runtimes.objects.iter().min_by_key(|(name, it)| (it.created, (*name).clone()));
        let runtime = oldest.and_then(|(name, object)| match &object.spec {
            Ok(spec) => Some(spec.clone()),
            Err(reason) => {
                broken.insert(format!("Runtime {name}"), reason.clone());
                in_force.runtime.clone()
            }
        });
        let sources = Sources {
            wrong: BTreeSet::new(),
            attributes: Arc::default(),
            namespace: namespace.to_owned(),
            texts: texts.collect(),
            kept_texts: BTreeMap::new(),
            left_out: BTreeMap::new(),
            triggers,
            scenarios,
            channels,
            api_keys,
            runtime,
        };
        Wanted { sources, runtime: oldest.map(|(name, _)| name.clone()), broken }
    }
}

fn readable<S: Clone + PartialEq>(
    kind: &str,
    objects: &Kind<S>,
    in_force: &BTreeMap<String, S>,
    broken: &mut BTreeMap<String, String>,
) -> BTreeMap<String, S> {
    let mut specs = BTreeMap::new();
    for (name, spec) in objects.specs() {
        let spec = match spec {
            Ok(spec) => Some(spec),
            Err(reason) => {
                broken.insert(format!("{kind} {name}"), reason.clone());
                in_force.get(name)
            }
        };
        specs.extend(spec.map(|spec| (name.clone(), spec.clone())));
    }
    specs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object<S: serde::de::DeserializeOwned>(second: i64, yaml: &str) -> Object<S> {
        let created = Timestamp::from_second(second).ok();
        Object { created, spec: serde_yaml_ng::from_str(yaml).map_err(|error| error.to_string()) }
    }

    #[test]
    fn a_list_replaces_what_was_there_only_at_its_end() {
        let mut kind = Kind::<u8>::default();
        let one = |n| Object { created: None, spec: Ok(n) };
        kind.begin_list();
        kind.listed("a".into(), one(1));
        assert_eq!(kind.specs().count(), 0);
        assert!(kind.end_list());
        assert!(!kind.put("a".into(), one(1)), "the same again is no news");
        kind.begin_list();
        kind.listed("a".into(), one(1));
        assert!(!kind.end_list());
        kind.begin_list();
        assert!(kind.end_list(), "what is not listed any more is gone");
        assert_eq!(kind.specs().count(), 0);
    }

    #[test]
    fn what_cannot_be_read_keeps_its_last_good_version_and_disturbs_nobody() {
        let mut objects = Objects::default();
        objects.channels.put("log".into(), object(0, "log: {}"));
        objects.channels.put("new".into(), object(0, "log: [1]"));
        objects.channels.put("old".into(), object(0, "log: [1]"));
        let mut in_force = Sources::default();
        in_force.channels.insert("old".into(), serde_yaml_ng::from_str("log: {}").unwrap());
        let wanted = objects.wanted("shop", &in_force);
        assert_eq!(wanted.sources.channels.keys().collect::<Vec<_>>(), ["log", "old"]);
        assert_eq!(wanted.broken.keys().collect::<Vec<_>>(), ["Channel new", "Channel old"]);
    }

    #[test]
    fn the_oldest_runtime_is_in_force_and_of_two_as_old_the_first_by_name() {
        let mut objects = Objects::default();
        for (name, second) in [("a", 9), ("c", 3), ("b", 3)] {
            objects.runtimes.put(name.into(), object(second, "storage: {sqlite: {size: 1Gi}}"));
        }
        assert_eq!(objects.wanted("shop", &Sources::default()).runtime.as_deref(), Some("b"));
    }

    #[test]
    fn only_texts_that_a_scenario_names_are_taken() {
        let mut objects = Objects::default();
        let yaml = "{triggers: [{triggerRef: {name: t}}], audience: {everyone: {}}, nodes: [{name: n, message: \
            {channelRef: {name: c}, consent: None, log: {textFrom: {configMapKeyRef: {name: mails, key: a}}}}}]}";
        objects.scenarios.put("s".into(), object(0, yaml));
        objects.config_maps.put("mails".into(), object(0, "null"));
        objects.config_maps.put("kube-root-ca.crt".into(), object(0, "ca.crt: x"));
        assert_eq!(objects.name_config_maps(&Sources::default()), ["mails"]);
        let forgotten = objects.config_maps.specs().next().unwrap();
        assert_eq!(forgotten, (&"kube-root-ca.crt".to_owned(), &Ok(None)));
        objects.config_maps.put("mails".into(), object(0, "a: Hello"));
        assert!(objects.name_config_maps(&Sources::default()).is_empty());
        let wanted = objects.wanted("shop", &Sources::default());
        assert_eq!(wanted.sources.texts.keys().collect::<Vec<_>>(), ["mails"]);
    }
}
