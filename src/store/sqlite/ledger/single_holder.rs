//! The trait [`Replicas`] on a file: one process holds it, so its lease never expires and there are no peers to notify.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::Ledger;
use crate::store::StoreError;
use crate::store::replicas::{Lease, Replicas, Told};

/// The lease of a file's only holder: no other process can take it, and it is renewed all the same.
const LEASE: Duration = Duration::from_secs(24 * 3600);

#[async_trait]
impl Replicas for Ledger {
    async fn renew(&self, _owner: &str) -> Result<Lease, StoreError> {
        Ok(Lease { until: Instant::now() + LEASE, lost: None })
    }

    fn renew_every(&self) -> Duration {
        LEASE / 24
    }

    async fn give_back(&self, _owner: &str) -> Result<(), StoreError> {
        Ok(())
    }

    fn work(&self) -> Arc<Notify> {
        Arc::default()
    }

    async fn told(&self) -> Told {
        std::future::pending().await
    }
}
