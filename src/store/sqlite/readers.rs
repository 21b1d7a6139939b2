//! Readers of one SQLite file: a bounded set of connections, lent to blocking tasks one at a time.
//!
//! WAL lets them read beside the writer; each sees what was committed when it began.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::database::connect;
use super::foreground::User;
use super::store_error;
use crate::store::StoreError;

/// How many readers may be at work at once; more would only take turns on the same cores.
const READERS_MAX: usize = 8;

/// A reader's page cache, in KiB; the system's own holds the rest.
const CACHE_KIB: i64 = 8_192;

/// The readers of one file.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Readers { path, places: Arc::new(Semaphore::new(READERS_MAX)), idle: Arc::default() }
    }

    pub(super) async fn read<T, F>(&self, user: User, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        let task = tokio::task::spawn_blocking(move || {
            // The caller may have gone; the place is free when the reading has ended.
            let _place = place;
            let lent = idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
            let connection = match lent {
                Some(connection) => connection,
                None => {
                    connect(&path, CACHE_KIB).map_err(|error| StoreError::Unavailable(error.to_string()))?
                }
            };
            let at_work = user.at_work();
            let result = work(&connection).map_err(|error| store_error(&error));
            drop(at_work);
            // What failed for the file's or the disk's sake is opened anew.
            if !result.as_ref().is_err_and(StoreError::is_transient) {
                idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(connection);
            }
            result
        });
        task.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_place_is_taken_until_the_reading_ends_even_if_its_caller_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let readers = Readers::new(folder.path().join("some.db"));
        connect(&readers.path, CACHE_KIB).unwrap();
        let mut ends = Vec::new();
        for _ in 0..READERS_MAX {
            let (end, ended) = mpsc::channel::<()>();
            let (begin, begun) = tokio::sync::oneshot::channel();
            let reading = readers.read(User::Foreground, move |_| {
                let _ = begin.send(());
                let _ = ended.recv();
                Ok(())
            });
            tokio::select! {
                _ = reading => panic!("it ends when it is told to"),
                begun = begun => begun.unwrap(),
            }
            ends.push(end);
        }
        assert_eq!(readers.places.available_permits(), 0);
        drop(ends);
        tokio::time::timeout(Duration::from_secs(10), readers.read(User::Foreground, |_| Ok(())))
            .await
            .unwrap()
            .unwrap();
    }
}
