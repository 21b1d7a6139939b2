//! The kind ApiKey: a key shared by several triggers or used for the rest of the API.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::status::{Condition, Time};
use super::{LocalRef, Rotation};

/// A key to the API and what may be done with it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "ApiKey",
    namespaced,
    status = "ApiKeyStatus",
    derive = "PartialEq",
    shortname = "ffk",
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
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
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
#[x_kube(
    validation = ("self.type != 'Public' || self.permissions.all(p, p in ['Track', 'Trigger'])", "a Public key may only have the permissions Track and Trigger"),
    validation = ("self.type != 'Public' || !('Trigger' in self.permissions) || (has(self.triggers) && size(self.triggers) > 0)", "a Public key with the permission Trigger must list the triggers it may call"),
    validation = ("!has(self.triggers) || size(self.triggers) == 0 || 'Trigger' in self.permissions", "triggers narrows the permission Trigger, which this key does not have"),
    validation = ("!has(self.track) || (self.type == 'Public' && 'Track' in self.permissions)", "track is for a Public key with the permission Track; a Private one may write everything"),
    validation = ("!has(self.origins) || size(self.origins) == 0 || self.type == 'Public'", "origins is for a Public key; a Private one must not stand in a page")
)]
pub struct ApiKeySpec {
    /// Whether the key must be kept secret or may stand in a web page.
    #[serde(default)]
    pub r#type: KeyType,
    /// What may be done with it.
    #[schemars(length(min = 1, max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub permissions: Vec<Permission>,
    /// The only triggers that `Trigger` is for; left out, all of the namespace. A Public key must list them, and each
    /// must set a rate window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub triggers: Vec<LocalRef>,
    /// The pages that a Public key stands in, by their origins: `https://shop.example`. Their browsers may call its triggers
    /// and write what `track` lists; pages of other origins may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub origins: Vec<Origin>,
    /// What a Public key may write with the permission `Track`, and of whom; left out, nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track: Option<TrackRules>,
    /// Change the key on a schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// The origin of a page: scheme, host and port if it is not the usual one; `https://shop.example`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Origin(
    #[schemars(length(min = 8, max = 261), regex(pattern = r"^https?://[A-Za-z0-9.\-\[\]:]+$"))]
    pub String,
);

/// The name of an attribute, of a type of event, of a kind of id or of a category of consent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct TrackName(#[schemars(length(min = 1, max = 256))] pub String);

/// What a Public key may write. Everybody can read such a key, so each line says whom it is about and proves it: its field
/// `proof` is `<until>.<signature>`, where `until` are Unix seconds at most 31 days ahead, and the signature is the
/// HMAC-SHA256 of `<until>.<ids.registered>` under the secret of a Private ApiKey, in hexadecimal, as a server of yours makes
/// it for whoever is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackRules {
    /// The Private ApiKey whose secret (`password` in its Secret) makes the proofs.
    pub proven_by: LocalRef,
    /// The types of events it may add.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub events: Vec<TrackName>,
    /// The attributes it may set and remove. List `email` or `phone` only if whoever is logged in may change where their
    /// messages go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub attributes: Vec<TrackName>,
    /// The kinds of ids it may give to a customer, beside `registered`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub ids: Vec<TrackName>,
    /// The categories of consents it may give and take away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub consents: Vec<TrackName>,
}

/// Whether a key is secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum KeyType {
    /// An id and a secret, sent by HTTP Basic authentication or as a bearer token.
    #[default]
    Private,
    /// A token that may stand in a web page: for `Track`, or for `Trigger` on listed triggers.
    Public,
}

/// Something that may be done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Permission {
    /// Call triggers.
    Trigger,
    /// Write customers and events.
    Track,
    /// Read calls and deliveries.
    ReadLog,
    /// Read customers.
    ReadCustomers,
    /// Pause, resume, cancel, resend.
    Control,
}

/// What the operator made of the key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyStatus {
    /// The generation of the spec this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The generation that is in force on every replica; an older one than `metadata.generation` while that cannot be used,
    /// or is not in force everywhere yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation_in_force: Option<i64>,
    /// What is true of this key; `Ready` sums it up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The Secret that holds the key.
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
}
