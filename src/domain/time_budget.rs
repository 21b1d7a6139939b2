//! How long writing a message may take, as the renderer asks now and then. The clock is the caller's.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A bound on time. Cheap to clone; the clones share it.
#[derive(Clone, Default)]
pub struct TimeBudget(Option<Arc<Inner>>);

struct Inner {
    is_used_up: Box<dyn Fn() -> bool + Send + Sync>,
    asked: AtomicU32,
}

/// How often something small is done before the clock is looked at again.
const LOOK_EVERY: u32 = 16;

/// What is said of a message that takes longer.
pub const TAKES_TOO_LONG: &str = "this takes more time than one message may";

impl TimeBudget {
    /// It is used up once this says so.
    pub fn new(is_used_up: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        TimeBudget(Some(Arc::new(Inner { is_used_up: Box::new(is_used_up), asked: AtomicU32::new(0) })))
    }

    /// Whether it is used up.
    pub fn is_used_up(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| (inner.is_used_up)())
    }

    /// The same, before something small: most of these look at no clock.
    pub fn is_used_up_by_now(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| {
            inner.asked.fetch_add(1, Ordering::Relaxed) % LOOK_EVERY == 0 && (inner.is_used_up)()
        })
    }
}

impl fmt::Debug for TimeBudget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "TimeBudget" } else { "TimeBudget(none)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_asked_now_and_then_and_without_one_there_is_time() {
        assert!(!TimeBudget::default().is_used_up());
        let budget = TimeBudget::new(|| true);
        let found = (0..2 * LOOK_EVERY).filter(|_| budget.is_used_up_by_now()).count();
        assert_eq!(found, 2);
        assert!(budget.is_used_up());
    }
}
