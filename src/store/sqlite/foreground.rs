//! How busy this process's files are with anything but the filling of indexes: they are on one disk, whichever is written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::store::load_of_others::LoadOfOthers;

/// For how long files were read and written by others, all together.
static USED_NS: AtomicU64 = AtomicU64::new(0);

/// Who uses a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// A caller waits for it.
    Foreground,
    /// An index is filled.
    Background,
}

impl User {
    /// Notes that a file was used for so long.
    pub(super) fn used(self, took: Duration) {
        if self == User::Foreground {
            USED_NS.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

/// What one task in the background knows of the others.
#[derive(Debug)]
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
            let used = Duration::from_nanos(used_ns.wrapping_sub(self.used_ns));
            self.load.note(used.as_secs_f64() / passed.as_secs_f64(), passed);
            (self.used_ns, self.at) = (used_ns, now);
        }
        self.load.is_idle()
    }
}
