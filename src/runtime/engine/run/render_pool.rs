//! Runs CPU-bound work, rendering above all, on blocking threads, so that no async worker thread waits for it; or at once,
//! where everything is to run on one thread.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

/// How many pieces of work run at once for each core; the operating system shares the cores among them.
const AT_ONCE_PER_CORE: usize = 4;

/// Where the work runs, and how much of it at once.
#[derive(Debug, Clone)]
pub struct RenderPool(Threads);

#[derive(Debug, Clone)]
enum Threads {
    /// On blocking threads, as many pieces at once as there are permits.
    Blocking(Arc<Semaphore>),
    /// On the thread that asks.
    Inline,
}

impl Default for RenderPool {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        RenderPool(Threads::Blocking(Arc::new(Semaphore::new(cores * AT_ONCE_PER_CORE))))
    }
}

impl RenderPool {
    /// Does the work at once on the thread that asks, which does nothing else meanwhile: for simulations and tests on one
    /// thread, where no other thread may decide what comes first.
    pub fn inline() -> Self {
        RenderPool(Threads::Inline)
    }

    /// Runs the work; a panic of it goes on here. If this future is dropped, work that has begun runs to its end, and its
    /// result is dropped.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let Threads::Blocking(permits) = &self.0 else { return work() };
        // The permit goes with the work, which outlives this future. The semaphore is never closed.
        let permit = Arc::clone(permits).acquire_owned().await.ok();
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    /// One thread runs this test and its tasks: work that waited on it would never end.
    #[tokio::test]
    async fn work_runs_beside_the_async_threads() {
        let (send, receive) = mpsc::channel();
        let pool = RenderPool::default();
        let (received, ()) = tokio::join!(pool.run(move || receive.recv().unwrap()), async move {
            send.send(7).unwrap();
        });
        assert_eq!(received, 7);
    }

    #[test]
    fn inline_work_is_done_by_the_thread_that_asks() {
        let (pool, asks) = (RenderPool::inline(), std::thread::current().id());
        assert_eq!(pool.run(|| std::thread::current().id()).now_or_never(), Some(asks));
    }

    #[tokio::test]
    async fn a_panic_of_the_work_reaches_its_caller() {
        for pool in [RenderPool::default(), RenderPool::inline()] {
            let task = tokio::spawn(async move { pool.run(|| panic!("planted")).await });
            let error = task.await.unwrap_err();
            assert!(error.into_panic().downcast_ref::<&str>().is_some_and(|said| *said == "planted"));
        }
    }

    #[tokio::test]
    async fn work_whose_caller_is_gone_keeps_its_place_until_it_ends() {
        let (begun, is_begun) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let permits = Arc::new(Semaphore::new(1));
        let pool = RenderPool(Threads::Blocking(Arc::clone(&permits)));
        let first = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(move || (begun.send(()), ended.recv().is_ok())).await }
        });
        tokio::task::spawn_blocking(move || is_begun.recv().unwrap()).await.unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(permits.available_permits(), 0);
        end.send(()).unwrap();
        assert_eq!(pool.run(|| 1).await, 1);
    }
}
