//! The time that a thread has computed: it stands still while the process is stopped, waits, or is throttled.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::domain::time_budget::TimeBudget;

/// A budget of this thread's own time from now on; only this thread may ask for it.
pub(super) fn budget(most: Duration) -> TimeBudget {
    let began = used();
    TimeBudget::new(move || used().saturating_sub(began) > most)
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
