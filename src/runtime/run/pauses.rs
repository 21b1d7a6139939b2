//! Keeps the board to what people have paused: here, by another replica, or before this process began.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Board;
use crate::domain::pause::Pauses;
use crate::store::StoreError;
use crate::store::pauses::PauseBook;

/// How often the store is asked: what another replica paused rests within a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Watches until told to stop. What cannot be read stays as it was; nothing is begun before the first reading.
pub(in crate::runtime) async fn watch_pauses(
    board: Arc<Board>,
    book: Arc<dyn PauseBook>,
    mut stop: watch::Receiver<bool>,
) {
    let mut failed = false;
    while !*stop.borrow() {
        let read = read_pauses(&board, book.as_ref()).await;
        if let (Err(error), false) = (&read, failed) {
            tracing::warn!(%error, "what people have paused cannot be read; it stays as it was");
        }
        failed = read.is_err();
        let _stopped_or_ticked = tokio::time::timeout(LOOK_EVERY, stop.changed()).await;
    }
}

/// Reads them once.
pub(super) async fn read_pauses(board: &Board, book: &dyn PauseBook) -> Result<(), StoreError> {
    let pauses: Pauses = book.pauses().await?.into_iter().map(|pause| pause.scope).collect();
    board.let_rest(&Arc::new(pauses));
    Ok(())
}
