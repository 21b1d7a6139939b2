//! The kind Scenario: which calls it answers, whom it reaches and what it says to them.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::status::{Condition, ObservedObject};
use super::{DurationText, EmailContent, LocalRef, LogContent, SmsContent, WebhookContent};

/// What is done when something happened: the calls it listens to, the customers it concerns, and the messages they get.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "Scenario",
    namespaced,
    status = "ScenarioStatus",
    derive = "PartialEq",
    shortname = "ffs",
    category = "fanfare",
    annotation("kustomize.toolkit.fluxcd.io/substitute", "disabled"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(name = "Audience", type_ = "string", json_path = ".status.audience"),
    printcolumn(name = "Triggers", type_ = "string", json_path = ".spec.triggers[*].triggerRef.name"),
    printcolumn(name = "In Force", type_ = "integer", json_path = ".status.generationInForce"),
    printcolumn(
        name = "Paused",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Paused")].status"#
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioSpec {
    /// The triggers it listens to. A call runs the scenario at most once, however many entries match.
    #[schemars(length(min = 1, max = 20))]
    pub triggers: Vec<TriggerEntry>,
    /// The customers it concerns.
    pub audience: Audience,
    /// What happens to each customer, from the first node on. A node runs into the next one in the list unless it
    /// names another; edges only run forward.
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = ("self.all(n, !has(n.next) || n.next == 'End' || self.exists(m, m.name == n.next))", "next must name a node of this list, or End"),
        validation = ("self.all(n, !has(n.condition) || n.condition.__else__ == 'End' || self.exists(m, m.name == n.condition.__else__))", "else must name a node of this list, or End")
    )]
    pub nodes: Vec<Node>,
    /// Whether it fires. A draft is checked but never fires.
    #[serde(default)]
    pub state: State,
    /// What becomes of runs under way when the scenario is made inactive, changed or deleted.
    #[serde(default)]
    pub on_stop: OnStop,
}

/// One trigger and which of its calls count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerEntry {
    /// The ApiTrigger.
    pub trigger_ref: LocalRef,
    /// A condition on the call, such as `params.alert == "snowstorm"`; left out, every call counts.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub condition: Option<String>,
}

/// The customers a scenario concerns. Exactly one of `where` and `everyone`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = ("has(self.where) != has(self.everyone)", "exactly one of where and everyone must be set"))]
pub struct Audience {
    /// A condition on a customer, such as `customer.postcode in params.postcodes`.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16384))]
    pub condition: Option<String>,
    /// Every customer there is: `everyone: {}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub everyone: Option<Everyone>,
}

/// Every customer there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct Everyone {}

/// One step of a customer's way. Exactly one of `condition`, `message` and `wait`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = ("[has(self.condition), has(self.message), has(self.wait)].filter(x, x).size() == 1", "exactly one of condition, message and wait must be set"))]
pub struct Node {
    /// The node's name, unique within the scenario.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Go on if something is true of the customer, else elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<ConditionNode>,
    /// Send a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageNode>,
    /// Wait before going on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<WaitNode>,
    /// The node to go on with: a later one, or `End`. Left out, the next one in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^(End|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$"))]
    pub next: Option<String>,
}

/// A fork in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct ConditionNode {
    /// The condition; only a true one goes on to the node's `next`.
    #[schemars(length(min = 1, max = 16384))]
    pub r#if: String,
    /// Where a customer goes for whom it is not true: a later node, or `End`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^(End|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$"))]
    pub r#else: String,
}

/// A pause in a customer's way. Exactly one of `for`, `until` and `untilTime`. What conditions and texts behind it read of the
/// customer, and `now`, is what holds when the wait is over. A call's expiry ends a wait too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("[has(self.__for__), has(self.until), has(self.untilTime)].filter(x, x).size() == 1", "exactly one of for, until and untilTime must be set"),
    validation = ("!has(self.before) || has(self.until)", "before goes with until")
)]
pub struct WaitNode {
    /// So long, from when the customer comes here: `2h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#for: Option<DurationText>,
    /// Until a point in time, as an expression: `params.departure`. One that is past, or cannot be told, is not waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub until: Option<String>,
    /// So long before `until`: `1h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<DurationText>,
    /// Until the next time that a clock shows this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_time: Option<TimeOfDay>,
}

/// A time of day in a time zone. Where daylight saving leaves it out, the first moment after it counts; where it comes twice,
/// the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct TimeOfDay {
    /// The time: `09:00`.
    #[schemars(length(min = 5, max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub at: String,
    /// `Customer` for the zone that the customer's attribute `time_zone` names, or a zone such as `Europe/Vienna`. Left out,
    /// and for a customer without one, the Runtime's `timeZone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub zone: Option<String>,
}

/// A message to one customer. Exactly one of `sms`, `email`, `webhook` and `log`, as the channel needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.sms), has(self.email), has(self.webhook), has(self.log)].filter(x, x).size() == 1", "exactly one of sms, email, webhook and log must be set"))]
pub struct MessageNode {
    /// The Channel it leaves through.
    pub channel_ref: LocalRef,
    /// The address, as a template. Left out, `customer.phone` or `customer.email`, as the channel needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub to: Option<String>,
    /// The category of consent the customer must have given, or `None` for a message that needs none.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z_]([A-Za-z0-9_-]*[A-Za-z0-9_])?$"))]
    pub consent: String,
    /// A text message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms: Option<SmsContent>,
    /// A mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailContent>,
    /// A request to a webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookContent>,
    /// A line in the runtime's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogContent>,
}

/// Whether a scenario fires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum State {
    /// Checked and planned, but never fires.
    Draft,
    /// Fires.
    #[default]
    Active,
    /// Does not fire.
    Inactive,
}

/// What becomes of runs under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum OnStop {
    /// They go on to their end, on the version they began with.
    #[default]
    Finish,
    /// What has not been sent is cancelled.
    Cancel,
}

/// What the operator made of the scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioStatus {
    /// The generation of the spec this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The generation that is in force on every replica; an older one than `metadata.generation` while that cannot be used,
    /// or is not in force everywhere yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation_in_force: Option<i64>,
    /// What is true of this scenario; `Ready` sums it up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// What the scenario is doing: Draft, Active, Finishing, Inactive or Stalled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What it does and whom it reaches, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// How the audience is found: by which indexes, or by a full scan and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The triggers and channels with which it was last found to be right; a change of one of them can break it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_with: Vec<ObservedObject>,
}
