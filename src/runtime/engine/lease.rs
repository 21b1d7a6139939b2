//! The clock of this process's lease, which the dispatchers check before they send: nothing is sent once it has expired.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::Notify;

use super::clock::Clock;

/// Until when this process may send, on a clock that runs while it is stopped.
pub struct LeaseClock {
    clock: Clock,
    began: Instant,
    until_ns: AtomicU64,
    extended: Notify,
}

impl LeaseClock {
    /// A lease that has not begun.
    pub fn new(clock: Clock) -> Self {
        let (began, until_ns, extended) = (clock.instant(), AtomicU64::new(0), Notify::new());
        LeaseClock { clock, began, until_ns, extended }
    }

    /// Whether it runs still.
    pub fn runs(&self) -> bool {
        let now = u64::try_from(self.clock.since(self.began).as_nanos()).unwrap_or(u64::MAX);
        now < self.until_ns.load(Ordering::Acquire)
    }

    /// Lets it run until then.
    pub fn extend(&self, until: Instant) {
        let until = until.saturating_duration_since(self.began).as_nanos();
        self.until_ns.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Release);
        self.extended.notify_waiters();
    }

    /// Waits until it runs: what is taken without a lease may be taken by every replica.
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
        let lease = LeaseClock::new(Clock::system());
        assert!(!lease.runs());
        lease.extend(Instant::now() + Duration::from_secs(60));
        assert!(lease.runs());
        lease.extend(Instant::now());
        assert!(!lease.runs());
    }
}
