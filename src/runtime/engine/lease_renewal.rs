//! Renews the lease of this process, and gives up the chunks that another process took while it had expired.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::lease::LeaseClock;
use super::run::RunScheduler;
use crate::store::replicas::Replicas;
use crate::telemetry::Sampled;

/// How long to wait before a renewal that failed is tried again.
const AFTER_A_FAILURE: Duration = Duration::from_millis(250);
static NOT_RENEWED: Sampled = Sampled::every(Duration::from_secs(10));
/// How long one renewal may take.
const RENEWAL_MAX: Duration = Duration::from_secs(4);

/// Renews the lease until stopped.
pub(super) async fn keep_lease(
    scheduler: Arc<RunScheduler>,
    replicas: Arc<dyn Replicas>,
    held: Arc<LeaseClock>,
    stop: CancellationToken,
) {
    let owner = Arc::clone(&scheduler.context.owner);
    let numbers = &scheduler.context.dispatchers.metrics().ledger;
    while !stop.is_cancelled() {
        let renewed = tokio::time::timeout(RENEWAL_MAX, replicas.renew(&owner)).await;
        let pause = match renewed {
            Ok(Ok(lease)) => {
                if let Some(owned) = &lease.lost {
                    scheduler.lose_all_but(owned);
                }
                held.extend(lease.until);
                numbers.lease_renewed(Some(scheduler.context.clock.now()));
                scheduler.wakeup.notify_one();
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
        let _stopped_or_paused = tokio::time::timeout(pause, stop.cancelled()).await;
    }
}
