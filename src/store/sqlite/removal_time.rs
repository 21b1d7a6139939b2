//! How long one batch that removes what is old may hold a file's writer.

use std::time::Duration;

/// While there are no other writers: the next one waits as long, and for the flush.
const ALONE: Duration = Duration::from_millis(2);
/// While others write.
const BESIDE_OTHERS: Duration = Duration::from_millis(1);

/// How long one batch may take.
pub(super) fn batch_time(others_write: bool) -> Duration {
    if others_write { BESIDE_OTHERS } else { ALONE }
}
