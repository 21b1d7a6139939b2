//! A set of objects to be looked at, as a stream: each is in it once, however many reasons there were.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::Stream;
use tokio::sync::Notify;

/// Objects that wait to be looked at; never more than there are objects.
#[derive(Debug)]
pub(super) struct Wake<T> {
    waiting: Mutex<HashSet<T>>,
    news: Notify,
}

impl<T> Default for Wake<T> {
    fn default() -> Self {
        Wake { waiting: Mutex::default(), news: Notify::new() }
    }
}

impl<T: Eq + Hash + Clone> Wake<T> {
    /// Adds objects.
    pub(super) fn wake(&self, objects: impl IntoIterator<Item = T>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend(objects);
        self.news.notify_one();
    }

    /// The next object; waits for one.
    async fn next(&self) -> T {
        loop {
            let taken = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let first = waiting.iter().next().cloned();
                first.and_then(|first| waiting.take(&first))
            };
            match taken {
                Some(object) => return object,
                None => self.news.notified().await,
            }
        }
    }

    /// Every object that is added, without an end. For one reader.
    pub(super) fn stream(self: &Arc<Self>) -> impl Stream<Item = T> + Send + 'static
    where
        T: Send + 'static,
    {
        let wake = Arc::clone(self);
        futures_util::stream::unfold(wake, |wake| async move {
            let object = wake.next().await;
            Some((object, wake))
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_woken_twice_is_looked_at_once() {
        let wake = Arc::new(Wake::default());
        wake.wake([1, 2]);
        wake.wake([2]);
        let stream = wake.stream();
        tokio::pin!(stream);
        let mut seen = vec![stream.next().await.unwrap(), stream.next().await.unwrap()];
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
        let more = tokio::time::timeout(std::time::Duration::from_millis(20), stream.next()).await;
        assert!(more.is_err());
        wake.wake([3]);
        assert_eq!(stream.next().await, Some(3));
    }
}
