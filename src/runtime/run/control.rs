//! What people decide about runs under way: let them rest, cancel them, send a held delivery again.

use std::sync::Arc;

use jiff::Timestamp;

use super::calls::take_up;
use super::pauses::read_pauses;
use super::{Board, News, PlaybookError, stops};
use crate::domain::delivery::DeliveryId;
use crate::domain::hindrance::{ChannelStanding, Hindrance, hindrances};
use crate::domain::name::{CallId, RunId};
use crate::domain::pause::{Pause, Scope};
use crate::store::StoreError;
use crate::store::pauses::PauseBook;
use crate::store::run_log::{Reopened, RunLog, RunRecord};
use crate::store::runs::UnfinishedRun;

/// The engine's controls. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    pub(in crate::runtime) board: Arc<Board>,
    pub(in crate::runtime) log: Arc<dyn RunLog>,
    pub(in crate::runtime) pauses: Arc<dyn PauseBook>,
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

    /// Whether there is such a delivery.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn knows(&self, id: DeliveryId) -> Result<bool, StoreError> {
        Ok(!self.board.desk.deliveries.get(&[id]).await?.is_empty())
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
    async fn cancel_run(&self, id: RunId) -> Result<bool, StoreError> {
        match self.board.run(id) {
            Some(run) => stops::cancel(&self.board, &run).await,
            None => self.board.desk.runs.stop_run(id).await,
        }
    }

    /// Lets something rest until it is resumed, here at once and elsewhere within a second. Gives the pause that
    /// holds, which may be an earlier one; `None` if there are too many already.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn pause(&self, pause: &Pause) -> Result<Option<Pause>, StoreError> {
        let holds = self.pauses.pause(pause).await?;
        read_pauses(&self.board, self.pauses.as_ref()).await?;
        Ok(holds)
    }

    /// Lets it go on; gives the pause there was.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn resume(&self, scope: &Scope) -> Result<Option<Pause>, StoreError> {
        let ended = self.pauses.resume(scope).await?;
        read_pauses(&self.board, self.pauses.as_ref()).await?;
        Ok(ended)
    }

    /// All pauses that hold, the oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        self.pauses.pauses().await
    }

    /// What holds a run of the call up, as this process sees it.
    pub fn hindrances(&self, call: &CallId, run: &RunRecord, pauses: &[Pause]) -> Vec<Hindrance> {
        let known = self.board.run(run.id);
        let channels = known.iter().flat_map(|run| run.script.channels());
        let standings: Vec<ChannelStanding> =
            channels.map(|channel| self.board.desk.post.standing(channel)).collect();
        hindrances((run.state, &run.scenario, call), run.waiting, pauses, &standings)
    }

    /// Cancels what has not been sent of the runs that are under way now: of a call, of a scenario, of those that send
    /// by a channel, or of all. Gives how many.
    ///
    /// # Errors
    /// See [`StoreError`]; some may have been cancelled.
    pub async fn cancel(&self, scope: &Scope) -> Result<usize, StoreError> {
        let mut cancelled = 0;
        for run in self.board.desk.runs.unfinished_runs(&[]).await? {
            if self.is_in(&run, scope).await? {
                cancelled += usize::from(self.cancel_run(run.id).await?);
            }
        }
        Ok(cancelled)
    }

    async fn is_in(&self, run: &UnfinishedRun, scope: &Scope) -> Result<bool, StoreError> {
        let channel = match scope {
            Scope::Runtime => return Ok(true),
            Scope::Scenario(name) => return Ok(run.scenario == *name),
            Scope::Call(id) => return Ok(run.call.id == *id),
            Scope::Channel(channel) => channel,
        };
        match self.board.desk.playbooks.get(&run.call.version).await {
            Ok(playbook) => Ok(playbook
                .script(&run.call, &run.scenario)
                .is_some_and(|script| script.channels().contains(channel))),
            Err(PlaybookError::Store(error)) => Err(error),
            // It cannot send by any channel.
            Err(PlaybookError::Unusable { .. }) => Ok(false),
        }
    }
}
