//! What was compiled before: of thousands of objects an edit changes one, and the others are taken over as they are.
//!
//! Only what depends on nothing that has changed is taken over, and only what nothing was said about: a warning is found
//! anew each time.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::references::config_maps;
use super::{Compilation, ObjectKind, ObjectName, Problem, Scenario, Snapshot, Sources, Trigger};
use crate::api::RuntimeSpec;
use crate::domain::name::{ScenarioName, TriggerName};

/// Sources, and what was compiled from them.
#[derive(Debug)]
pub struct Before {
    sources: Sources,
    snapshot: Arc<Snapshot>,
    /// What something was said about.
    noted: HashSet<ObjectName>,
}

impl Before {
    /// The compilation of these sources.
    pub fn new(sources: Sources, snapshot: Arc<Snapshot>, problems: &[Problem]) -> Self {
        Before { sources, snapshot, noted: problems.iter().map(|problem| problem.object.clone()).collect() }
    }

    /// Nothing was compiled before.
    pub fn nothing() -> Self {
        let sources = Sources::default();
        let Compilation { snapshot, problems } = super::compile(&sources);
        Before::new(sources, Arc::new(snapshot), &problems)
    }

    /// The sources.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The trigger as it was compiled, if it would be the same again.
    pub(super) fn trigger(&self, name: &str, sources: &Sources) -> Option<Arc<Trigger>> {
        let is_same =
            self.sources.triggers.get(name) == sources.triggers.get(name) && self.has_same_local(sources);
        let is_usable = is_same && !self.is_noted(ObjectKind::ApiTrigger, name);
        self.snapshot.triggers.get(&TriggerName::new(name)).filter(|_| is_usable).map(Arc::clone)
    }

    /// The scenario as it was compiled, if it would be the same again.
    pub(super) fn scenario(&self, name: &str, sources: &Sources) -> Option<Arc<Scenario>> {
        let spec = self.sources.scenarios.get(name)?;
        let consents =
            |sources: &Sources| sources.runtime.as_ref().map(|it| it.consents.clone()).unwrap_or_default();
        let is_unchanged = sources.scenarios.get(name) == Some(spec)
            && consents(&self.sources) == consents(sources)
            && self.has_same_local(sources)
            && !self.is_noted(ObjectKind::Scenario, name);
        if !is_unchanged {
            return None;
        }
        let triggers = spec.triggers.iter().map(|entry| entry.trigger_ref.name.as_str());
        let same_triggers = triggers
            .collect::<BTreeSet<_>>()
            .into_iter()
            .all(|name| self.sources.triggers.get(name) == sources.triggers.get(name));
        let messages = spec.nodes.iter().filter_map(|node| node.message.as_ref());
        let same_channels = messages
            .map(|it| it.channel_ref.name.as_str())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .all(|name| self.sources.channels.get(name) == sources.channels.get(name));
        let same_texts = same_triggers
            && same_channels
            && config_maps(spec).iter().all(|config_map| {
                self.sources.texts_of(name, config_map) == sources.texts_of(name, config_map)
                    && !self.is_noted(ObjectKind::ConfigMap, config_map)
            });
        self.snapshot.scenarios.get(&ScenarioName::new(name)).filter(|_| same_texts).map(Arc::clone)
    }

    /// Whether the Runtime says the same of zone, language, region and telephone numbers.
    fn has_same_local(&self, sources: &Sources) -> bool {
        let local = |sources: &Sources| {
            let runtime = sources.runtime.as_ref()?;
            let RuntimeSpec { time_zone, locale, region, sms_addresses, .. } = runtime;
            Some((time_zone.clone(), locale.clone(), region.clone(), *sms_addresses))
        };
        local(&self.sources).unwrap_or_default() == local(sources).unwrap_or_default()
    }

    fn is_noted(&self, kind: ObjectKind, name: &str) -> bool {
        !self.noted.is_empty() && self.noted.contains(&ObjectName { kind, name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{compile, compile_after};
    use super::*;

    fn sources() -> Sources {
        let yaml = |text: &str| serde_yaml_ng::from_str::<serde_json::Value>(text).unwrap();
        let mut sources = Sources::default();
        let trigger = "parameters: [{name: city, type: string}]";
        for name in ["a", "b"] {
            sources.triggers.insert(name.into(), serde_json::from_value(yaml(trigger)).unwrap());
            let message = format!(
                "{{triggers: [{{triggerRef: {{name: {name}}}}}], audience: {{where: customer.city == params.city}}, nodes: \
                 [{{name: n, message: {{channelRef: {{name: log}}, consent: None, log: {{textFrom: {{configMapKeyRef: \
                 {{name: {name}, key: t}}}}}}}}}}]}}"
            );
            sources.scenarios.insert(name.into(), serde_json::from_value(yaml(&message)).unwrap());
            sources.texts.insert(name.into(), [("t".to_owned(), "Hello".to_owned())].into());
        }
        sources.channels.insert("log".into(), serde_json::from_value(yaml("log: {}")).unwrap());
        sources
    }

    /// Which of both scenarios are taken over after the edit. What is compiled must be the same either way.
    fn taken_over(edit: impl FnOnce(&mut Sources)) -> Vec<bool> {
        let first = compile(&sources());
        assert_eq!(first.problems, []);
        let before = Before::new(sources(), Arc::new(first.snapshot), &first.problems);
        let mut edited = sources();
        edit(&mut edited);
        let after = compile_after(&edited, &before);
        let anew = compile(&edited);
        assert_eq!(after.problems, anew.problems);
        assert_eq!(format!("{:?}", after.snapshot), format!("{:?}", anew.snapshot));
        let is_same = |name: &str| {
            let name = ScenarioName::new(name);
            let (old, new) = (before.snapshot.scenarios.get(&name), after.snapshot.scenarios.get(&name));
            old.zip(new).is_some_and(|(old, new)| Arc::ptr_eq(old, new))
        };
        vec![is_same("a"), is_same("b")]
    }

    #[test]
    fn what_depends_on_nothing_that_changed_is_taken_over() {
        assert_eq!(taken_over(|_| {}), [true, true]);
        assert_eq!(taken_over(|sources| drop(sources.triggers.remove("b"))), [true, false]);
        assert_eq!(
            taken_over(|sources| drop(sources.texts.get_mut("a").unwrap().insert("t".into(), "Bye".into()))),
            [false, true]
        );
        assert_eq!(taken_over(|sources| drop(sources.channels.remove("log"))), [false, false]);
        let runtime = "{storage: {sqlite: {size: 1Gi}}, consents: [{category: sms, unlessSaid: Given}]}";
        let runtime = serde_yaml_ng::from_str(runtime).unwrap();
        assert_eq!(taken_over(|sources| sources.runtime = Some(runtime)), [false, false]);
        for (local, is_kept) in [
            ("timeZone: Europe/Vienna", false),
            ("locale: de", false),
            ("region: AT", false),
            ("smsAddresses: E164", false),
            ("replicas: 1", true),
        ] {
            let runtime = format!("{{storage: {{sqlite: {{size: 1Gi}}}}, {local}}}");
            let runtime = serde_yaml_ng::from_str(&runtime).unwrap();
            assert_eq!(taken_over(|sources| sources.runtime = Some(runtime)), [is_kept; 2], "{local}");
        }
    }
}
