//! The rate windows of all triggers that declare one.
//!
//! One replica decides in memory: the times of the calls that count are read from the ledger when a window is first
//! needed, so a restart forgets none. Triggers without a window take no lock here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;

use crate::compile::{Snapshot, Trigger};
use crate::domain::admission::Refusal;
use crate::domain::name::TriggerName;
use crate::domain::rate_window::{AcceptedWindow, RateLimit};
use crate::store::StoreError;
use crate::store::calls::Calls;

/// The windows by trigger. A window outlives a change of its limit; one that grew begins with what it remembers.
#[derive(Debug, Default)]
pub struct RateWindows {
    windows: RwLock<HashMap<TriggerName, Arc<Mutex<AcceptedWindow>>>>,
}

/// One trigger's window and its limit.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    limit: RateLimit,
    window: Arc<Mutex<AcceptedWindow>>,
}

impl RateWindows {
    /// Reads the windows that the snapshot needs and that are not known yet.
    ///
    /// # Errors
    /// The ledger could not be read.
    pub async fn remember(
        &self,
        snapshot: &Snapshot,
        calls: &dyn Calls,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for trigger in snapshot.triggers.values() {
            let Some(limit) = trigger.rate else { continue };
            if self.window(&trigger.name).is_some() {
                continue;
            }
            let since = now.checked_sub(limit.per).unwrap_or(Timestamp::MIN);
            let times = calls.accepted_times(&trigger.name, since, limit.calls).await?;
            let window = Arc::new(Mutex::new(AcceptedWindow::from_accepted(times)));
            let mut windows = self.windows.write().unwrap_or_else(PoisonError::into_inner);
            windows.entry(trigger.name.clone()).or_insert(window);
        }
        Ok(())
    }

    /// The trigger's window; `None` if it has no limit.
    pub(super) fn of(&self, trigger: &Trigger) -> Option<Rate> {
        let limit = trigger.rate?;
        Some(Rate { limit, window: self.window(&trigger.name)? })
    }

    fn window(&self, trigger: &TriggerName) -> Option<Arc<Mutex<AcceptedWindow>>> {
        self.windows.read().unwrap_or_else(PoisonError::into_inner).get(trigger).cloned()
    }
}

impl Rate {
    pub(super) fn take(&self, count: u32, now: Timestamp) -> Result<(), Refusal> {
        let taken = self.lock().take(self.limit, count, now);
        taken.map_err(|retry_after: Duration| Refusal::RateWindow { retry_after })
    }

    pub(super) fn give_back(&self, count: u32) {
        self.lock().give_back(count);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, AcceptedWindow> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
