//! Messages as HTTP requests, signed as Standard Webhooks describes
//! (standard-webhooks/standard-webhooks: spec/standard-webhooks.md).

mod signature;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;

use super::http::{Client, HttpAnswer, HttpFailure, HttpTarget, retry_after};
use super::wire::Network;
use super::{Attempt, Channel, Outgoing, Reach, Unrecognized, wrong_content};
use crate::domain::content::Content;
use crate::domain::refusal::alike;
use crate::domain::refusal::webhook::{self, Meaning};
pub use signature::{SigningKey, SigningKeyError};

static ID: HeaderName = HeaderName::from_static("webhook-id");
static TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
static SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// Posts each message to one URL. The receiver knows a repetition by its `webhook-id`, which is the delivery's key.
pub struct WebhookChannel {
    client: Client,
    signing: Option<SigningKey>,
    /// Those of the manifest, and who we are.
    own_headers: HeaderMap,
    unrecognized: Unrecognized,
}

impl WebhookChannel {
    /// A channel to one URL that keeps at most `connections` open.
    pub fn new(
        network: Network,
        target: HttpTarget,
        signing: Option<SigningKey>,
        timeout: Duration,
        connections: usize,
    ) -> Self {
        let client = Client::new(network, target, timeout, connections);
        WebhookChannel {
            client,
            signing,
            own_headers: HeaderMap::new(),
            unrecognized: Unrecognized::default(),
        }
    }

    /// With these headers in every request beside its own. A value of theirs for `content-type` or `user-agent` holds.
    pub fn with_headers(self, own_headers: HeaderMap) -> Self {
        WebhookChannel { own_headers, ..self }
    }

    fn headers(&self, key: &str, body: &str, now: Timestamp) -> Option<HeaderMap> {
        let seconds = now.as_second();
        let mut headers = HeaderMap::with_capacity(8 + self.own_headers.len());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(self.own_headers.iter().map(|(name, value)| (name.clone(), value.clone())));
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
impl Channel for WebhookChannel {
    async fn attempt(&self, message: &Outgoing) -> Attempt {
        let Content::Webhook { body } = &message.content else { return wrong_content("a webhook body") };
        let now = Timestamp::now();
        let Some(mut headers) = self.headers(&message.key, body, now) else {
            return Attempt::refused("the delivery's key cannot stand in a header");
        };
        if let Some(trace) = message.trace {
            let value = HeaderValue::from_str(&trace.to_string());
            headers.insert(
                TRACE_PARENT.clone(),
                value.expect("hexadecimal digits and hyphens are a header's value"),
            );
        }
        match self.client.post(headers, Bytes::copy_from_slice(body.as_bytes())).await {
            Ok(answer) => judge(&answer, now, &self.unrecognized),
            Err(failure) => of_failure(failure),
        }
    }

    async fn close(&self) {
        self.client.close();
    }

    fn end_idle(&self) {
        self.client.end_idle();
    }

    fn unrecognized(&self) -> Option<&Unrecognized> {
        Some(&self.unrecognized)
    }
}

/// What an answer means: only 2xx is success, and only what proves that nothing was taken is no doubt.
fn judge(answer: &HttpAnswer, now: Timestamp, unrecognized: &Unrecognized) -> Attempt {
    let status = answer.status;
    if status.is_success() {
        return Attempt::Sent { provider_id: None };
    }
    let retry_after = retry_after(&answer.headers, now);
    let reason = said(answer);
    if status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some() {
        return Attempt::Throttled { reason, retry_after };
    }
    match webhook::judge(status.as_u16(), &String::from_utf8_lossy(&answer.body)) {
        Meaning::MayBeTaken => Attempt::Unknown { reason },
        Meaning::Gone => Attempt::Refused { reason, reach: Reach::Gone },
        Meaning::Redirected => {
            let reason = redirected(answer);
            Attempt::Refused { reach: Reach::PerhapsAll { alike: alike(&reason) }, reason }
        }
        Meaning::Refused(finding) => {
            if finding.is_unrecognized() {
                unrecognized.note(&reason);
            }
            let retry_after = retry_after.filter(|_| status == StatusCode::TOO_MANY_REQUESTS);
            Attempt::found(reason, finding, retry_after)
        }
    }
}

/// A redirect, with where it leads to: the address that belongs into the Channel.
fn redirected(answer: &HttpAnswer) -> String {
    const LOCATION_CHARACTERS_MAX: usize = 200;
    let location = answer.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let to = location.map_or_else(String::new, |location| {
        format!(" to {}", location.chars().take(LOCATION_CHARACTERS_MAX).collect::<String>())
    });
    format!("{}{to}; redirects are not followed: write the URL that takes messages", answer.status)
}

/// What a request without an answer means, for any provider over HTTP.
pub(super) fn of_failure(failure: HttpFailure) -> Attempt {
    let reason = failure.to_string();
    match failure {
        HttpFailure::NotConnected(_) => Attempt::NotTaken { reason, retry_after: None, provider_down: true },
        HttpFailure::NothingWritten(_) => {
            Attempt::NotTaken { reason, retry_after: None, provider_down: true }
        }
        HttpFailure::OnItsWay(_) => Attempt::Unknown { reason },
    }
}

/// The status and the beginning of the body, in one printable line.
pub(super) fn said(answer: &HttpAnswer) -> String {
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
