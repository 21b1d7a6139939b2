//! Polls the pauses that people made, by any replica and before this process started, and applies them to the scheduler.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::RunScheduler;
use crate::domain::pause::Pauses;
use crate::store::StoreError;
use crate::store::pauses::PauseBook;

/// How often the store is polled, so that a pause made by another replica takes effect within a second.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// Polls until stopped. If a read fails, the pauses stay as they were; nothing is started before the first read.
pub(in crate::runtime) async fn watch_pauses(
    scheduler: Arc<RunScheduler>,
    book: Arc<dyn PauseBook>,
    stop: CancellationToken,
) {
    let mut failed = false;
    while !stop.is_cancelled() {
        let read = read_pauses(&scheduler, book.as_ref()).await;
        if let (Err(error), false) = (&read, failed) {
            tracing::warn!(%error, "what people have paused cannot be read; it stays as it was");
        }
        failed = read.is_err();
        let _stopped_or_ticked = tokio::time::timeout(CHECK_EVERY, stop.cancelled()).await;
    }
}

/// Reads them once.
pub(super) async fn read_pauses(scheduler: &RunScheduler, book: &dyn PauseBook) -> Result<(), StoreError> {
    let pauses: Pauses = book.pauses().await?.into_iter().map(|pause| pause.scope).collect();
    scheduler.apply_pauses(&Arc::new(pauses));
    Ok(())
}
