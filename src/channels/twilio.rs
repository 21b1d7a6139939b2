//! Text messages by Twilio's Messages API, or a provider that speaks it
//! (https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource).

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;

use super::http::{Client, HttpAnswer, HttpTarget, TargetError, retry_after};
use super::webhook::{of_failure, said};
use super::wire::Network;
use super::{Attempt, Channel, Outgoing, Reach, Unrecognized, wrong_content};
use crate::domain::content::Content;
use crate::domain::refusal::{About, twilio};
use crate::domain::secret::Secret;

/// Where the API is unless a manifest says otherwise.
pub const BASE_URL: &str = "https://api.twilio.com";

/// One account and sender. Twilio knows no idempotency key: what may have been taken must not be sent again by itself.
pub struct TwilioChannel {
    client: Client,
    authorization: HeaderValue,
    /// `From=…` or `MessagingServiceSid=…`, encoded.
    sender: String,
    unrecognized: Unrecognized,
}

/// What the API answers, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reply {
    sid: Option<String>,
    code: Option<u32>,
    message: Option<String>,
}

impl TwilioChannel {
    /// A channel for one account that keeps at most `connections` open.
    pub fn new(
        network: Network,
        settings: &crate::api::Twilio,
        token: &Secret,
        timeout: Duration,
        connections: usize,
    ) -> Result<Self, TargetError> {
        let sid = &settings.account_sid;
        let base = settings.base_url.as_deref().unwrap_or(BASE_URL).trim_end_matches('/');
        let target = HttpTarget::parse(&format!("{base}/2010-04-01/Accounts/{sid}/Messages.json"))?;
        let credentials = STANDARD.encode(format!("{sid}:{}", token.expose().trim()));
        let mut authorization = HeaderValue::from_str(&format!("Basic {credentials}"))
            .expect("base64 is made of header characters");
        authorization.set_sensitive(true);
        Ok(TwilioChannel {
            client: Client::new(network, target, timeout, connections),
            authorization,
            sender: encoded_sender(&settings.from),
            unrecognized: Unrecognized::default(),
        })
    }

    fn form(&self, to: &str, body: &str) -> Bytes {
        let mut form =
            form_urlencoded::Serializer::new(String::with_capacity(self.sender.len() + 2 * body.len()));
        form.append_pair("To", to).append_pair("Body", body);
        let mut form = form.finish();
        form.push('&');
        form.push_str(&self.sender);
        Bytes::from(form)
    }
}

#[async_trait]
impl Channel for TwilioChannel {
    async fn attempt(&self, message: &Outgoing) -> Attempt {
        let Content::Sms { body } = &message.content else { return wrong_content("a text message") };
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        match self.client.post(headers, self.form(&message.address, body)).await {
            Ok(answer) => judge(&answer, Timestamp::now(), &self.unrecognized),
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

/// What an answer means. The account's own troubles (a wrong token or account, a suspended one, too many requests, a
/// full queue) are not the message's: it is sent again when they are over.
fn judge(answer: &HttpAnswer, now: Timestamp, unrecognized: &Unrecognized) -> Attempt {
    let reply: Reply = serde_json::from_slice(&answer.body).unwrap_or_default();
    let status = answer.status;
    if status.is_success() {
        return Attempt::Sent { provider_id: reply.sid };
    }
    let retry_after = retry_after(&answer.headers, now);
    let reason = match (&reply.code, &reply.message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => format!("{code} ({status})"),
        (None, _) => said(answer),
    };
    match status {
        StatusCode::SERVICE_UNAVAILABLE if retry_after.is_some() => {
            Attempt::Throttled { reason, retry_after }
        }
        StatusCode::REQUEST_TIMEOUT => Attempt::Unknown { reason },
        _ if status.is_redirection() => {
            let reason = format!("{reason}; redirects are not followed: correct spec.twilio.baseUrl");
            Attempt::NotTaken { reason, retry_after: None, provider_down: true }
        }
        _ if !status.is_client_error() => Attempt::Unknown { reason },
        _ if reply.code == Some(twilio::OPTED_OUT) => Attempt::Refused { reason, reach: Reach::OptedOut },
        _ => {
            let finding = twilio::judge(status.as_u16(), reply.code);
            if finding.is_unrecognized() {
                unrecognized.note(&reason);
            }
            let retry_after = retry_after.filter(|_| finding.about == About::Later);
            Attempt::found(reason, finding, retry_after)
        }
    }
}

/// A messaging service is `MG` and 32 hexadecimal digits; anything else is a number or a name.
fn encoded_sender(from: &str) -> String {
    let service = from.len() == 34
        && from.strip_prefix("MG").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let name = if service { "MessagingServiceSid" } else { "From" };
    form_urlencoded::Serializer::new(String::new()).append_pair(name, from).finish()
}

#[cfg(test)]
mod tests;
