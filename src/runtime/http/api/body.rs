//! A request's body: within its size and its time, and unpacked. One that cannot be read is answered as every other
//! problem of the API is.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use tokio::sync::SemaphorePermit;

use super::problem::ApiProblem;
use crate::domain::body::UnpackError;
use crate::runtime::http::packed_body::{PackedError, unpacked};
use crate::runtime::http::room::{Room, WAIT_MAX, declared};
use crate::track::batch::BODY_BYTES_MAX;

/// How long a body may take to arrive. A caller slower than this holds a connection, and what has come, for nothing.
const TIME_MAX: Duration = Duration::from_secs(30);

/// How many bytes of batches are in work at once. Read line by line, each becomes several times as much.
const BODIES_BYTES_MAX: usize = 32 * 1024 * 1024;

static ROOM: Room = Room::of(BODIES_BYTES_MAX);

/// A body.
pub(super) struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiProblem> {
        read_within(TIME_MAX, request, state).await.map(Body)
    }
}

/// A body of many lines, and its room for as long as it is worked on.
pub(super) struct Batch {
    pub bytes: Bytes,
    pub _room: SemaphorePermit<'static>,
}

impl<S: Send + Sync> FromRequest<S> for Batch {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiProblem> {
        let room = ROOM.take(WAIT_MAX, declared(request.headers(), BODY_BYTES_MAX)).await;
        let room = room.ok_or_else(|| {
            ApiProblem::unavailable("too many batches are under way; send this one again in a moment")
        })?;
        read_within(TIME_MAX, request, state).await.map(|bytes| Batch { bytes, _room: room })
    }
}

async fn read_within<S: Send + Sync>(
    time_max: Duration,
    request: Request,
    state: &S,
) -> Result<Bytes, ApiProblem> {
    let headers = request.headers().clone();
    let body = match tokio::time::timeout(time_max, Bytes::from_request(request, state)).await {
        Ok(body) => body.map_err(|rejection| ApiProblem::body(&rejection))?,
        Err(_) => return Err(ApiProblem::late_body(time_max)),
    };
    unpacked(&headers, body, BODY_BYTES_MAX).await.map_err(|error| match &error {
        PackedError::Coding(_) => ApiProblem::coding(error.to_string()),
        PackedError::Unpack(UnpackError::TooLarge { .. }) => ApiProblem::too_large(error.to_string()),
        PackedError::Unpack(_) => ApiProblem::bad_request(error.to_string()),
        PackedError::Ending => ApiProblem::unavailable(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_that_never_arrives_is_given_up() {
        let body = axum::body::Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let problem = read_within(Duration::from_millis(10), Request::new(body), &()).await.unwrap_err();
        assert_eq!(problem.into_response().status(), StatusCode::REQUEST_TIMEOUT);
    }
}
