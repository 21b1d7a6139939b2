//! How a request that is refused is answered over HTTP: problem details by RFC 9457.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal as it is sent, `application/problem+json`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemBody {
    /// Always `about:blank`: the status says what kind it is.
    pub r#type: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What is wrong here and what to do about it.
    pub detail: String,
    /// Of a call whose parameters are wrong: each of them, with `parameter`, `expected`, `found` and, in a request that is
    /// several calls, the `index` of the element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<serde_json::Value>>,
}

impl ProblemBody {
    /// A problem with the status, which gives the title.
    pub fn new(status: StatusCode, detail: String) -> Self {
        ProblemBody {
            r#type: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail,
            errors: None,
        }
    }

    /// The answer. `retry_after` is in seconds (RFC 9110, 10.2.3).
    pub fn answer(&self, retry_after: Option<u64>) -> Response<Bytes> {
        let body = serde_json::to_vec(self).expect("a problem holds only texts, numbers and JSON");
        let mut response = Response::new(Bytes::from(body));
        // The status came from one, or is one of `Refusal`, which all have three digits.
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, MEDIA_TYPE);
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_its_media_type_and_leaves_out_what_it_has_not() {
        let problem = ProblemBody::new(StatusCode::NOT_FOUND, "there is no such call".into());
        let answer = problem.answer(None);
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
        assert!(!answer.headers().contains_key(RETRY_AFTER));
        let body =
            r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"there is no such call"}"#;
        assert_eq!(answer.body(), body);
    }

    #[test]
    fn when_to_come_again_is_in_seconds() {
        let problem = ProblemBody::new(StatusCode::SERVICE_UNAVAILABLE, String::new());
        assert_eq!(problem.answer(Some(7)).headers()[RETRY_AFTER], "7");
    }
}
