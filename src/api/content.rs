//! What a message says, by the kind of channel it leaves through.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::ConfigMapKeySource;

/// A text message. Exactly one of `body` and `bodyFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.body) != has(self.bodyFrom)", "exactly one of body and bodyFrom must be set"))]
pub struct SmsContent {
    /// The text, as a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub body: Option<String>,
    /// The text's template from a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_from: Option<ConfigMapKeySource>,
}

/// A mail: its subject, and a text, an HTML page or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!(has(self.text) && has(self.textFrom))", "at most one of text and textFrom may be set"),
    validation = ("!(has(self.html) && has(self.htmlFrom))", "at most one of html and htmlFrom may be set"),
    validation = ("has(self.text) || has(self.textFrom) || has(self.html) || has(self.htmlFrom)", "a mail needs text, textFrom, html or htmlFrom")
)]
pub struct EmailContent {
    /// The subject, as a template.
    #[schemars(length(min = 1, max = 4096))]
    pub subject: String,
    /// The plain text, as a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub text: Option<String>,
    /// The plain text's template from a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_from: Option<ConfigMapKeySource>,
    /// The HTML page, as a template; what it inserts is escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 131_072))]
    pub html: Option<String>,
    /// The HTML page's template from a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html_from: Option<ConfigMapKeySource>,
}

/// A request to a webhook. Exactly one of `body` and `bodyFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.body) != has(self.bodyFrom)", "exactly one of body and bodyFrom must be set"))]
pub struct WebhookContent {
    /// The request's body, as a template that gives JSON: `{"who": "{{ customer.name }}", "age": {{ customer.age }}}`.
    /// Inside of quotes a value is escaped, outside of them it is written as JSON. What is not JSON is not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub body: Option<String>,
    /// The body's template from a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_from: Option<ConfigMapKeySource>,
}

/// A line in the runtime's log, to try a scenario without a provider. Exactly one of `text` and `textFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.text) != has(self.textFrom)", "exactly one of text and textFrom must be set"))]
pub struct LogContent {
    /// The line, as a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub text: Option<String>,
    /// The line's template from a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_from: Option<ConfigMapKeySource>,
}
