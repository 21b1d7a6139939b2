//! Controls for people: pause, resume and cancel runs, resend or close a held delivery.

use std::sync::Arc;

use super::calls::take_up;
use super::pauses::read_pauses;
use super::{ChunkEvent, RunScheduler, VersionError, stops};
use crate::domain::delivery::DeliveryId;
use crate::domain::hindrance::{ChannelStanding, Hindrance, hindrances};
use crate::domain::name::{CallId, ChannelName, RunId, ScenarioName, VersionId};
use crate::domain::pause::{Pause, PauseScope};
use crate::store::StoreError;
use crate::store::pauses::PauseBook;
use crate::store::run_log::{Reopened, RunLog, RunRecord};
use crate::store::runs::RunUnderWay;

/// The engine's controls. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    pub(in crate::runtime) scheduler: Arc<RunScheduler>,
    pub(in crate::runtime) log: Arc<dyn RunLog>,
    pub(in crate::runtime) pauses: Arc<dyn PauseBook>,
}

impl Control {
    /// Sends a held delivery again, as its customer is now; false if it is not held, or its run was cancelled.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn resend(&self, id: DeliveryId) -> Result<bool, StoreError> {
        let Some(reopened) = self.log.resend(id, self.scheduler.context.clock.now()).await? else {
            return Ok(false);
        };
        tracing::info!(call = %reopened.run.call.id, delivery = %id, "a person lets it be sent again");
        self.take_up(id, &reopened).await?;
        Ok(true)
    }

    /// Closes a held delivery as unknown; false if it is not held.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn close(&self, id: DeliveryId) -> Result<bool, StoreError> {
        self.log.close_held(id, self.scheduler.context.clock.now()).await
    }

    /// Whether there is such a delivery.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn knows(&self, id: DeliveryId) -> Result<bool, StoreError> {
        Ok(!self.scheduler.context.deliveries.get(&[id]).await?.is_empty())
    }

    async fn take_up(&self, id: DeliveryId, reopened: &Reopened) -> Result<(), StoreError> {
        if let Some(chunk) = self.scheduler.live(reopened.chunk) {
            chunk.begin(1);
            chunk.tell(ChunkEvent::Retry(id));
        } else if !self.scheduler.reopen(reopened.chunk) {
            take_up(&self.scheduler, &reopened.run).await?;
        }
        Ok(())
    }

    /// Cancels what has not been sent of a run, whichever process works on it; false if it has ended.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn cancel_run(&self, id: RunId) -> Result<bool, StoreError> {
        match self.scheduler.run(id) {
            Some(run) => stops::cancel(&self.scheduler, &run).await,
            None => self.scheduler.context.runs.stop_run(id).await,
        }
    }

    /// Pauses something until it is resumed: in this process at once, in others within a second. Returns the pause that
    /// holds, which may be an earlier one; `None` if there are too many already.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn pause(&self, pause: &Pause) -> Result<Option<Pause>, StoreError> {
        let holds = self.pauses.pause(pause).await?;
        read_pauses(&self.scheduler, self.pauses.as_ref()).await?;
        Ok(holds)
    }

    /// Lets it go on; gives the pause there was.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn resume(&self, scope: &PauseScope) -> Result<Option<Pause>, StoreError> {
        let ended = self.pauses.resume(scope).await?;
        read_pauses(&self.scheduler, self.pauses.as_ref()).await?;
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
        let known = self.scheduler.run(run.id);
        let channels = known.iter().flat_map(|run| run.bound.channels());
        let standings: Vec<ChannelStanding> =
            channels.map(|channel| self.scheduler.context.dispatchers.channel_standing(channel)).collect();
        hindrances((run.state, &run.scenario, call), run.waiting, pauses, &standings)
    }

    /// Cancels what has not been sent of the runs that are under way now: of a call, of a scenario, of those that send
    /// by a channel, or of all. Gives how many.
    ///
    /// # Errors
    /// See [`StoreError`]; some may have been cancelled.
    pub async fn cancel(&self, scope: &PauseScope) -> Result<usize, StoreError> {
        let mut cancelled = 0;
        for run in self.scheduler.context.runs.runs_under_way().await? {
            if self.is_in(&run, scope).await? {
                cancelled += usize::from(self.cancel_run(run.id).await?);
            }
        }
        Ok(cancelled)
    }

    async fn is_in(&self, run: &RunUnderWay, scope: &PauseScope) -> Result<bool, StoreError> {
        match scope {
            PauseScope::Runtime => Ok(true),
            PauseScope::Scenario(name) => Ok(run.scenario == *name),
            PauseScope::Call(id) => Ok(run.call == *id),
            PauseScope::Channel(channel) => self.sends_by(&run.version, &run.scenario, channel).await,
        }
    }

    async fn sends_by(
        &self,
        version: &VersionId,
        scenario: &ScenarioName,
        channel: &ChannelName,
    ) -> Result<bool, StoreError> {
        match self.scheduler.context.versions.get(version).await {
            Ok(version) => Ok(version.sends_by(scenario, channel)),
            Err(VersionError::Store(error)) => Err(error),
            // It cannot send by any channel.
            Err(VersionError::Unusable { .. }) => Ok(false),
        }
    }
}
