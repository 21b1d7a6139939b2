//! The threads of a process that serves, from the first one to the last.

use std::io;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::telemetry::traced;

/// How long threads may take to end once nothing is left to do.
const THREADS_END_MAX: Duration = Duration::from_secs(2);

/// Runs what serves to its end, traced. A thread that does not come to an end does not keep the process.
///
/// # Errors
/// The system gives no threads.
pub(super) fn serve<T>(serving: impl Future<Output = T>) -> io::Result<T> {
    allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(traced(serving));
    runtime.shutdown_timeout(THREADS_END_MAX);
    Ok(served)
}

/// Lets the process have as many files open as the system allows: each message under way has a connection, and the limit
/// that shells set is for programs that use select(2).
fn allow_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Without it fewer connections are used at once.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
