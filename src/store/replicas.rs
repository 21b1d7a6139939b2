//! What the replicas of one runtime know of each other: leases, rings, and what must not be sent twice.
//!
//! A database with a single holder has no replicas; its leases never end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::StoreError;
use super::runs::{ChunkId, Fence};
use crate::domain::delivery::DeliveryId;

/// A process's lease on all that it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Nothing is sent after this, on a clock that runs while the process is stopped.
    pub until: Instant,
    /// After a lease that had run out: what is still owned. All else has another owner now.
    pub lost: Option<Vec<(ChunkId, Fence)>>,
}

/// Something another replica has done that concerns the worker of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The chunk.
    pub chunk: ChunkId,
    /// A delivery of it that a person lets be sent again.
    pub id: DeliveryId,
}

/// How replicas share the work.
#[async_trait]
pub trait Replicas: Send + Sync {
    /// Renews this process's lease, or begins one.
    ///
    /// # Errors
    /// See [`StoreError`]; the lease that was there goes on to its end.
    async fn renew(&self, owner: &str) -> Result<Lease, StoreError>;

    /// How often it is to be renewed.
    fn renew_every(&self) -> Duration;

    /// Gives back all that this process owns, and ends its lease.
    ///
    /// # Errors
    /// See [`StoreError`]; others wait for the lease to run out then.
    async fn give_back(&self, owner: &str) -> Result<(), StoreError>;

    /// Is told when others may have left something to take up.
    fn work(&self) -> Arc<Notify>;

    /// The next thing that another replica has to tell.
    async fn told(&self) -> Told;
}
