//! Room in memory for the bodies of calls: what is read, parsed and mapped at once is bounded, however many call.

use std::time::Duration;

use http::HeaderMap;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::SemaphorePermit;

use crate::domain::admission::Refusal;
use crate::runtime::http::room::{Room, WAIT_MAX, declared};

/// How many bytes of bodies are in work at once. Parsed and mapped, each becomes ten to twenty times as much.
const BODIES_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Beyond this a body is parsed and mapped where it keeps no other request waiting.
const SMALL_BYTES_MAX: usize = 64 * 1024;

static ROOM: Room = Room::of(BODIES_BYTES_MAX);

/// Waits for room for a body of the declared length, or else of the largest that may come.
pub(super) async fn room(headers: &HeaderMap, max: usize) -> Result<SemaphorePermit<'static>, Refusal> {
    room_within(WAIT_MAX, headers, max).await
}

async fn room_within(
    wait_max: Duration,
    headers: &HeaderMap,
    max: usize,
) -> Result<SemaphorePermit<'static>, Refusal> {
    ROOM.take(wait_max, declared(headers, max)).await.ok_or(Refusal::Unavailable)
}

/// Does the work on a body: a large one takes a core for a while.
pub(super) fn where_it_fits<T>(body_bytes: usize, work: impl FnOnce() -> T) -> T {
    let threads = Handle::try_current().map(|handle| handle.runtime_flavor());
    match threads {
        Ok(RuntimeFlavor::MultiThread) if body_bytes > SMALL_BYTES_MAX => tokio::task::block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_LENGTH;

    use super::*;

    #[tokio::test]
    async fn bodies_wait_for_room_and_are_told_to_come_again() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, (BODIES_BYTES_MAX / 2).into());
        let held = (room(&headers, usize::MAX).await.unwrap(), room(&headers, usize::MAX).await.unwrap());
        let refused = room_within(Duration::from_millis(1), &headers, usize::MAX).await;
        assert_eq!(refused.map(drop), Err(Refusal::Unavailable));
        drop(held);
        assert!(room(&headers, usize::MAX).await.is_ok());
    }
}
