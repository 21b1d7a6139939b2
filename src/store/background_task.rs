//! A background task of a store, joined when the store is closed.

use std::sync::Mutex;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A task that ends when it is stopped or its handle is dropped.
#[derive(Debug)]
pub(super) struct BackgroundTask {
    task: Mutex<Option<JoinHandle<()>>>,
    stop: DropGuard,
}

impl BackgroundTask {
    /// Starts it. Must be called within a tokio runtime.
    pub(super) fn start(background_task: impl Future<Output = ()> + Send + 'static) -> Self {
        let stop = CancellationToken::new();
        let told = stop.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = told.cancelled() => {}
                () = background_task => {}
            }
        });
        BackgroundTask { task: Mutex::new(Some(task)), stop: stop.drop_guard() }
    }

    /// Ends it.
    pub(super) async fn end(&self) {
        self.stop.token().cancel();
        let task = self.task.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the maintenance of a store ended by a panic");
        }
    }
}
