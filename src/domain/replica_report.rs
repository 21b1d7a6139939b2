//! What one replica of a runtime has in force: its admin port says it, the operator compares it with what is declared.
//!
//! No secret is in it, and no digest of one: a Secret is known by the revision the API server gave it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::concurrency::LearnedLimits;
use super::pause::PauseReport;

/// A replica's account of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaReport {
    /// The version in force; empty before the first one is.
    pub version: String,
    /// The digest of each spec in force, by `Kind/name`. The Runtime in force is `Runtime/<name>`.
    pub objects: BTreeMap<String, String>,
    /// The digest of the texts of each ConfigMap in use.
    pub config_maps: BTreeMap<String, String>,
    /// What is known of each Secret that is to be read, over all its uses: what versions before `secret_uses` say and read.
    pub secrets: BTreeMap<String, SecretReport>,
    /// What is known of each Secret for each of its uses: one may be allowed, and another not.
    pub secret_uses: BTreeMap<String, BTreeMap<String, SecretReport>>,
    /// Whether each channel's provider answers.
    pub channels: BTreeMap<String, ChannelReport>,
    /// The last refusal of each channel's provider that no table knows, where there was one.
    pub unrecognized_refusals: BTreeMap<String, String>,
    /// What was learned of providers whose limits are not declared, coarsely.
    pub learned: BTreeMap<String, LearnedLimits>,
    /// Whether the index of each scenario's audience is complete.
    pub audiences: BTreeMap<String, AudienceReport>,
    /// How far the indexes are that are being filled for each scenario's audience, in words.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub filling: BTreeMap<String, String>,
    /// Scenarios that do not fire any more and still have runs under way.
    pub finishing: BTreeSet<String>,
    /// The customers whom runs of each scenario left out last, unless one has reached its customers since.
    pub left_out: BTreeMap<String, LeftOutReport>,
    /// What people have paused, calls left out, by [`Self::paused`].
    pub pauses: BTreeMap<String, PauseReport>,
    /// When the previous credentials of a Secret were used last, in steps of some seconds.
    pub outdated: BTreeMap<String, Timestamp>,
    /// Why the store cannot be used; `None` if it can.
    pub store_problem: Option<String>,
    /// What cannot be seen of a store that can be used, though promises rest on it.
    pub store_caution: Option<String>,
    /// What is kept for how long and since which day, in words; `None` if everything is kept.
    pub kept: Option<String>,
}

/// What a replica knows of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretReport {
    /// It was read, at this revision (`metadata.resourceVersion`).
    Read(String),
    /// It could not be read, and why.
    Unreadable(String),
}

/// What a replica knows of a channel's provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChannelReport {
    /// Nothing has been sent since the channel was connected, so nothing is known.
    Untried,
    /// The provider answered last.
    Answers,
    /// Several attempts in a row failed; messages wait.
    Down(String),
    /// The channel cannot be connected: a Secret cannot be read or does not fit. Messages wait.
    Unconnected(String),
}

/// Customers whom a run left out. Nothing in it belongs to a single customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutReport {
    /// The call it was for, the first that this happened to.
    pub call: String,
    /// When the run was at its end.
    pub since: Timestamp,
    /// `skipped` or `failed`.
    pub state: String,
    /// How many, of how many, and why, in words.
    pub in_words: String,
}

/// How an audience would be found now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AudienceReport {
    /// Every index it needs is complete, or it needs none.
    Complete,
    /// An index is being filled; until then the audience is found by a full scan.
    Filling,
}

impl ReplicaReport {
    /// What is known of a Secret for a use.
    pub fn secret(&self, name: &str, wanted: &str) -> Option<&SecretReport> {
        match self.secret_uses.get(name) {
            Some(uses) => uses.get(wanted),
            None => self.secrets.get(name),
        }
    }

    /// The name an object has in [`Self::objects`].
    pub fn object(kind: &str, name: &str) -> String {
        format!("{kind}/{name}")
    }

    /// The name of what is paused in [`Self::pauses`]: its kind in lower case and its name, which is empty for the
    /// whole runtime.
    pub fn paused(kind: &str, name: &str) -> String {
        format!("{kind}/{name}")
    }
}
