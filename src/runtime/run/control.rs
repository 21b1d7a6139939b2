//! What people decide about runs under way: cancel them, send a held delivery again.

use std::sync::Arc;

use jiff::Timestamp;

use super::calls::take_up;
use super::{Board, News, stops};
use crate::domain::delivery::DeliveryId;
use crate::domain::name::{CallId, ChannelName, RunId};
use crate::store::StoreError;
use crate::store::run_log::{Reopened, RunLog};

/// The engine's controls. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    pub(in crate::runtime) board: Arc<Board>,
    pub(in crate::runtime) log: Arc<dyn RunLog>,
}

impl Control {
    /// Sends a held delivery again, as its customer is now; false if it is not held, or its run was cancelled.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn resend(&self, id: DeliveryId) -> Result<bool, StoreError> {
        let Some(reopened) = self.log.resend(id, Timestamp::now()).await? else { return Ok(false) };
        tracing::info!(call = %reopened.run.call.id, delivery = %id, "a person lets it be sent again");
        self.take_up(id, &reopened).await?;
        Ok(true)
    }

    /// Closes a held delivery as unknown; false if it is not held.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn close(&self, id: DeliveryId) -> Result<bool, StoreError> {
        self.log.close_held(id, Timestamp::now()).await
    }

    async fn take_up(&self, id: DeliveryId, reopened: &Reopened) -> Result<(), StoreError> {
        if let Some(chunk) = self.board.live(reopened.chunk) {
            chunk.begin(1);
            chunk.tell(News::Again(id));
        } else if !self.board.reopen(reopened.chunk) {
            take_up(&self.board, &reopened.run).await?;
        }
        Ok(())
    }

    /// Cancels what has not been sent of a run, wherever it is walked; false if it is at its end.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn cancel_run(&self, id: RunId) -> Result<bool, StoreError> {
        match self.board.run(id) {
            Some(run) => stops::cancel(&self.board, &run).await,
            None => self.board.desk.runs.stop_run(id).await,
        }
    }

    /// Cancels what has not been sent of all runs of a call; gives how many were under way.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn cancel_call(&self, id: &CallId) -> Result<usize, StoreError> {
        let mut cancelled = 0;
        for run in self.log.runs_of_call(id).await? {
            cancelled += usize::from(self.cancel_run(run.id).await?);
        }
        Ok(cancelled)
    }

    /// Stops sending by a channel, or resumes; until the process ends.
    pub fn pause_channel(&self, channel: &ChannelName, paused: bool) {
        self.board.desk.post.outbox(channel).pause(paused);
    }
}
