//! What a request's head says: who calls, and by which idempotency key.

use http::header::{AUTHORIZATION, ORIGIN};
use http::{HeaderMap, request::Parts};
use jiff::Timestamp;

use crate::domain::admission::Refusal;
use crate::domain::credentials::{Caller, Presented, PresentedError, Rejected};
use crate::domain::name::TriggerName;
use crate::runtime::http::app::App;

/// How long an idempotency key may be; a UUID has 36 characters.
const IDEMPOTENCY_KEY_MAX: usize = 255;

/// Who calls, proven and allowed to call this trigger. A caller that guesses is slowed; right credentials never are.
pub(super) async fn authenticate(
    app: &App,
    trigger: &TriggerName,
    parts: &Parts,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    let presented = presented(parts);
    if let Ok(presented) = &presented {
        let (slow, digest) = app.keyring.load().to_prove(trigger, presented);
        app.slow_checks.prove(slow, digest).await.map_err(|_| Refusal::Unavailable)?;
    }
    let refusal = match &presented {
        Ok(presented) => match app.keyring.load().authorize_trigger(trigger, presented) {
            Ok(caller) if caller.stands_in_page(origin(&parts.headers)) => return Ok(caller),
            Ok(_) => return Err(Refusal::Forbidden),
            Err(Rejected::NotAllowed) => return Err(Refusal::Forbidden),
            Err(Rejected::Unknown) => Refusal::Unauthenticated("the credentials are wrong"),
        },
        Err(refusal) => refusal.clone(),
    };
    let peer = parts.extensions.get().copied();
    let slowed = app.guesses.failed(presented.as_ref().ok(), peer, now);
    Err(slowed.map_or(refusal, Refusal::Guessing))
}

fn presented(parts: &Parts) -> Result<Presented, Refusal> {
    if let Some(value) = parts.headers.get(AUTHORIZATION) {
        return Presented::from_authorization(value.as_bytes()).map_err(|error| {
            Refusal::Unauthenticated(match error {
                PresentedError::Nothing => "send the trigger's username and password by HTTP Basic, or a key",
                PresentedError::Scheme => {
                    "the Authorization header must be of the scheme Basic, Bearer or Token"
                }
                PresentedError::Malformed => "the Authorization header does not follow its scheme",
            })
        });
    }
    let token = parts.uri.query().and_then(Presented::from_query);
    token.ok_or(Refusal::Unauthenticated("send the trigger's username and password by HTTP Basic, or a key"))
}

/// The origin of the page that asks, if one does.
pub(in crate::runtime) fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default())
}

/// Reads the header `Idempotency-Key`.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let printable = |text: &&str| !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let text = value.to_str().ok().filter(printable);
    match text {
        Some(text) if text.len() <= IDEMPOTENCY_KEY_MAX && values.next().is_none() => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(Refusal::Malformed(format!(
            "Idempotency-Key must be sent once, with 1 to {IDEMPOTENCY_KEY_MAX} printable ASCII characters"
        ))),
    }
}
