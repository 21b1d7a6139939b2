//! A bound on memory that all requests of a process share: a request waits until there is room, and releases it on drop.

use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Room is given in pieces of so many bytes.
const PIECE_BYTES: usize = 1024;
/// How long one waits for room before it is told to come again.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(2);

/// So many bytes, shared.
pub(super) struct Room {
    bytes: usize,
    pieces: Semaphore,
}

impl Room {
    /// Room for so many bytes.
    pub(super) const fn of(bytes: usize) -> Self {
        Room { bytes, pieces: Semaphore::const_new(bytes / PIECE_BYTES) }
    }

    /// Waits for room; `None` if there is none in time. A request that needs more than there is gets all of it.
    pub(super) async fn take(&self, wait_max: Duration, bytes: usize) -> Option<SemaphorePermit<'_>> {
        let pieces = bytes.min(self.bytes).div_ceil(PIECE_BYTES).min(self.bytes / PIECE_BYTES);
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        tokio::time::timeout(wait_max, self.pieces.acquire_many(pieces)).await.ok()?.ok()
    }
}

/// How long a body may become: what it declares, or else the most that may come.
pub(super) fn declared(headers: &HeaderMap, max: usize) -> usize {
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    // What is packed says nothing about what it becomes.
    let declared = declared.filter(|_| !headers.contains_key(CONTENT_ENCODING));
    declared.unwrap_or(max).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_needs_more_than_there_is_gets_all_of_it_and_others_wait() {
        let room = Room::of(8 * PIECE_BYTES);
        let at_once = Duration::from_millis(1);
        let all = room.take(at_once, usize::MAX).await;
        assert!(all.is_some() && room.take(at_once, 1).await.is_none());
        drop(all);
        let two = (room.take(at_once, 4 * PIECE_BYTES).await, room.take(at_once, 4 * PIECE_BYTES).await);
        assert!(two.0.is_some() && two.1.is_some() && room.take(at_once, 1).await.is_none());
    }

    #[test]
    fn a_body_that_says_nothing_may_become_the_most() {
        let mut headers = HeaderMap::new();
        assert_eq!(declared(&headers, 100), 100);
        headers.insert(CONTENT_LENGTH, 5.into());
        assert_eq!(declared(&headers, 100), 5);
        headers.insert(CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
        assert_eq!(declared(&headers, 100), 100);
    }
}
