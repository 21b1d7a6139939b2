//! How busy this process's files are with anything but the filling of indexes: they are on one disk, whichever is written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::store::load_of_others::LoadOfOthers;

/// For how long files were read and written by others, all together.
static USED_NS: AtomicU64 = AtomicU64::new(0);
/// How many others read just now: what takes long is seen before it ends.
static READING: AtomicU64 = AtomicU64::new(0);
/// For so long at most a use that is over still counts.
const REMEMBERED: Duration = Duration::from_secs(1);

/// Who uses a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// A caller waits for it.
    Foreground,
    /// An index is filled.
    Background,
}

/// A reader at work, from when it is made until it is dropped.
pub(super) struct AtWork {
    user: User,
    began: Instant,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if self.user == User::Foreground {
            READING.fetch_sub(1, Ordering::Relaxed);
        }
        self.user.used(self.began.elapsed());
    }
}

impl User {
    /// It begins to read.
    pub(super) fn at_work(self) -> AtWork {
        if self == User::Foreground {
            READING.fetch_add(1, Ordering::Relaxed);
        }
        AtWork { user: self, began: Instant::now() }
    }

    /// Notes that a file was used for so long.
    pub(super) fn used(self, took: Duration) {
        if self == User::Foreground {
            USED_NS.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

/// What one task in the background knows of the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Foreground {
    load: LoadOfOthers,
    used_ns: u64,
    at: Instant,
}

impl Foreground {
    pub(super) fn begin() -> Self {
        let used_ns = USED_NS.load(Ordering::Relaxed);
        Foreground { load: LoadOfOthers::unknown(), used_ns, at: Instant::now() }
    }

    /// Looks how much others did since the last look; whether they hardly do anything.
    pub(super) fn is_idle(&mut self) -> bool {
        let (used_ns, now) = (USED_NS.load(Ordering::Relaxed), Instant::now());
        let passed = now.duration_since(self.at);
        if !passed.is_zero() {
            // What was used before this look began is told when it ends: it counts for the looks behind it, too.
            let told = Duration::from_nanos(used_ns.saturating_sub(self.used_ns)).min(passed + REMEMBERED);
            let used = told.min(passed);
            let is_read = READING.load(Ordering::Relaxed) > 0;
            let share = if is_read { 1.0 } else { used.as_secs_f64() / passed.as_secs_f64() };
            self.load.note(share, passed);
            let still = u64::try_from((told - used).as_nanos()).unwrap_or(u64::MAX);
            (self.used_ns, self.at) = (used_ns.saturating_sub(still), now);
        }
        self.load.is_idle()
    }
}
