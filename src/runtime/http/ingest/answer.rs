//! What a caller is answered: 202 with the call's id, or a problem by RFC 9457 that says what to do.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::domain::admission::{Answer, Refusal, WrongElement};
use crate::domain::body::TAKEN_CODINGS;
use crate::runtime::http::server::HeldBack;

/// What the endpoint sends.
pub type IngestResponse = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"fanfare\", charset=\"UTF-8\"");
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"fanfare\"");

/// 202: the calls are on disk.
pub(super) fn accepted(answer: &Answer) -> IngestResponse {
    let id = answer.id.as_str();
    let (location, body) = match &answer.calls {
        // The id is a UUID, so nothing in it needs escaping.
        None => (["/api/v1/calls/", id].concat(), ["{\"id\":\"", id, "\"}"].concat()),
        Some(_) => (
            ["/api/v1/calls?request=", id].concat(),
            serde_json::to_string(answer).expect("an answer holds only texts"),
        ),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [WrongElement],
}

/// Any refusal.
pub(super) fn refused(refusal: &Refusal) -> IngestResponse {
    let errors: &[WrongElement] = match refusal {
        Refusal::WrongParameters(wrong) => wrong,
        _ => &[],
    };
    let problem = Problem {
        kind: "about:blank",
        title: refusal.title(),
        status: refusal.status(),
        detail: refusal.to_string(),
        errors,
    };
    let body = serde_json::to_vec(&problem).expect("a problem holds only texts and numbers");
    let mut response = Response::new(Full::from(body));
    *response.status_mut() =
        StatusCode::from_u16(refusal.status()).expect("every refusal has a status of three digits");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PROBLEM);
    match refusal {
        Refusal::Method => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        Refusal::Coding(_) => {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(TAKEN_CODINGS));
        }
        Refusal::Unauthenticated(_) => {
            headers.append(WWW_AUTHENTICATE, BASIC);
            headers.append(WWW_AUTHENTICATE, BEARER);
        }
        _ => {}
    }
    if let Some(seconds) = refusal.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Refusal::Guessing(slowed) = refusal {
        response.extensions_mut().insert(HeldBack(slowed.answer_after));
    }
    response
}
