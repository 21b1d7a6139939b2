//! Passwords that are held against a stored, slow digest: away from the threads that answer others, and few at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::domain::credentials::{Digest, SlowDigest};

/// How many are held against one at a time: each takes a core for a good part of a second.
const AT_A_TIME: usize = 2;
/// How long a caller waits for its turn.
const TURN_MAX: Duration = Duration::from_secs(5);

/// Takes turns.
#[derive(Debug)]
pub struct SlowChecks(Arc<Semaphore>);

impl Default for SlowChecks {
    fn default() -> Self {
        SlowChecks(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

/// No check could start for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoTurn;

impl SlowChecks {
    /// Proves the digests of a presented password, or finds that they are of another.
    pub(super) async fn prove(&self, slow: Vec<Arc<SlowDigest>>, digest: Digest) -> Result<(), NoTurn> {
        if slow.is_empty() {
            return Ok(());
        }
        let turn = tokio::time::timeout(TURN_MAX, Arc::clone(&self.0).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(NoTurn) };
        let proving = tokio::task::spawn_blocking(move || {
            // The permit is held as long as the work runs, also when the request was given up meanwhile.
            let _turn = turn;
            slow.iter().any(|slow| slow.prove(&digest))
        });
        proving.await.map(drop).map_err(|_| NoTurn)
    }
}
