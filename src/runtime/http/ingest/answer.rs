//! What a caller is answered: 202 with the call's id, or a problem by RFC 9457 that says what to do.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use crate::domain::admission::{Answer, Refusal, WrongElement};
use crate::domain::body::TAKEN_CODINGS;
use crate::problem_details::ProblemBody;
use crate::runtime::http::held_back::HeldBack;

/// What the endpoint sends.
pub type IngestResponse = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
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

/// Any refusal.
pub(super) fn refused(refusal: &Refusal) -> IngestResponse {
    let status = StatusCode::from_u16(refusal.status()).expect("every refusal has a status of three digits");
    let errors = match refusal {
        Refusal::WrongParameters(wrong) => Some(wrong.iter().map(told).collect()),
        _ => None,
    };
    let title = refusal.title().to_owned();
    let problem = ProblemBody { title, errors, ..ProblemBody::new(status, refusal.to_string()) };
    let mut response = problem.answer(refusal.retry_after_seconds()).map(Full::from);
    let headers = response.headers_mut();
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
    if let Refusal::Guessing(slowed) = refusal {
        response.extensions_mut().insert(HeldBack(slowed.answer_after));
    }
    response
}

fn told(wrong: &WrongElement) -> Value {
    serde_json::to_value(wrong).expect("a wrong parameter holds only texts and numbers")
}
