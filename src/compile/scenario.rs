//! A scenario that can run.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Channel, Problems, Sources, Trigger};
use crate::api::ScenarioSpec;
use crate::domain::name::{ChannelName, ScenarioName, TriggerName};

/// A scenario that can run.
#[derive(Debug)]
pub struct Scenario {
    /// Its name.
    pub name: ScenarioName,
    /// As it was declared.
    pub spec: ScenarioSpec,
}

pub(super) fn compile_all(
    sources: &Sources,
    _triggers: &BTreeMap<TriggerName, Arc<Trigger>>,
    _channels: &BTreeMap<ChannelName, Arc<Channel>>,
    _problems: &mut Problems,
) -> BTreeMap<ScenarioName, Arc<Scenario>> {
    let compiled = |(name, spec): (&String, &ScenarioSpec)| {
        let name = ScenarioName::new(name.as_str());
        (name.clone(), Arc::new(Scenario { name, spec: spec.clone() }))
    };
    sources.scenarios.iter().map(compiled).collect()
}
