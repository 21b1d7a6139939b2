//! The engine's time. All of the engine asks this clock and no other, so that a simulation can give it both of its times.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Wall time as the system or a simulation shows it, and monotonic time as the runtime counts it. Cheap to clone and to ask.
#[derive(Clone, Default)]
pub struct Clock(Wall);

#[derive(Clone, Default)]
enum Wall {
    #[default]
    System,
    Given(Arc<dyn Fn() -> Timestamp + Send + Sync>),
}

impl Clock {
    /// Wall time is the system's.
    pub fn system() -> Self {
        Clock::default()
    }

    /// Wall time is what the function gives. It is asked often, from any thread.
    pub fn of(wall: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Clock(Wall::Given(Arc::new(wall)))
    }

    /// Wall time.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Wall::System => Timestamp::now(),
            Wall::Given(wall) => wall(),
        }
    }

    /// Monotonic time. It is tokio's, and so the time of its timers: within a runtime whose time is paused it stands still but
    /// when the runtime moves it; else it is the system's. What is counted from it must not be held against
    /// `std::time::Instant::now()` or `Instant::elapsed()`, which read the system's in any case.
    pub fn instant(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    /// How long ago that was, by monotonic time.
    pub(super) fn since(&self, at: Instant) -> Duration {
        self.instant().saturating_duration_since(at)
    }

    /// Both, for what is counted by either.
    pub(super) fn both(&self) -> (Instant, Timestamp) {
        (self.instant(), self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_what_is_given_and_monotonic_time_that_of_timers() {
        let given = Clock::of(|| Timestamp::UNIX_EPOCH);
        assert_eq!((given.now(), given.clone().now()), (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH));
        let before = tokio::time::Instant::now().into_std();
        let now = given.instant();
        assert!((before..=tokio::time::Instant::now().into_std()).contains(&now));
    }
}
