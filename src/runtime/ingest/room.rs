//! Room in memory for the bodies of a process: what is read, parsed and mapped at once is bounded, however many call.

use std::sync::LazyLock;
use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::domain::admission::Refusal;

/// How many bytes of bodies are in work at once. Parsed and mapped, each becomes ten to twenty times as much.
const BODIES_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Room is given in pieces of so many bytes.
const PIECE_BYTES: usize = 1024;
/// How long a request waits for room before it is answered 503.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// Beyond this a body is parsed and mapped where it keeps no other request waiting.
const SMALL_BYTES_MAX: usize = 64 * 1024;

static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(BODIES_BYTES_MAX / PIECE_BYTES));

/// Waits for room for a body of the declared length, or else of the largest that may come.
pub(super) async fn room(headers: &HeaderMap, max: usize) -> Result<SemaphorePermit<'static>, Refusal> {
    room_within(WAIT_MAX, headers, max).await
}

async fn room_within(
    wait_max: Duration,
    headers: &HeaderMap,
    max: usize,
) -> Result<SemaphorePermit<'static>, Refusal> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    // What is packed says nothing about what it becomes.
    let declared = declared.filter(|_| !headers.contains_key(CONTENT_ENCODING));
    let bytes = declared.unwrap_or(max).min(max).min(BODIES_BYTES_MAX);
    let pieces = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
    match tokio::time::timeout(wait_max, ROOM.acquire_many(pieces)).await {
        Ok(Ok(room)) => Ok(room),
        Ok(Err(_)) | Err(_) => Err(Refusal::Unavailable),
    }
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
