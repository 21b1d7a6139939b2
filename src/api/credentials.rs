//! Who may call a trigger, and how generated credentials change over time.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{DurationText, LocalRef};

/// Who may call the endpoint. The members add up: a call that satisfies any one of them gets in. Left out as a
/// whole, Basic credentials are generated and API keys are allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.basic) || self.apiKeys == 'Allowed'", "no call could get in: set basic, or apiKeys: Allowed"))]
pub struct TriggerAuth {
    /// A username and a password of this trigger's own, sent as HTTP Basic authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,
    /// Whether an ApiKey with the permission `Trigger` may call this trigger.
    #[serde(default)]
    pub api_keys: ApiKeys,
}

/// The trigger's own username and password: generated, or read from a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.secretRef) ? !(has(self.generate) && self.generate) : (!has(self.generate) || self.generate)", "exactly one of generate: true and secretRef must be set"),
    validation = ("!has(self.rotation) || !has(self.secretRef)", "rotation is for generated credentials; those of a secretRef change with the Secret")
)]
pub struct BasicAuth {
    /// Generate the credentials and keep them in the Secret `<name>-trigger`. This is what an empty `basic` does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate: Option<bool>,
    /// Read `username` and `password` from this Secret instead. It must carry the label
    /// `fanfare.dev/allow: trigger`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
    /// Change generated credentials on a schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// When generated credentials change, and for how long the previous ones still work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// The age at which credentials are replaced; at least `1m`.
    pub every: DurationText,
    /// How long the previous credentials still work after that; shorter than `every`.
    pub overlap: DurationText,
    /// What becomes of previous credentials that are still in use when the overlap ends. However that may be, they end
    /// when the next rotation is due, and those of a rotation that was asked for end with the overlap.
    #[serde(default)]
    pub when_still_in_use: StillInUse,
}

/// What becomes of previous credentials that are still in use at their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum StillInUse {
    /// They work until nobody uses them any more.
    #[default]
    Wait,
    /// They are refused.
    Refuse,
}

/// Whether API keys are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum ApiKeys {
    /// Any ApiKey with the permission `Trigger` that is not narrowed to other triggers.
    #[default]
    Allowed,
    /// None.
    Refused,
}
