//! What the ledger needs from time to time: partitions for the days to come, processes long gone forgotten.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{PostgresLedger, partitions};
use crate::store::StoreError;
use crate::store::postgres::PostgresDatabase;

/// How often it is seen to; there are days to go when it fails.
const EVERY: Duration = Duration::from_secs(600);

/// Maintains the ledger until stopped.
pub(super) async fn maintain(database: Arc<PostgresDatabase>, stop: CancellationToken) {
    let background_task = async {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = once(&database).await {
                tracing::warn!(%error, "maintenance of the ledger failed; trying again in {EVERY:?}");
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = background_task => {}
    }
}

async fn once(database: &PostgresDatabase) -> Result<(), StoreError> {
    partitions::make_ahead(database, Timestamp::now()).await?;
    PostgresLedger::forget_replicas(database).await
}
