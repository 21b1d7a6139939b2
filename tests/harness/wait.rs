//! Waiting with a deadline, instead of sleeping and hoping.

use std::time::{Duration, Instant};

/// What is expected to happen on a busy machine happens within this.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Polls until there is something, and returns it. Fails after [`DEADLINE`].
pub fn wait_for<T>(what: &str, poll: impl FnMut() -> Option<T>) -> T {
    until(what, DEADLINE, poll)
}

/// Polls until there is something, and returns it. Fails after the deadline, naming what was waited for.
pub fn until<T>(what: &str, deadline: Duration, mut poll: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks until it is so. Fails after [`DEADLINE`].
pub async fn until_true(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
