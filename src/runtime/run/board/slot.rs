//! A place on the board for a chunk that is being decided, so that no run and no channel takes them all.

use std::sync::Arc;

use super::Board;
use crate::domain::name::{ChannelName, RunId};
use crate::runtime::run::LiveChunk;

/// A place among the chunks that are being decided; given back when it is dropped.
pub(in crate::runtime::run) struct Slot {
    pub(super) board: Arc<Board>,
    pub(super) run: RunId,
    pub(super) channels: Vec<ChannelName>,
    pub(super) narrow: bool,
}

impl Slot {
    /// Makes the chunk that is walked in this place known.
    pub(in crate::runtime::run) fn announce(&self, chunk: &Arc<LiveChunk>) {
        self.board.set_live(chunk);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.board.lock();
        for channel in &self.channels {
            if let Some(places) = state.by_channel.get_mut(channel) {
                *places.of(self.narrow) -= 1;
            }
        }
        if let Some(entry) = state.runs.get_mut(&self.run) {
            entry.deciding -= 1;
        }
        drop(state);
        self.board.bell.notify_one();
    }
}
