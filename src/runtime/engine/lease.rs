//! The clock of this process's lease, which the dispatchers check before they send: nothing is sent once it has expired.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::Notify;

/// Until when this process may send, on a clock that runs while it is stopped.
#[derive(Debug)]
pub struct LeaseClock {
    began: Instant,
    until_ns: AtomicU64,
    extended: Notify,
}

impl Default for LeaseClock {
    /// A lease that has not begun.
    fn default() -> Self {
        LeaseClock { began: Instant::now(), until_ns: AtomicU64::new(0), extended: Notify::new() }
    }
}

impl LeaseClock {
    /// Whether it runs still.
    pub fn runs(&self) -> bool {
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        now < self.until_ns.load(Ordering::Acquire)
    }

    /// Lets it run until then.
    pub fn extend(&self, until: Instant) {
        let until = until.saturating_duration_since(self.began).as_nanos();
        self.until_ns.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Release);
        self.extended.notify_waiters();
    }

    /// Waits until it runs: what is taken without a lease is anybody's.
    pub async fn begun(&self) {
        loop {
            let extended = self.extended.notified();
            if self.runs() {
                return;
            }
            extended.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_lease_runs_only_once_it_was_given() {
        let clock = LeaseClock::default();
        assert!(!clock.runs());
        clock.extend(Instant::now() + Duration::from_secs(60));
        assert!(clock.runs());
        clock.extend(Instant::now());
        assert!(!clock.runs());
    }
}
