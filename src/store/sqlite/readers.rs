//! Readers of one SQLite file: a bounded set of connections, lent to blocking tasks one at a time.
//!
//! WAL lets them read beside the writer; each sees what was committed when it began.

use std::path::PathBuf;
use std::sync::Mutex;

use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::Semaphore;

use super::database::connect;
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
    places: Semaphore,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Readers { path, places: Semaphore::new(READERS_MAX), idle: Arc::default() }
    }

    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let _place = self.places.acquire().await.map_err(|_| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        let task = tokio::task::spawn_blocking(move || {
            let lent = idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
            let connection = match lent {
                Some(connection) => connection,
                None => {
                    connect(&path, CACHE_KIB).map_err(|error| StoreError::Unavailable(error.to_string()))?
                }
            };
            let result = work(&connection).map_err(|error| store_error(&error));
            idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(connection);
            result
        });
        task.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }
}
