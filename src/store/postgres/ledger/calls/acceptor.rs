//! The queue of requests to be accepted: whatever has come while others were written becomes the next statement.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::batch::commit;
use crate::store::StoreError;
use crate::store::calls::{Admitted, NewRequest};
use crate::store::postgres::PostgresDatabase;

/// How many requests may wait. Beyond them, ingest answers 503.
const QUEUE_MAX: usize = 8192;
/// How many requests one statement may hold.
const BATCH_MAX: usize = 1024;
/// How many statements are under way at once: one is written while another's commit is awaited.
const UNDER_WAY_MAX: usize = 2;

/// A request that waits to be accepted.
pub(super) struct Pending {
    pub request: NewRequest,
    pub since: Instant,
    pub answer: oneshot::Sender<Result<Admitted, StoreError>>,
}

/// The way into the queue.
#[derive(Debug)]
pub(in crate::store::postgres::ledger) struct Acceptor(Mutex<Option<mpsc::Sender<Pending>>>);

impl Acceptor {
    /// Starts to accept; the task ends once the acceptor is closed and what was queued is answered.
    pub fn start(database: Arc<PostgresDatabase>, arrived: Arc<Notify>) -> (Self, JoinHandle<()>) {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        (Acceptor(Mutex::new(Some(queue))), tokio::spawn(accept_until_closed(database, arrived, requests)))
    }

    /// Answers once the request's calls are on disk.
    pub async fn accept(&self, request: NewRequest) -> Result<Admitted, StoreError> {
        let queue =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Closed)?;
        let (answer, answered) = oneshot::channel();
        queue.try_send(Pending { request, since: Instant::now(), answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        drop(queue);
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Takes no more.
    pub fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

async fn accept_until_closed(
    database: Arc<PostgresDatabase>,
    arrived: Arc<Notify>,
    mut requests: mpsc::Receiver<Pending>,
) {
    let places = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let mut under_way = JoinSet::new();
    loop {
        // The place first: what comes while there is none goes into one statement.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let mut batch = Vec::new();
        if requests.recv_many(&mut batch, BATCH_MAX).await == 0 {
            break;
        }
        let (database, arrived) = (Arc::clone(&database), Arc::clone(&arrived));
        under_way.spawn(async move {
            commit(&database, batch).await;
            arrived.notify_one();
            drop(place);
        });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}
