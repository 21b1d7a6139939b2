//! The time that a thread has computed: it stands still while the process is stopped, waits, or is throttled.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::domain::time_budget::TimeBudget;

/// A budget of this thread's own time from now on; only this thread may ask for it.
///
/// The thread's clock costs a system call, the wall clock none, and a thread computes no longer than that shows. So the
/// thread's clock is read only once half of the budget has passed on the wall, and gives the other half. This wall is the
/// system's and never a simulation's: it bounds what a core really does.
pub(super) fn budget(most: Duration) -> TimeBudget {
    let half = most / 2;
    let (began, second_half) = (Instant::now(), OnceLock::new());
    TimeBudget::new(move || {
        if began.elapsed() <= half {
            return false;
        }
        let used = used();
        used.saturating_sub(*second_half.get_or_init(|| used)) > half
    })
}

/// What this thread has used since it began.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_computes_is_counted() {
        let (none, much) = (budget(Duration::ZERO), budget(Duration::from_secs(3600)));
        let mut sum = 0_u64;
        while !none.is_used_up() {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(!much.is_used_up());
    }
}
