//! All channels' outboxes, each with the dispatcher that empties it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::dispatcher::{Counter, Dispatcher, Stop};
use super::outbox::Outbox;
use crate::domain::hindrance::{ChannelStanding, Outage};
use crate::domain::name::ChannelName;
use crate::domain::pause::Pauses;
use crate::runtime::metrics::Metrics;

/// The post office: a dispatcher a channel, started when its first message comes.
pub struct Post {
    counter: Counter,
    stop: watch::Sender<Stop>,
    /// Cancelled once a dispatcher has ended, told to or not.
    ended: CancellationToken,
    offices: Mutex<Offices>,
}

#[derive(Default)]
struct Offices {
    pauses: Arc<Pauses>,
    outboxes: HashMap<ChannelName, Arc<Outbox>>,
    dispatchers: JoinSet<()>,
}

impl Post {
    /// Opens for the channels that the counter will hold.
    pub fn new(counter: Counter) -> Self {
        let (stop, ended) = (watch::Sender::new(Stop::No), CancellationToken::new());
        Post { counter, stop, ended, offices: Mutex::default() }
    }

    /// The way into a channel, whether or not it can be used now.
    pub fn outbox(&self, channel: &ChannelName) -> Arc<Outbox> {
        let mut offices = self.offices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outbox) = offices.outboxes.get(channel) {
            return Arc::clone(outbox);
        }
        let outbox = Arc::new(Outbox::new(channel.clone()));
        outbox.pause(offices.pauses.hold_channel(channel));
        outbox.set_closed(!self.counter.handles.load().contains_key(channel));
        let dispatcher = Dispatcher::new(Arc::clone(&outbox), &self.counter, self.stop.subscribe());
        offices.dispatchers.spawn(telling(self.ended.clone(), dispatcher.run()));
        offices.outboxes.insert(channel.clone(), Arc::clone(&outbox));
        outbox
    }

    /// What is cancelled once a dispatcher has ended.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.counter.metrics
    }

    /// How a channel stands, as this process sees it.
    pub fn standing(&self, channel: &ChannelName) -> ChannelStanding {
        let handle = self.counter.handles.load().get(channel).map(Arc::clone);
        let outbox = {
            let offices = self.offices.lock().unwrap_or_else(PoisonError::into_inner);
            offices.outboxes.get(channel).map(Arc::clone)
        };
        ChannelStanding {
            channel: channel.clone(),
            outage: handle.as_ref().map_or(Some(Outage::Unconnected), |handle| handle.outage()),
            is_busy: outbox.is_some_and(|outbox| outbox.lanes().len() > 0),
            per_second: handle.and_then(|handle| handle.per_second),
        }
    }

    /// What becomes of unknowns on the channel, if it can be used now.
    pub fn on_unknown(&self, channel: &ChannelName) -> Option<super::OnUnknown> {
        self.counter.handles.load().get(channel).map(|handle| handle.retry.on_unknown)
    }

    /// Lets exactly these channels rest from now on, and every dispatcher look again.
    pub fn let_rest(&self, pauses: &Arc<Pauses>) {
        let mut offices = self.offices.lock().unwrap_or_else(PoisonError::into_inner);
        offices.pauses = Arc::clone(pauses);
        offices.outboxes.iter().for_each(|(channel, outbox)| outbox.pause(pauses.hold_channel(channel)));
    }

    /// Lets every dispatcher look again: a run was halted or a channel changed.
    pub fn wake_all(&self) {
        let offices = self.offices.lock().unwrap_or_else(PoisonError::into_inner);
        offices.outboxes.values().for_each(|outbox| outbox.wake());
    }

    /// Opens no more, waits for what is under way until the deadline, and ends the dispatchers.
    pub async fn close(&self, deadline: Instant) {
        self.stop.send_replace(Stop::By(deadline));
        let mut dispatchers = {
            let mut offices = self.offices.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut offices.dispatchers)
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
