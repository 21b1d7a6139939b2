//! What can run, compiled once and shared: the runtime swaps it whole and never changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ApiKey, CompiledChannel, LeftOutScenario, Listeners, Scenario, Trigger};
use crate::domain::name::{ChannelName, ScenarioName, TriggerName, VersionId};
use crate::domain::retention::RetentionPolicy;

/// Everything in force in one namespace at one time.
#[derive(Debug)]
pub struct Snapshot {
    /// The digest of what it was compiled from.
    pub version: VersionId,
    /// The namespace; part of every endpoint's URL.
    pub namespace: Arc<str>,
    /// Endpoints by name.
    pub triggers: BTreeMap<TriggerName, Arc<Trigger>>,
    /// Scenarios by name, drafts and inactive ones too.
    pub scenarios: BTreeMap<ScenarioName, Arc<Scenario>>,
    /// The scenarios by the triggers that they listen to.
    pub listeners: Listeners,
    /// Scenarios by name that were wanted and are not in force.
    pub left_out: BTreeMap<String, LeftOutScenario>,
    /// Channels by name.
    pub channels: BTreeMap<ChannelName, Arc<CompiledChannel>>,
    /// Keys by name.
    pub api_keys: BTreeMap<String, Arc<ApiKey>>,
    /// How long calls and events are kept.
    pub retention: RetentionPolicy,
}

impl Snapshot {
    /// How many triggers and scenarios it shares with no other snapshot: what it costs to keep.
    pub fn own_objects(&self) -> usize {
        let triggers = self.triggers.values().filter(|trigger| Arc::strong_count(trigger) == 1);
        let scenarios = self.scenarios.values().filter(|scenario| Arc::strong_count(scenario) == 1);
        triggers.count() + scenarios.count()
    }
}
