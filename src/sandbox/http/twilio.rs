//! The Twilio-shaped API: `POST /2010-04-01/Accounts/{sid}/Messages.json`, Basic SID:token, form To/From/Body.
//!
//! Statuses, error codes and fields as <https://www.twilio.com/docs/messaging/api/message-resource> and
//! <https://www.twilio.com/docs/api/errors> have them. Like Twilio it knows no idempotency key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, header};
use serde_json::json;

use super::answer::{self, Body, Hangup};
use super::webhook;
use crate::sandbox::message::{Protocol, ReceivedContent};
use crate::sandbox::settings::SandboxCredentials;
use crate::sandbox::state::{Said, SandboxState};

/// A message's body, in characters (error 21617).
const BODY_CHARS_MAX: usize = 1_600;

/// The form's fields that matter here.
#[derive(Debug, Default)]
struct Form {
    to: String,
    from: String,
    body: String,
}

/// A refusal as Twilio words it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refusal {
    status: StatusCode,
    code: u32,
    message: &'static str,
}

pub(super) async fn receive(
    state: &SandboxState,
    credentials: Option<&SandboxCredentials>,
    head: &Parts,
    body: &[u8],
) -> Result<Response<Body>, Hangup> {
    let (account, form) = match admit(credentials, head, body) {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(refusal.answer()),
    };
    let to = [form.to.clone()];
    let describe = || ReceivedContent {
        endpoint: account.to_owned(),
        from: form.from.clone(),
        to: to.to_vec(),
        message_id: webhook::message_id(&head.headers),
        text: Some(form.body.clone()),
        headers: webhook::headers(&head.headers),
        ..ReceivedContent::default()
    };
    let reply = state.receive(Protocol::Twilio, &to, describe).await;
    answer::tell(reply, || queued(account, &form), |status, said| Refusal::of(status).worded(said)).await
}

fn admit<'a>(
    credentials: Option<&SandboxCredentials>,
    head: &'a Parts,
    body: &[u8],
) -> Result<(&'a str, Form), Refusal> {
    let path = head.uri.path();
    let account =
        path.strip_prefix("/2010-04-01/Accounts/").and_then(|rest| rest.strip_suffix("/Messages.json"));
    let account = account.filter(|_| head.method == Method::POST).ok_or(NOT_FOUND)?;
    let claim = claim(&head.headers).ok_or(UNAUTHORIZED)?;
    let known = |expected: &SandboxCredentials| *expected == claim && expected.username == account;
    if !credentials.is_none_or(known) {
        return Err(UNAUTHORIZED);
    }
    let form = Form::parse(body);
    form.check()?;
    Ok((account, form))
}

fn claim(headers: &HeaderMap) -> Option<SandboxCredentials> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let encoded = value.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    decoded.parse().ok()
}

impl Form {
    fn parse(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            match name.as_ref() {
                "To" => form.to = value.into_owned(),
                "From" | "MessagingServiceSid" => form.from = value.into_owned(),
                "Body" => form.body = value.into_owned(),
                _ => {}
            }
        }
        form
    }

    fn check(&self) -> Result<(), Refusal> {
        let bad = |code, message| Err(Refusal { status: StatusCode::BAD_REQUEST, code, message });
        if self.to.is_empty() {
            return bad(21604, "A 'To' phone number is required.");
        }
        if !is_e164(&self.to) {
            return bad(21211, "The 'To' number is not a valid phone number.");
        }
        if self.from.is_empty() {
            return bad(21603, "A 'From' phone number is required.");
        }
        if self.body.is_empty() {
            return bad(21602, "Message body is required.");
        }
        if self.body.chars().nth(BODY_CHARS_MAX).is_some() {
            return bad(21617, "The concatenated message body exceeds the 1600 character limit.");
        }
        Ok(())
    }
}

/// `+` and 2 to 15 digits, the first not 0.
fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (2..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

fn queued(account: &str, form: &Form) -> Response<Body> {
    let sid = format!("SM{}", uuid::Uuid::now_v7().simple());
    let uri = format!("/2010-04-01/Accounts/{account}/Messages/{sid}.json");
    let message = json!({
        "sid": sid, "account_sid": account, "to": form.to, "from": form.from, "body": form.body,
        "status": "queued", "direction": "outbound-api", "num_segments": "1", "error_code": null,
        "error_message": null, "api_version": "2010-04-01", "uri": uri,
    });
    answer::json(StatusCode::CREATED, &message)
}

const NOT_FOUND: Refusal =
    Refusal { status: StatusCode::NOT_FOUND, code: 20404, message: "The requested resource was not found" };
const UNAUTHORIZED: Refusal =
    Refusal { status: StatusCode::UNAUTHORIZED, code: 20003, message: "Authenticate" };

impl Refusal {
    /// What Twilio says with a status that a fault asks for.
    fn of(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::TOO_MANY_REQUESTS => (20429, "Too Many Requests"),
            StatusCode::SERVICE_UNAVAILABLE => (20503, "Service Unavailable"),
            status if status.is_server_error() => (20500, "Internal Server Error"),
            _ => (21610, "Attempt to send to unsubscribed recipient"),
        };
        Self { status, code, message }
    }

    fn answer(self) -> Response<Body> {
        self.worded(Said::default())
    }

    /// With another code and other words, where a fault says so.
    fn worded(self, said: Said) -> Response<Body> {
        let code = said.code.unwrap_or(self.code);
        let message = said.text.unwrap_or_else(|| self.message.to_owned());
        let more_info = format!("https://www.twilio.com/docs/errors/{code}");
        let status = self.status.as_u16();
        let error = json!({"code": code, "message": message, "more_info": more_info, "status": status});
        answer::json(self.status, &error)
    }
}
