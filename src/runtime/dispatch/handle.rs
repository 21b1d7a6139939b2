//! A channel that can be used, with its limits; swapped whole when its manifest or its Secret changes.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::RetryPolicy;
use crate::channels::Channel;
use crate::compile;
use crate::domain::name::ChannelName;

/// A provider's connection and how it may be used.
pub struct ChannelHandle {
    /// The connection.
    pub channel: Arc<dyn Channel>,
    /// How many deliveries may be open without a committed outcome.
    pub window: usize,
    /// How many attempts may be under way at once.
    pub concurrency: usize,
    /// How many attempts may begin in a second.
    pub per_second: Option<u32>,
    /// How often and how long is tried.
    pub retry: RetryPolicy,
}

impl ChannelHandle {
    /// A connected channel with the limits of its manifest.
    pub fn new(compiled: &compile::Channel, channel: Arc<dyn Channel>) -> Self {
        ChannelHandle {
            channel,
            window: compiled.window as usize,
            concurrency: compiled.concurrency as usize,
            per_second: compiled.per_second,
            retry: RetryPolicy {
                attempts_max: compiled.attempts_max,
                retry_for: compiled.retry_for,
                on_unknown: compiled.on_unknown,
            },
        }
    }

    /// The window: never more than the channel can start within one second.
    pub(super) fn window(&self) -> usize {
        let a_second = self.per_second.map_or(usize::MAX, |rate| rate as usize);
        self.window.min(a_second).max(1)
    }
}

/// The channels that can be used now. One whose Secret cannot be read is not among them: its messages wait.
pub type ChannelHandles = Arc<ArcSwap<HashMap<ChannelName, Arc<ChannelHandle>>>>;
