//! Room in memory for answers: a few are made at once, and what is made and not yet read by its caller is bounded.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::problem::ApiProblem;
use crate::runtime::http::room::{Room, WAIT_MAX};

/// How many answers are made at once: while one is made it may hold several times what it will have.
const MADE_AT_ONCE: usize = 4;
/// How many bytes of answers may wait for their callers to read them.
const ANSWERS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Smaller answers than this need no room.
const SMALL_BYTES_MAX: usize = 16 * 1024;

static MAKING: Semaphore = Semaphore::const_new(MADE_AT_ONCE);
static ROOM: Room = Room::of(ANSWERS_BYTES_MAX);

/// Where the turn of a request is kept until there is room for its answer.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<SemaphorePermit<'static>>>>);

impl Kept {
    fn keep(&self, turn: Option<SemaphorePermit<'static>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }
}

/// The turn of a request to be answered. A handler asks for it behind the caller's permission, so that no caller waits for
/// those who have none.
pub(super) struct Turn;

impl<S: Send + Sync> FromRequestParts<S> for Turn {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiProblem> {
        let turn = tokio::time::timeout(WAIT_MAX, MAKING.acquire()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or_else(busy)?;
        if let Some(kept) = parts.extensions.get::<Kept>() {
            kept.keep(Some(turn));
        }
        Ok(Turn)
    }
}

/// Lets an answer go once there is room for it; until then its request keeps its [`Turn`].
pub(super) async fn within_room(mut request: Request, next: Next) -> Response {
    let kept = Kept::default();
    request.extensions_mut().insert(kept.clone());
    let (parts, body) = next.run(request).await.into_parts();
    let Ok(bytes) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return busy().into_response();
    };
    if bytes.len() <= SMALL_BYTES_MAX {
        return Response::from_parts(parts, Body::from(bytes));
    }
    let Some(room) = ROOM.take(WAIT_MAX, bytes.len()).await else { return busy().into_response() };
    kept.keep(None);
    Response::from_parts(parts, Body::from(Bytes::from_owner(Held { bytes, _room: room })))
}

fn busy() -> ApiProblem {
    ApiProblem::unavailable("too many large answers are under way; ask again in a moment, for less at once")
}

/// Bytes with their room, until the connection has sent them.
struct Held {
    bytes: Bytes,
    _room: SemaphorePermit<'static>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn room_is_given_back_with_the_bytes() {
        let room = ROOM.take(WAIT_MAX, ANSWERS_BYTES_MAX).await.unwrap();
        let held = Bytes::from_owner(Held { bytes: Bytes::from_static(b"x"), _room: room });
        assert!(ROOM.take(Duration::from_millis(1), 1).await.is_none());
        drop(held);
        assert!(ROOM.take(WAIT_MAX, 1).await.is_some());
    }
}
