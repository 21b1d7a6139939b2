//! The kind ApiTrigger: an endpoint that something outside calls when it happened.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::status::{Condition, Time};
use super::{DurationText, LocalRef, Parameter, TriggerAuth};

/// An HTTP endpoint that someone calls when something happened in the world, and the parameters such a call brings.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "ApiTrigger",
    namespaced,
    status = "ApiTriggerStatus",
    derive = "PartialEq",
    shortname = "fft",
    category = "fanfare",
    annotation("kustomize.toolkit.fluxcd.io/substitute", "disabled"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "In Force", type_ = "integer", json_path = ".status.generationInForce"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ApiTriggerSpec {
    /// What a call brings along. Anything else in the body is ignored or refused, as `unknownFields` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub parameters: Vec<Parameter>,
    /// Make one call of each element of a list in the body: an expression such as `body.features`. In `from`, the
    /// element is `item`. One wrong element refuses the whole request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub for_each: Option<String>,
    /// What becomes of fields in the body that no parameter declares.
    #[serde(default)]
    pub unknown_fields: UnknownFields,
    /// Who may call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<TriggerAuth>,
    /// How many calls are accepted in a while; more are answered with 429 and `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_window: Option<RateWindow>,
    /// Accept the same happening only once, however often it is reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deduplicate: Option<Deduplicate>,
    /// When a call is too late to be acted upon: its messages are no longer sent after that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Expires>,
    /// The largest request body, in bytes; a larger one is answered with 413.
    #[serde(default = "one_mebibyte")]
    #[schemars(range(min = 1, max = 10_485_760))]
    pub max_body_bytes: i32,
}

/// What becomes of fields that no parameter declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum UnknownFields {
    /// They are passed over.
    #[default]
    Ignore,
    /// The call is answered with 422 and names them. Fields that a `from` reads are not unknown.
    Refuse,
}

/// So many calls in any stretch of time of this length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct RateWindow {
    /// How many calls are accepted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub calls: i32,
    /// In how long a time.
    pub per: DurationText,
}

/// Which calls report the same happening.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct Deduplicate {
    /// An expression over `params`; two calls for which it gives the same value report the same happening.
    #[schemars(length(min = 1, max = 4096))]
    pub by: String,
    /// For how long a happening is remembered, from the first call that was accepted.
    pub within: DurationText,
}

/// When a call is too late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = ("has(self.after) != has(self.at)", "exactly one of after and at must be set"))]
pub struct Expires {
    /// So long after it was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<DurationText>,
    /// At a point in time: an expression over `params`, such as `params.until`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub at: Option<String>,
}

/// What the operator made of the trigger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiTriggerStatus {
    /// The generation of the spec this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The generation that is in force on every replica; an older one than `metadata.generation` while that cannot be used,
    /// or is not in force everywhere yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation_in_force: Option<i64>,
    /// What is true of this trigger; `Ready` sums it up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Where to send calls; empty until the endpoint is reachable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The Secret that holds the username, the password and the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
    /// The revision of that Secret (its `metadata.resourceVersion`); runtimes read it again when this changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_revision: Option<String>,
    /// When the credentials were generated that are in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<Time>,
    /// Until when the previous credentials still work; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_expires_at: Option<Time>,
    /// An example payload, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// A command that sends the example; it reads the Secret and never contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curl: Option<String>,
}

fn one_mebibyte() -> i32 {
    1_048_576
}
