//! What a Runtime keeps and for how long, and what protects customers from too much.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::DurationText;

/// How long things are kept. What is older is removed in the background, in small steps. A field that is left out keeps
/// everything for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct Retention {
    /// Calls with their runs and deliveries, and refused calls, counted from when they were received: at least `1m`. What is
    /// not at its end stays, however old it is. A delivery that is held for a person goes with its call. Keys by which
    /// repeated calls are known stay until they expire by themselves. Calls that a trigger's `rateWindow` counts are kept as
    /// long as it does. Left out, all are kept for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<DurationText>,
    /// Customers' events, counted from the time that each bears: at least `1m`. Conditions find no older ones. Left out, all
    /// are kept for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<DurationText>,
}

/// What protects customers from too much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policies {
    /// How many messages one customer gets at most. All limits must hold. Not in effect yet: nothing is held back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub frequency: Vec<FrequencyLimit>,
    /// When no messages are sent. Not in effect yet: messages are sent at any hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
}

/// So many messages to one customer in any stretch of time of this length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct FrequencyLimit {
    /// The limit's name, which the log gives as the reason of a message that was not sent.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// How many messages.
    #[schemars(range(min = 1, max = 10_000))]
    pub messages: i32,
    /// In how long a time.
    pub per: DurationText,
    /// Only messages of this category of consent; left out, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z_]([A-Za-z0-9_-]*[A-Za-z0-9_])?$"))]
    pub consent: Option<String>,
}

/// Hours of the day in which no messages are sent, in the Runtime's time zone. They may span midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct QuietHours {
    /// When they begin: `21:00`.
    #[schemars(length(min = 5, max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub from: String,
    /// When they end: `08:00`.
    #[schemars(length(min = 5, max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub to: String,
    /// What becomes of a message that falls into them.
    #[serde(default)]
    pub then: QuietHoursAction,
}

/// What becomes of a message that falls into quiet hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum QuietHoursAction {
    /// It waits for their end, unless it expires before.
    #[default]
    Wait,
    /// It is skipped.
    Skip,
}

/// The default of one category of consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsentDefault {
    /// The category, as messages and `consents.<category>` name it.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z_]([A-Za-z0-9_-]*[A-Za-z0-9_])?$"))]
    pub category: String,
    /// What holds for a customer who said neither yes nor no.
    pub unless_said: ConsentAssumption,
}

/// What is assumed of a customer who said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum ConsentAssumption {
    /// Messages of the category may be sent, such as those a contract needs.
    Given,
    /// They may not.
    Withdrawn,
}
