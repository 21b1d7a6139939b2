//! The kind Channel: one connection to a provider that carries messages.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::status::{Condition, SecretRevision};
use super::{DurationText, LocalRef, SecretKeySource};

/// One connection to a provider that carries messages. Exactly one of `smtp`, `twilio`, `webhook` and `log`.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "Channel",
    namespaced,
    status = "ChannelStatus",
    derive = "PartialEq",
    shortname = "ffc",
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
    printcolumn(
        name = "Connected",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Connected")].status"#
    ),
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
#[x_kube(validation = ("[has(self.smtp), has(self.twilio), has(self.webhook), has(self.log)].filter(x, x).size() == 1", "exactly one of smtp, twilio, webhook and log must be set"))]
pub struct ChannelSpec {
    /// Mail, by SMTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp: Option<Smtp>,
    /// Text messages, by Twilio or a provider that speaks its API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio: Option<Twilio>,
    /// An HTTP POST for each message, signed as Standard Webhooks describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Lines in the runtime's log: `log: {}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogChannel>,
    /// How fast messages may leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How often and how long a message is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// How many messages may be opened and without a recorded outcome at once, at each replica. After a crash, at most so
    /// many are in doubt. Left out: 256 where unknowns are held; where they are sent again, four times as many as may be
    /// under way at once, at least 256 and at most 4,096.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub window: Option<i32>,
    /// What becomes of a message of which a crash or a timeout made it unknown whether it was taken. Left out: `Resend`
    /// where the provider or the recipient can tell a repetition (smtp, webhook, log), `Hold` elsewhere (twilio).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_unknown: Option<OnUnknown>,
    /// How long to wait for the provider's answer; 30s if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Smtp {
    /// The server's name or address.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9_.:-]+$"))]
    pub host: String,
    /// The server's port. Left out: 587 for `StartTls`, 465 for `Tls`, 25 for `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: SmtpTls,
    /// The sender: `warnings@example.com` or `Example Insurance <warnings@example.com>`.
    #[schemars(length(min = 3, max = 320), regex(pattern = r"^[^\r\n]*@[^\r\n]*$"))]
    pub from: String,
    /// Where answers go, if not to the sender: `help@example.com` or `Example Help <help@example.com>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 320), regex(pattern = r"^[^\r\n]*@[^\r\n]*$"))]
    pub reply_to: Option<String>,
    /// Header fields of every mail beside those that Fanfare writes, such as `List-Id` or `X-Campaign`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Vec<MailHeader>,
    /// A Secret with `username` and `password`, labelled `fanfare.dev/allow: channel`. Left out, the server is used
    /// without authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<LocalRef>,
}

/// A header field of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!self.name.matches('(?i)^(from|sender|to|cc|bcc|reply-to|subject|date|message-id|mime-version|return-path|received|dkim-signature|authentication-results|content-.*|resent-.*|arc-.*)$')", "is written by Fanfare or by mail servers; the sender is spec.smtp.from, and where answers go spec.smtp.replyTo"))]
pub struct MailHeader {
    /// Its name: letters, digits and hyphens.
    #[schemars(length(min = 1, max = 76), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9-]*$"))]
    pub name: String,
    /// Its value: one line of printable ASCII, as it is to stand there.
    #[schemars(length(min = 1, max = 800), regex(pattern = r"^[!-~]([ -~]*[!-~])?$"))]
    pub value: String,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum SmtpTls {
    /// Not at all.
    None,
    /// It begins in the clear and must become TLS before anything is sent.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// An account with Twilio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Twilio {
    /// The account: `AC` and 32 hexadecimal digits.
    #[schemars(length(min = 34, max = 34), regex(pattern = r"^AC[0-9a-fA-F]{32}$"))]
    pub account_sid: String,
    /// The sender: a number such as `+4312345`, a name, or a messaging service (`MG…`).
    #[schemars(length(min = 1, max = 64))]
    pub from: String,
    /// The account's token, in a Secret labelled `fanfare.dev/allow: channel`.
    pub auth_token: SecretKeySource,
    /// Where the API is; `https://api.twilio.com` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048), regex(pattern = r"^https?://[^\s/]+"))]
    pub base_url: Option<String>,
}

/// An HTTP endpoint that takes messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Where messages are posted to. It is the same for every message: what differs by customer belongs into the body.
    #[schemars(length(min = 8, max = 2048), regex(pattern = r"^https?://[^\s/]+"))]
    pub url: String,
    /// The secret that requests are signed with (Standard Webhooks), in a Secret labelled `fanfare.dev/allow: channel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<SecretKeySource>,
    /// Header fields of every request beside those that Fanfare writes. `Content-Type` (usually `application/json`) and
    /// `User-Agent` may be other ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Vec<WebhookHeader>,
    /// What every request says in its header `Authorization`, from a Secret labelled `fanfare.dev/allow: channel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_ref: Option<AuthorizationRef>,
}

/// A header field of a webhook's requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!self.name.matches('(?i)^(authorization|connection|content-length|content-encoding|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|traceparent|tracestate|webhook-id|webhook-timestamp|webhook-signature)$')", "is written by Fanfare, or is about the connection; Authorization comes from spec.webhook.authorizationRef"))]
pub struct WebhookHeader {
    /// Its name, such as `X-Api-Version`.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"))]
    pub name: String,
    /// Its value: one line of printable ASCII. Whoever may read Channels can read it; what is secret belongs into
    /// `authorizationRef`.
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^[!-~]([ -~]*[!-~])?$"))]
    pub value: String,
}

/// A Secret that says who we are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// What is in the Secret, and how it is said.
    #[serde(default)]
    pub scheme: AuthorizationScheme,
}

/// How `Authorization` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum AuthorizationScheme {
    /// `Bearer` and what the Secret has as `token`.
    #[default]
    Bearer,
    /// `Basic` with the Secret's `username` and `password`.
    Basic,
    /// What the Secret has as `authorization`, word for word.
    Custom,
}

/// Lines in the runtime's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct LogChannel {}

/// How fast messages may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// How many messages a second, over all replicas. Left out, as many as the provider takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub per_second: Option<i32>,
    /// How many at a time, at each replica. Left out, as many as the provider bears: 16 at first, more while answers come
    /// as fast as at a lower load, fewer when it throttles, fails or answers more slowly; at most 1,024, and 20 to a mail
    /// server. A rate that a throttling provider takes is learned as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub concurrency: Option<i32>,
}

/// How often and how long a message is tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct Retry {
    /// How many attempts in all, the first one included. Left out, as many as fit into `for`; of a message that may have
    /// been taken 5. What waits because the provider is down, throttles or refuses us uses up none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub attempts: Option<i32>,
    /// For how long after the first attempt, also while the provider is down or refuses us; 1h if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#for: Option<DurationText>,
}

/// What becomes of a message of which it is unknown whether it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum OnUnknown {
    /// It is sent again, with the same identity.
    Resend,
    /// It waits for a person to decide.
    Hold,
}

/// What the operator made of the channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelStatus {
    /// The generation of the spec this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The generation that is in force on every replica; an older one than `metadata.generation` while that cannot be used,
    /// or is not in force everywhere yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation_in_force: Option<i64>,
    /// What is true of this channel; `Ready` sums it up, `Connected` is reported by the runtime.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The Secrets the channel reads, as they were last; runtimes read them again when this changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secret_revisions: Vec<SecretRevision>,
    /// What the replicas have learned of the provider's limits, where `rate.concurrency` is left out. It follows changes of
    /// more than a quarter, at most once a minute; the metrics are exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learned: Option<LearnedOfProvider>,
}

/// How fast a provider turned out to be usable, over all replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LearnedOfProvider {
    /// How many messages may be under way at once.
    pub concurrency: i32,
    /// How many may begin in a second, if the provider throttles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<i32>,
}
