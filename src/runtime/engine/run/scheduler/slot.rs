//! A slot of the scheduler for a chunk that is being decided: it bounds the chunks of a run and of a channel.

use std::sync::Arc;

use super::RunScheduler;
use crate::domain::name::{ChannelName, RunId};
use crate::runtime::engine::run::LiveChunk;

/// A slot for a chunk that is being decided, released on drop.
pub(in crate::runtime::engine::run) struct ChunkSlot {
    pub(super) scheduler: Arc<RunScheduler>,
    pub(super) run: RunId,
    pub(super) channels: Vec<ChannelName>,
    pub(super) narrow: bool,
}

impl ChunkSlot {
    /// Registers the chunk that is worked on in this slot.
    pub(in crate::runtime::engine::run) fn announce(&self, chunk: &Arc<LiveChunk>) {
        self.scheduler.set_live(chunk);
    }
}

impl Drop for ChunkSlot {
    fn drop(&mut self) {
        let mut state = self.scheduler.lock();
        for channel in &self.channels {
            if let Some(places) = state.by_channel.get_mut(channel) {
                *places.of(self.narrow) -= 1;
            }
        }
        if let Some(entry) = state.runs.get_mut(&self.run) {
            entry.deciding -= 1;
        }
        drop(state);
        self.scheduler.wakeup.notify_one();
    }
}
