//! What goes on in the background beside a store, until the store ends.

use std::sync::Mutex;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A task that ends when it is told to, or with its handle.
#[derive(Debug)]
pub(super) struct Care {
    task: Mutex<Option<JoinHandle<()>>>,
    stop: DropGuard,
}

impl Care {
    /// Starts it. Must be called within a tokio runtime.
    pub(super) fn start(care: impl Future<Output = ()> + Send + 'static) -> Self {
        let stop = CancellationToken::new();
        let told = stop.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = told.cancelled() => {}
                () = care => {}
            }
        });
        Care { task: Mutex::new(Some(task)), stop: stop.drop_guard() }
    }

    /// Ends it.
    pub(super) async fn end(&self) {
        self.stop.token().cancel();
        let task = self.task.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the care of a store ended by a panic");
        }
    }
}
