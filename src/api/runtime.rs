//! The kind Runtime: the processes that receive calls and dispatch messages for one namespace.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::LocalRef;
use super::runtime_policies::{ConsentDefault, Policies, Retention};
use super::status::Condition;

/// The processes that receive calls and dispatch messages for one namespace. The oldest one of a namespace is in force.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "Runtime",
    namespaced,
    status = "RuntimeStatus",
    derive = "PartialEq",
    shortname = "ffr",
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
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.readyReplicas"),
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
#[x_kube(
    validation = Rule::new("has(self.tenant) == has(oldSelf.tenant) && (!has(self.tenant) || self.tenant == oldSelf.tenant)").message("tenant is immutable").field_path(".tenant"),
    validation = ("!has(self.replicas) || !has(self.autoscaling)", "at most one of replicas and autoscaling may be set"),
    validation = ("!has(self.storage.sqlite) || (!has(self.autoscaling) && (!has(self.replicas) || self.replicas == 1))", "SQLite serves one replica; use postgres for more")
)]
pub struct RuntimeSpec {
    /// Where customers, calls and deliveries are kept.
    pub storage: Storage,
    /// Whose data it is in the storage; the namespace's name if left out. It cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub tenant: Option<String>,
    /// How many processes; 1 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub replicas: Option<i32>,
    /// As many processes as the load needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How calls from outside the cluster come in; left out, only a Service inside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
    /// How long calls and events are kept; left out, for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// The time zone of times in messages and conditions, where a filter names none, and of quiet hours: a name such as
    /// `Europe/Vienna`; UTC if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_+/-]+$"))]
    pub time_zone: Option<String>,
    /// The language and region in which the filters `datetime`, `date`, `time`, `number` and `currency` write, where they
    /// name none: a tag of BCP 47 such as `de-AT`; `en` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 35), regex(pattern = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"))]
    pub locale: Option<String>,
    /// Where telephone numbers without a country code belong: a region of ISO 3166 such as `AT`. Left out, only numbers
    /// with their country code can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 2), regex(pattern = r"^[A-Z]{2}$"))]
    pub region: Option<String>,
    /// How the addresses of text messages are given to providers; `AsWritten` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms_addresses: Option<SmsAddresses>,
    /// What protects customers from too much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Policies>,
    /// What holds for a customer who neither gave nor withdrew a consent; without an entry, it counts as withdrawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["category".into()]))]
    pub consents: Vec<ConsentDefault>,
}

/// How the addresses of text messages are given to providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum SmsAddresses {
    /// As they stand in the customer's attribute or in the message's `to`.
    AsWritten,
    /// As E.164: `0664 1234567` becomes `+436641234567` in the region `AT`. What cannot be read as a telephone number
    /// skips that customer, with the reason.
    E164,
}

/// Where data is kept. Exactly one of `sqlite` and `postgres`; which one cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = ("has(self.sqlite) != has(self.postgres)", "exactly one of sqlite and postgres must be set"),
    validation = ("has(self.sqlite) == has(oldSelf.sqlite)", "the storage engine is immutable")
)]
pub struct Storage {
    /// Files on a volume of its own: one replica, nothing else to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlite: Option<Sqlite>,
    /// A PostgreSQL database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Postgres>,
}

/// Files on a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)").message("storageClassName is immutable").field_path(".storageClassName"))]
pub struct Sqlite {
    /// The size of the volume: `1Gi`.
    #[schemars(
        length(min = 1, max = 20),
        regex(pattern = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$")
    )]
    pub size: String,
    /// The class of the volume; the cluster's default if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub storage_class_name: Option<String>,
    /// What becomes of the volume, with all customers and calls on it, when the Runtime is deleted.
    #[serde(default)]
    pub when_deleted: VolumeDeletion,
}

/// What becomes of a volume when its Runtime is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum VolumeDeletion {
    /// It stays; a Runtime of the same name takes it up again.
    #[default]
    Retain,
    /// It is deleted too.
    Delete,
}

/// A PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Postgres {
    /// A Secret with the connection's `uri`, labelled `fanfare.dev/allow: storage`. If the server's certificate is from an
    /// authority of your own, the Secret has that too, as `ca.crt`.
    pub secret_ref: LocalRef,
}

/// How many processes there may be, and when there are more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.minReplicas <= self.maxReplicas", "minReplicas must not exceed maxReplicas"))]
pub struct Autoscaling {
    /// At least so many.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 100))]
    pub min_replicas: i32,
    /// At most so many.
    #[schemars(range(min = 1, max = 100))]
    pub max_replicas: i32,
    /// The share of the requested CPU, in percent, above which there are more.
    #[serde(default = "seventy")]
    #[schemars(range(min = 1, max = 100))]
    pub cpu_percent: i32,
}

/// How calls from outside come in. Exactly one of `route` and `ingress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = ("has(self.route) != has(self.ingress)", "exactly one of route and ingress must be set"))]
pub struct Exposure {
    /// Through a Gateway, by an HTTPRoute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteExposure>,
    /// By an Ingress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressExposure>,
}

/// An HTTPRoute at Gateways that others run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteExposure {
    /// The Gateways, as in an HTTPRoute.
    #[schemars(length(min = 1, max = 8))]
    pub parent_refs: Vec<ParentRef>,
    /// The host names calls are sent to; the listeners' own if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 253), regex(pattern = r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))
    )]
    pub hostnames: Vec<String>,
}

/// A Gateway, which may live in another namespace and decides itself whom it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParentRef {
    /// The Gateway's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The Gateway's namespace; the Runtime's own if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// The Gateway's listener; all that fit if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub section_name: Option<String>,
    /// The Gateway's port; all if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
}

/// An Ingress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressExposure {
    /// The host name calls are sent to.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub host: String,
    /// The class of the Ingress; the cluster's default if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub class_name: Option<String>,
    /// The host's certificate; left out, calls come by plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<IngressTls>,
}

/// The certificate of an Ingress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressTls {
    /// A Secret of type `kubernetes.io/tls`, read by the Ingress controller, never by Fanfare.
    pub secret_ref: LocalRef,
}

/// What the operator made of the runtime.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeStatus {
    /// The generation of the spec this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The generation that is in force on every replica; an older one than `metadata.generation` while that cannot be used,
    /// or is not in force everywhere yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation_in_force: Option<i64>,
    /// What is true of this runtime; `Ready` sums it up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Where its triggers are, without `/in/<namespace>/<trigger>`; empty until it is reachable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How many of its processes are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// The installation of the operator that manages this namespace, as `<namespace>/<name of its Lease>`. The first that
    /// comes, until it is gone or the annotation `fanfare.dev/operator` names another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

fn two() -> i32 {
    2
}

fn seventy() -> i32 {
    70
}
