//! The one writer of a SQLite file: a thread that turns whatever has queued into one durable commit.
//!
//! Batches form by themselves while the disk works; there is no timer. Each piece of work stands in a savepoint
//! of its own, so that a failing one is undone alone.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::foreground::User;
use super::store_error;
use crate::store::StoreError;
use crate::store::trouble::Trouble;

/// How much may wait for the disk. Beyond it, ingest answers 503 and dispatch waits.
const QUEUE_MAX: usize = 8192;
/// How much one commit may hold, so that the first in it does not wait for ever.
const BATCH_MAX: usize = 1024;

/// Tells the one who asked what became of the work, once the commit has succeeded or failed.
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Work is told when its transaction could not begin, or was lost on the way, and then does nothing. It also says how it
/// failed itself.
type Run = Box<dyn FnOnce(Result<&Connection, StoreError>) -> (Finish, Option<StoreError>) + Send>;

/// A piece of work, and who waits for it.
struct Work {
    user: User,
    run: Run,
}

/// What fails when the disk or the file fails.
pub(super) const WRITING: &str = "writing";

/// The handle to the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Work>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts it; what cannot be written is told to `trouble`.
    pub(super) fn start(connection: Connection, trouble: Arc<Trouble>) -> rusqlite::Result<Self> {
        let (queue, work) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || commit_until_closed(&connection, work, &trouble))
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(Writer { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    pub(super) async fn write<T, F>(&self, user: User, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (work, answer) = prepare(user, work);
        self.sender()?.send(work).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    pub(super) async fn try_write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (work, answer) = prepare(User::Foreground, work);
        self.sender()?.try_send(work).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Lets the thread finish what is queued, and joins it.
    pub(super) async fn close(&self) {
        drop(lock(&self.queue).take());
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the store's writer thread ended by a panic");
            }
        }
    }

    fn sender(&self) -> Result<mpsc::Sender<Work>, StoreError> {
        lock(&self.queue).clone().ok_or(StoreError::Closed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Wraps typed work so that the thread needs to know nothing of its result.
fn prepare<T, F>(user: User, work: F) -> (Work, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
{
    let (answer, receive) = oneshot::channel();
    let run = Box::new(move |transaction: Result<&Connection, StoreError>| -> (Finish, Option<StoreError>) {
        let result = transaction.and_then(|connection| in_savepoint(connection, work));
        let failed = result.as_ref().err().filter(|error| error.is_transient()).cloned();
        let finish = Box::new(move |committed: Result<(), StoreError>| {
            // The asker may have gone; the work is committed all the same.
            drop(answer.send(committed.and(result)));
        });
        (finish, failed)
    });
    (Work { user, run }, receive)
}

fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    let step = |sql| connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    step("SAVEPOINT work").map_err(|error| store_error(&error))?;
    let result = work(connection);
    // A full disk may have ended the whole transaction, and the savepoint with it.
    if !connection.is_autocommit() {
        if result.is_err() {
            step("ROLLBACK TO work").map_err(|error| store_error(&error))?;
        }
        step("RELEASE work").map_err(|error| store_error(&error))?;
    }
    result.map_err(|error| store_error(&error))
}

fn commit_until_closed(connection: &Connection, mut queue: mpsc::Receiver<Work>, trouble: &Trouble) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while queue.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
        commit(connection, &mut batch, trouble);
    }
}

fn commit(connection: &Connection, batch: &mut Vec<Work>, trouble: &Trouble) {
    let (before, began, mut in_background) = (connection.total_changes(), Instant::now(), Duration::ZERO);
    let user = if batch.iter().all(|work| work.user == User::Background) {
        User::Background
    } else {
        User::Foreground
    };
    let mut lost = connection.execute_batch("BEGIN IMMEDIATE").err().map(|error| store_error(&error));
    let mut finishes = Vec::with_capacity(batch.len());
    let mut failed = None;
    for work in batch.drain(..) {
        let begins = (work.user == User::Background).then(Instant::now);
        let (finish, failure) = (work.run)(lost.clone().map_or(Ok(connection), Err));
        in_background += begins.map_or(Duration::ZERO, |begins| begins.elapsed());
        finishes.push(finish);
        failed = failure.or(failed);
        if lost.is_none() && connection.is_autocommit() {
            lost = Some(StoreError::Unavailable("the transaction was ended by a failing disk".into()));
        }
    }
    let outcome = lost.map_or_else(|| end_transaction(connection), Err);
    match outcome.as_ref().err().or(failed.as_ref()) {
        Some(StoreError::Unavailable(words)) => trouble.failed(WRITING, words.clone()),
        Some(_) => {}
        // A commit of nothing tells nothing.
        None if connection.total_changes() > before => trouble.succeeded(WRITING),
        None => {}
    }
    user.used(began.elapsed().saturating_sub(in_background));
    for finish in finishes {
        finish(outcome.clone());
    }
}

/// Commits; a transaction that cannot be committed is rolled back, so that the next one can begin.
fn end_transaction(connection: &Connection) -> Result<(), StoreError> {
    let committed = connection.execute_batch("COMMIT");
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "the store could not roll back; the next commit will say whether it recovered");
    }
    committed.map_err(|error| StoreError::Unavailable(error.to_string()))
}
