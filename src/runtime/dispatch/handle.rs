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
    /// What is known of the provider.
    pub standing: SharedStanding,
}

/// What is known of a provider, as its dispatcher says and others read.
#[derive(Debug, Default)]
pub struct SharedStanding(ArcSwap<Standing>);

/// What is known of a provider since the channel was connected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nothing has been sent.
    #[default]
    Untried,
    /// It answered last.
    Answers,
    /// Several attempts in a row failed, the last one so.
    Down(String),
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
            standing: SharedStanding::default(),
        }
    }

    /// What is known of the provider.
    pub fn standing(&self) -> Standing {
        Standing::clone(&self.standing.0.load())
    }

    /// Notes what is known of the provider now.
    pub(super) fn note(&self, standing: Standing) {
        if **self.standing.0.load() != standing {
            self.standing.0.store(Arc::new(standing));
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
