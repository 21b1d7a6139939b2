//! Messages as HTTP requests, signed as Standard Webhooks describes
//! (standard-webhooks/standard-webhooks: spec/standard-webhooks.md).

mod signature;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;

use super::http::{Answer, Client, Failure, Target, retry_after};
use super::wire::Network;
use super::{Attempt, Channel, Content, Outgoing, wrong_content};
pub use signature::{SigningKey, SigningKeyError};

static ID: HeaderName = HeaderName::from_static("webhook-id");
static TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
static SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// Posts each message to one URL. The receiver knows a repetition by its `webhook-id`, which is the delivery's key.
pub struct Webhook {
    client: Client,
    signing: Option<SigningKey>,
}

impl Webhook {
    /// A channel to one URL that keeps at most `connections` open.
    pub fn new(
        network: Network,
        target: Target,
        signing: Option<SigningKey>,
        timeout: Duration,
        connections: usize,
    ) -> Self {
        Webhook { client: Client::new(network, target, timeout, connections), signing }
    }

    fn headers(&self, key: &str, body: &str, now: Timestamp) -> Option<HeaderMap> {
        let seconds = now.as_second();
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ID.clone(), HeaderValue::from_str(key).ok()?);
        headers.insert(TIMESTAMP.clone(), HeaderValue::from(seconds));
        if let Some(signing) = &self.signing {
            let signature = signing.sign(key, seconds, body);
            headers.insert(SIGNATURE.clone(), HeaderValue::from_str(&signature).ok()?);
        }
        Some(headers)
    }
}

#[async_trait]
impl Channel for Webhook {
    async fn attempt(&self, message: &Outgoing) -> Attempt {
        let Content::Webhook { body } = &message.content else { return wrong_content("a webhook body") };
        let now = Timestamp::now();
        let Some(mut headers) = self.headers(&message.key, body, now) else {
            return Attempt::Refused { reason: "the delivery's key cannot stand in a header".into() };
        };
        if let Some(trace) = message.trace {
            let value = HeaderValue::from_str(&trace.to_string());
            headers.insert(
                TRACE_PARENT.clone(),
                value.expect("hexadecimal digits and hyphens are a header's value"),
            );
        }
        match self.client.post(headers, Bytes::copy_from_slice(body.as_bytes())).await {
            Ok(answer) => judge(&answer, now),
            Err(failure) => of_failure(failure),
        }
    }

    async fn close(&self) {
        self.client.close();
    }
}

/// What an answer means: only 2xx is success, and only what proves that nothing was taken is `NotTaken`.
fn judge(answer: &Answer, now: Timestamp) -> Attempt {
    let status = answer.status;
    if status.is_success() {
        return Attempt::Sent { provider_id: None };
    }
    let retry_after = retry_after(&answer.headers, now);
    let reason = said(answer);
    match status {
        StatusCode::TOO_MANY_REQUESTS => Attempt::NotTaken { reason, retry_after, provider_down: true },
        StatusCode::SERVICE_UNAVAILABLE if retry_after.is_some() => {
            Attempt::NotTaken { reason, retry_after, provider_down: true }
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Attempt::Unknown { reason },
        _ if status.is_client_error() => Attempt::Refused { reason },
        _ if status.is_redirection() => {
            Attempt::Unknown { reason: format!("{reason}; redirects are not followed") }
        }
        _ => Attempt::Unknown { reason },
    }
}

/// What a request without an answer means, for any provider over HTTP.
pub(super) fn of_failure(failure: Failure) -> Attempt {
    let reason = failure.to_string();
    match failure {
        Failure::NotConnected(_) => Attempt::NotTaken { reason, retry_after: None, provider_down: true },
        Failure::NothingWritten(_) => Attempt::NotTaken { reason, retry_after: None, provider_down: false },
        Failure::OnItsWay(_) => Attempt::Unknown { reason },
    }
}

/// The status and the beginning of the body, in one printable line.
pub(super) fn said(answer: &Answer) -> String {
    const EXCERPT_CHARACTERS_MAX: usize = 200;
    let body = String::from_utf8_lossy(&answer.body);
    let excerpt: String =
        body.chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT_CHARACTERS_MAX).collect();
    match excerpt.trim() {
        "" => answer.status.to_string(),
        excerpt => format!("{}: {excerpt}", answer.status),
    }
}

#[cfg(test)]
mod tests;
