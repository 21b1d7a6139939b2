//! Keys that expired are forgotten, in batches small enough that no call waits for one.
//!
//! A key that is still there after its time occupies nothing: this only keeps the table small.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::runtime::http::app::App;
use crate::store::retention::RowKind;

/// How many keys one commit forgets.
const BATCH: u32 = 500;
/// How long is waited when nothing was left to forget.
const PAUSE: Duration = Duration::from_secs(60);
/// How long between batches, so that calls come first.
const BREATH: Duration = Duration::from_millis(50);

/// Forgets expired keys until it is told to stop.
pub async fn forget_expired_keys(app: Arc<App>, stop: CancellationToken) {
    loop {
        let forgotten = app.calls.forget_keys(Timestamp::now(), BATCH).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "expired keys could not be forgotten; they are tried again");
            0
        });
        app.metrics.retention.removed(RowKind::Keys, forgotten as u64);
        let pause = if forgotten == BATCH as usize { BREATH } else { PAUSE };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
