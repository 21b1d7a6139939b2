//! This process's lease as those who send see it, and the one who keeps it renewed.
//!
//! Nothing is sent once it has run out; whoever finds that it had, learns what is still ours before anything goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::run::Board;
use crate::store::replicas::Replicas;
use crate::telemetry::Sampled;

/// How long to wait before a renewal that failed is tried again.
const AFTER_A_FAILURE: Duration = Duration::from_millis(250);
static NOT_RENEWED: Sampled = Sampled::every(Duration::from_secs(10));
/// How long one renewal may take.
const RENEWAL_MAX: Duration = Duration::from_secs(4);

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

/// Keeps the lease until told to stop, or until whoever could tell is gone.
pub(super) async fn keep_lease(
    board: Arc<Board>,
    replicas: Arc<dyn Replicas>,
    clock: Arc<LeaseClock>,
    mut stop: watch::Receiver<bool>,
) {
    let owner = Arc::clone(&board.desk.owner);
    let numbers = &board.desk.post.metrics().ledger;
    while !*stop.borrow() {
        let renewed = tokio::time::timeout(RENEWAL_MAX, replicas.renew(&owner)).await;
        let pause = match renewed {
            Ok(Ok(lease)) => {
                if let Some(owned) = &lease.lost {
                    board.lose_all_but(owned);
                }
                clock.extend(lease.until);
                numbers.lease_renewed(Some(Timestamp::now()));
                board.bell.notify_one();
                replicas.renew_every()
            }
            Ok(Err(error)) => {
                if let Some(held_back) = NOT_RENEWED.pass(&error.to_string()) {
                    tracing::warn!(
                        %error, held_back, "the lease cannot be renewed yet; nothing is sent once it has run out"
                    );
                }
                numbers.lease_renewed(None);
                AFTER_A_FAILURE
            }
            Err(_) => {
                tracing::warn!("the lease is not renewed in time; nothing is sent once it has run out");
                numbers.lease_renewed(None);
                AFTER_A_FAILURE
            }
        };
        if let Ok(Err(_gone)) = tokio::time::timeout(pause, stop.changed()).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
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
