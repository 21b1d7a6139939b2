//! Everything that is in force in one namespace, as plain data: what a version row in the ledger holds.
//!
//! Secrets are never in it. Its digest is the version: the same content always has the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use super::ObjectName;
use crate::api::{ApiKeySpec, ApiTriggerSpec, ChannelSpec, RuntimeSpec, ScenarioSpec};
use crate::domain::name::VersionId;
use crate::domain::render::AttributesSeen;

/// The specs of all kinds by name, and the ConfigMaps they may use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sources {
    /// The namespace they belong to.
    pub namespace: String,
    /// ApiTriggers.
    #[serde(default)]
    pub triggers: BTreeMap<String, ApiTriggerSpec>,
    /// Scenarios, whatever their state.
    #[serde(default)]
    pub scenarios: BTreeMap<String, ScenarioSpec>,
    /// Channels.
    #[serde(default)]
    pub channels: BTreeMap<String, ChannelSpec>,
    /// ApiKeys.
    #[serde(default)]
    pub api_keys: BTreeMap<String, ApiKeySpec>,
    /// The Runtime in force.
    #[serde(default)]
    pub runtime: Option<RuntimeSpec>,
    /// ConfigMaps: texts by key.
    #[serde(default)]
    pub texts: BTreeMap<String, Texts>,
    /// What a scenario that is held back keeps of ConfigMaps which have changed since: by scenario, then by ConfigMap.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept_texts: BTreeMap<String, BTreeMap<String, Texts>>,
    /// Scenarios that were wanted and are not in force, for the log of calls to the triggers that they list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, LeftOutScenario>,
    /// Objects that are there and cannot be read, for the words about whatever refers to them. They put nothing in
    /// force, so they are never kept.
    #[serde(skip)]
    pub wrong: BTreeSet<ObjectName>,
    /// What the store has seen of customers' attributes, where the caller knows: contents are tried with these. It is
    /// no part of what is in force, so it is never kept.
    #[serde(skip)]
    pub attributes: Arc<AttributesSeen>,
}

/// A scenario that does not compile and has no version before that does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutScenario {
    /// The triggers that it lists.
    pub triggers: BTreeSet<String>,
    /// The first thing that is wrong with it: field and problem in one line.
    pub problem: String,
}

/// The texts of a ConfigMap by key.
pub type Texts = BTreeMap<String, String>;

impl Sources {
    /// The texts of a ConfigMap as a scenario uses them: those it keeps, or those of now.
    pub fn texts_of(&self, scenario: &str, config_map: &str) -> Option<&Texts> {
        let kept = self.kept_texts.get(scenario).and_then(|kept| kept.get(config_map));
        kept.or_else(|| self.texts.get(config_map))
    }

    /// The JSON a version row holds. Objects by name are sorted, and values stand as they were written, so the same manifests
    /// give the same text.
    pub fn content(&self) -> String {
        serde_json::to_string(self).expect("specs hold only texts as keys and no failing serializers")
    }

    /// The digest of the content: 32 characters of URL-safe base64 (192 bits of SHA-256).
    pub fn version(&self) -> VersionId {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.content().as_bytes());
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest.as_ref()[..24]);
        VersionId::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_leads_back_and_names_its_version() {
        let mut sources = Sources { namespace: "default".into(), ..Sources::default() };
        let first = sources.version();
        sources.texts.entry("mails".into()).or_default().insert("a".into(), "Hello".into());
        let back: Sources = serde_json::from_str(&sources.content()).unwrap();
        assert_eq!(back, sources);
        assert_eq!(back.version(), sources.version());
        assert_ne!(first, sources.version());
    }
}
