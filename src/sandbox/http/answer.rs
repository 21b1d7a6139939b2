//! Answers of the HTTP side, and the ways of giving none.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::sandbox::state::{Reply, Said};

/// All bodies here are whole.
pub(super) type Body = Full<Bytes>;

/// Ends a connection without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Hangup {
    #[error("closed without an answer, as a fault says")]
    Close,
    #[error("reset, as a fault says")]
    Reset,
}

impl Hangup {
    /// Whether this is why a connection ended, and it is to be reset.
    pub(super) fn is_reset(error: &hyper::Error) -> bool {
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<Self>()) == Some(&Self::Reset)
    }
}

/// Turns the desk's reply into an answer, or into none.
pub(super) async fn tell(
    reply: Reply,
    taken: impl FnOnce() -> Response<Body>,
    refused: fn(StatusCode, Said) -> Response<Body>,
) -> Result<Response<Body>, Hangup> {
    match reply {
        Reply::Ok => Ok(taken()),
        Reply::Throttle { code, retry_after, said } => {
            let mut answer = refused(status(code), said);
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
            Ok(answer)
        }
        Reply::Fail { code, said } => Ok(refused(status(code), said)),
        Reply::Broken => Ok(refused(StatusCode::SERVICE_UNAVAILABLE, Said::default())),
        Reply::Hang => std::future::pending().await,
        Reply::Close => Err(Hangup::Close),
        Reply::Reset => Err(Hangup::Reset),
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, value: &impl serde::Serialize) -> Response<Body> {
    let body = serde_json::to_vec(value).expect("an answer is plain JSON");
    with(status, header::CONTENT_TYPE, "application/json", body)
}

/// An error of the sandbox's own API (RFC 9457).
pub(super) fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let value =
        serde_json::json!({"status": status.as_u16(), "title": status.canonical_reason(), "detail": detail});
    with(status, header::CONTENT_TYPE, "application/problem+json", value.to_string())
}

/// An answer with these words, or without a body.
pub(super) fn worded(status: StatusCode, said: Said) -> Response<Body> {
    match said.text {
        Some(text) => with(status, header::CONTENT_TYPE, "text/plain", text),
        None => empty(status),
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::default());
    *answer.status_mut() = status;
    answer
}

fn with(status: StatusCode, name: HeaderName, value: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}
