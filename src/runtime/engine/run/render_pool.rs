//! Runs CPU-bound work, rendering above all, on blocking threads, so that no async worker thread waits for it.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

/// How many pieces of work run at once for each core; the operating system shares the cores among them.
const AT_ONCE_PER_CORE: usize = 4;

/// Bounds the work that runs at once.
#[derive(Debug, Clone)]
pub struct RenderPool(Arc<Semaphore>);

impl Default for RenderPool {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        RenderPool(Arc::new(Semaphore::new(cores * AT_ONCE_PER_CORE)))
    }
}

impl RenderPool {
    /// Runs the work; a panic of it goes on here. If this future is dropped, work that has begun runs to its end, and its
    /// result is dropped.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        // The permit goes with the work, which outlives this future. Nobody closes the semaphore.
        let permit = Arc::clone(&self.0).acquire_owned().await.ok();
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        match done.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Only a runtime that shuts down cancels blocking work: this task ends with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}
