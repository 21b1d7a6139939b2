//! A channel's rate where several replicas share it: starts are given out by the store.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::StoreError;
use crate::domain::name::ChannelName;

/// Starts that are this process's own; one that is not used is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Starts {
    /// When the first may be made.
    pub first: Instant,
    /// How long after one the next may be made.
    pub every: Duration,
    /// How many.
    pub count: u32,
}

/// Where starts are given out.
#[async_trait]
pub trait ChannelRates: Send + Sync {
    /// Takes the next starts of a channel.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn reserve(&self, channel: &ChannelName, every: Duration, count: u32)
    -> Result<Starts, StoreError>;
}
