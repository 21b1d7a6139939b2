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

use super::http::{Answer, Client, Target, TargetError, retry_after};
use super::webhook::{of_failure, said};
use super::wire::Network;
use super::{Attempt, Channel, Content, Outgoing, wrong_content};
use crate::domain::secret::Secret;

/// Where the API is unless a manifest says otherwise.
pub const BASE_URL: &str = "https://api.twilio.com";

/// Too many requests at once.
const TOO_MANY_REQUESTS: u32 = 20429;
/// Codes of the account and of the request as a whole (https://www.twilio.com/docs/api/errors: 20003 for a suspended
/// account, 20404 for an unknown one); those of single messages begin behind them.
const ACCOUNT_CODES: std::ops::Range<u32> = 20_000..21_000;
/// The sender's queue is full: https://www.twilio.com/docs/api/errors/21611 and 30001.
const QUEUE_FULL: [u32; 2] = [21611, 30001];

/// One account and sender. Twilio knows no idempotency key: what may have been taken must not be sent again by itself.
pub struct Twilio {
    client: Client,
    authorization: HeaderValue,
    /// `From=…` or `MessagingServiceSid=…`, encoded.
    sender: String,
}

/// What the API answers, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reply {
    sid: Option<String>,
    code: Option<u32>,
    message: Option<String>,
}

impl Twilio {
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
        let target = Target::parse(&format!("{base}/2010-04-01/Accounts/{sid}/Messages.json"))?;
        let credentials = STANDARD.encode(format!("{sid}:{}", token.expose().trim()));
        let mut authorization = HeaderValue::from_str(&format!("Basic {credentials}"))
            .expect("base64 is made of header characters");
        authorization.set_sensitive(true);
        Ok(Twilio {
            client: Client::new(network, target, timeout, connections),
            authorization,
            sender: encoded_sender(&settings.from),
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
impl Channel for Twilio {
    async fn attempt(&self, message: &Outgoing) -> Attempt {
        let Content::Sms { body } = &message.content else { return wrong_content("a text message") };
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        match self.client.post(headers, self.form(&message.address, body)).await {
            Ok(answer) => judge(&answer, Timestamp::now()),
            Err(failure) => of_failure(failure),
        }
    }

    async fn close(&self) {
        self.client.close();
    }
}

/// What an answer means. The account's own troubles (a wrong token or account, a suspended one, too many requests, a
/// full queue) are not the message's: it is sent again when they are over.
fn judge(answer: &Answer, now: Timestamp) -> Attempt {
    let reply: Reply = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status.is_success() {
        return Attempt::Sent { provider_id: reply.sid };
    }
    let retry_after = retry_after(&answer.headers, now);
    let reason = match (&reply.code, &reply.message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => format!("{code} ({})", answer.status),
        (None, _) => said(answer),
    };
    let not_taken = || Attempt::NotTaken { reason: reason.clone(), retry_after, provider_down: true };
    match (answer.status, reply.code) {
        (StatusCode::TOO_MANY_REQUESTS, _) | (_, Some(TOO_MANY_REQUESTS)) => not_taken(),
        (status, Some(code)) if status.is_client_error() && QUEUE_FULL.contains(&code) => not_taken(),
        (StatusCode::UNAUTHORIZED, _) => not_taken(),
        (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, code)
            if code.is_none_or(|code| ACCOUNT_CODES.contains(&code)) =>
        {
            not_taken()
        }
        (StatusCode::SERVICE_UNAVAILABLE, _) if retry_after.is_some() => not_taken(),
        (StatusCode::REQUEST_TIMEOUT, _) => Attempt::Unknown { reason },
        (status, _) if status.is_client_error() => Attempt::Refused { reason },
        _ => Attempt::Unknown { reason },
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
