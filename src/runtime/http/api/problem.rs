//! What a caller of the API is told when it does not get what it asked for, by RFC 9457.

use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::domain::admission::Refusal;
use crate::domain::body::TAKEN_CODINGS;
use crate::domain::guessing::Slowed;
use crate::problem_details::ProblemBody;
use crate::runtime::http::held_back::HeldBack;
use crate::store::StoreError;
use crate::telemetry::Sampled;

/// A refusal.
#[derive(Debug)]
pub struct ApiProblem {
    status: StatusCode,
    detail: String,
    slowed: Option<Slowed>,
}

impl ApiProblem {
    fn of(status: StatusCode, detail: impl Into<String>) -> Self {
        ApiProblem { status, detail: detail.into(), slowed: None }
    }

    /// Credentials that are missing or wrong, once too often.
    pub(super) fn guessing(slowed: Slowed) -> Self {
        let refusal = Refusal::Guessing(slowed);
        ApiProblem {
            slowed: Some(slowed),
            ..ApiProblem::of(StatusCode::TOO_MANY_REQUESTS, refusal.to_string())
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        ApiProblem::of(StatusCode::BAD_REQUEST, detail.into())
    }

    /// A body that did not arrive whole, or is too large.
    pub(super) fn body(rejection: &BytesRejection) -> Self {
        ApiProblem::of(rejection.status(), rejection.body_text())
    }

    /// A body that takes too long.
    pub(super) fn late_body(time_max: Duration) -> Self {
        let detail =
            format!("the body did not arrive within {} seconds; send smaller batches", time_max.as_secs());
        ApiProblem::of(StatusCode::REQUEST_TIMEOUT, detail)
    }

    /// A body in a coding that is not taken.
    pub(super) fn coding(detail: String) -> Self {
        ApiProblem::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    pub(super) fn too_large(detail: String) -> Self {
        ApiProblem::of(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    pub(super) fn unauthorized() -> Self {
        let detail = "send a key's id and secret by HTTP Basic, or a token".to_owned();
        ApiProblem::of(StatusCode::UNAUTHORIZED, detail)
    }

    pub(super) fn forbidden(permission: &str) -> Self {
        let detail = format!("this key does not have the permission {permission}");
        ApiProblem::of(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn forbidden_origin() -> Self {
        let detail = "this key may not be used by pages of this origin; its ApiKey lists those it stands in";
        ApiProblem::of(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn public_keys_only() -> Self {
        let detail =
            "only Public keys may write here; a Private one writes at the API's own port, inside the cluster";
        ApiProblem::of(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        ApiProblem::of(StatusCode::NOT_FOUND, detail.into())
    }

    pub(super) fn method_not_allowed() -> Self {
        let detail = "this resource does not know the method; Allow lists those it knows".to_owned();
        ApiProblem::of(StatusCode::METHOD_NOT_ALLOWED, detail)
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        ApiProblem::of(StatusCode::CONFLICT, detail.into())
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        ApiProblem::of(StatusCode::SERVICE_UNAVAILABLE, detail.into())
    }
}

static NOT_ANSWERED: Sampled = Sampled::every(Duration::from_secs(10));

impl From<StoreError> for ApiProblem {
    fn from(error: StoreError) -> Self {
        if let Some(held_back) = NOT_ANSWERED.pass(&error.to_string()) {
            tracing::warn!(%error, held_back, "the API could not answer");
        }
        match error {
            StoreError::Refused(_) => ApiProblem::of(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the store refused this; the log of the runtime says why",
            ),
            StoreError::Busy | StoreError::Unavailable(_) | StoreError::Barred(_) | StoreError::Closed => {
                ApiProblem::unavailable("the store cannot answer just now")
            }
        }
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let retry_after = match self.slowed {
            Some(slowed) => Refusal::Guessing(slowed).retry_after_seconds(),
            None => (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
        };
        let problem = ProblemBody::new(self.status, self.detail);
        let mut response = problem.answer(retry_after).map(Body::from);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(TAKEN_CODINGS));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Basic realm=\"fanfare\", charset=\"UTF-8\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(slowed) = self.slowed {
            response.extensions_mut().insert(HeldBack(slowed.answer_after));
        }
        response
    }
}
