//! The queues of all channels, each with the dispatcher that drains it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::channel_queue::ChannelQueue;
use super::dispatcher::{Dispatcher, DispatcherDependencies, Stop};
use crate::domain::hindrance::{ChannelStanding, Outage};
use crate::domain::name::ChannelName;
use crate::domain::pause::Pauses;
use crate::runtime::metrics::Metrics;

/// One dispatcher for each channel, started with its first message.
pub struct ChannelDispatchers {
    dependencies: DispatcherDependencies,
    stop: watch::Sender<Stop>,
    /// Cancelled once a dispatcher has ended for whatever reason.
    ended: CancellationToken,
    table: Mutex<DispatcherTable>,
}

#[derive(Default)]
struct DispatcherTable {
    pauses: Arc<Pauses>,
    queues: BTreeMap<ChannelName, Arc<ChannelQueue>>,
    dispatchers: JoinSet<()>,
}

impl ChannelDispatchers {
    /// No dispatchers yet; they will use these dependencies.
    pub fn new(dependencies: DispatcherDependencies) -> Self {
        let (stop, ended) = (watch::Sender::new(Stop::No), CancellationToken::new());
        ChannelDispatchers { dependencies, stop, ended, table: Mutex::default() }
    }

    /// The way into a channel, whether or not it can be used now.
    pub fn queue(&self, channel: &ChannelName) -> Arc<ChannelQueue> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = table.queues.get(channel) {
            return Arc::clone(queue);
        }
        let queue = Arc::new(ChannelQueue::new(channel.clone()));
        queue.pause(table.pauses.hold_channel(channel));
        queue.set_closed(!self.dependencies.handles.load().contains_key(channel));
        let dispatcher = Dispatcher::new(Arc::clone(&queue), &self.dependencies, self.stop.subscribe());
        table.dispatchers.spawn(telling(self.ended.clone(), dispatcher.run()));
        table.queues.insert(channel.clone(), Arc::clone(&queue));
        queue
    }

    /// What is cancelled once a dispatcher has ended.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.dependencies.metrics
    }

    /// How a channel stands, as this process sees it.
    pub fn channel_standing(&self, channel: &ChannelName) -> ChannelStanding {
        let handle = self.dependencies.handles.load().get(channel).map(Arc::clone);
        let queue = {
            let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            table.queues.get(channel).map(Arc::clone)
        };
        ChannelStanding {
            channel: channel.clone(),
            outage: handle.as_ref().map_or(Some(Outage::Unconnected), |handle| handle.outage()),
            is_busy: queue.is_some_and(|queue| !queue.fair_queue().is_empty()),
            per_second: handle.and_then(|handle| handle.per_second),
        }
    }

    /// What becomes of unknowns on the channel, if it can be used now.
    pub fn on_unknown(&self, channel: &ChannelName) -> Option<super::OnUnknown> {
        self.dependencies.handles.load().get(channel).map(|handle| handle.retry.on_unknown)
    }

    /// Pauses exactly these channels from now on, and wakes every dispatcher.
    pub fn apply_pauses(&self, pauses: &Arc<Pauses>) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.pauses = Arc::clone(pauses);
        table.queues.iter().for_each(|(channel, queue)| queue.pause(pauses.hold_channel(channel)));
    }

    /// Wakes every dispatcher: a run was halted or a channel changed.
    pub fn wake_all(&self) {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.queues.values().for_each(|queue| queue.wake());
    }

    /// Opens no more windows, waits for attempts under way until the deadline, and joins the dispatchers.
    pub async fn close(&self, deadline: Instant) {
        self.stop.send_replace(Stop::By(deadline));
        let mut dispatchers = {
            let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            // A watch would wake them in an order of its own.
            table.queues.values().for_each(|queue| queue.wake());
            std::mem::take(&mut table.dispatchers)
        };
        while let Some(ended) = dispatchers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a channel's dispatcher ended by a panic");
            }
        }
    }
}

/// Works, and cancels the token however the work ends, also by a panic.
pub async fn telling(ended: CancellationToken, work: impl Future<Output = ()>) {
    let _tells = ended.drop_guard();
    work.await;
}
