//! The threads of a process that serves, from the first one to the last.

use std::io;
use std::time::Duration;

use crate::telemetry::traced;

/// How long threads may take to end once nothing is left to do.
const THREADS_END_MAX: Duration = Duration::from_secs(2);

/// Runs what serves to its end, traced. A thread that does not come to an end does not keep the process.
///
/// # Errors
/// The system gives no threads.
pub(super) fn serve<T>(serving: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(traced(serving));
    runtime.shutdown_timeout(THREADS_END_MAX);
    Ok(served)
}
