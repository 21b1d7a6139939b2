//! What the ledger needs from time to time: partitions for the days to come, processes long gone forgotten.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{PostgresLedger, partitions};
use crate::store::StoreError;
use crate::store::postgres::Database;

/// How often it is seen to; there are days to go when it fails.
const EVERY: Duration = Duration::from_secs(600);

/// Takes care until told to stop.
pub(super) async fn take_care(database: Arc<Database>, stop: CancellationToken) {
    let care = async {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = once(&database).await {
                tracing::warn!(%error, "the ledger could not be taken care of; trying again in {EVERY:?}");
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = care => {}
    }
}

async fn once(database: &Database) -> Result<(), StoreError> {
    partitions::make_ahead(database, Timestamp::now()).await?;
    PostgresLedger::forget_replicas(database).await
}
