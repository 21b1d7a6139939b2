//! Simulated time: since the beginning of the simulation, and as the clock on a replica's wall shows it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Midnight before the simulation begins.
const BEGIN: &str = "2026-03-01T00:00:00Z";

/// The clock of one incarnation of a replica. It is read on the replica's runtime, whose time is paused.
pub struct SimulatedClock {
    /// When the incarnation began: in the simulation, and on its runtime.
    began: Duration,
    origin: Instant,
    /// How far the wall clock is ahead of the others.
    ahead_ms: AtomicI64,
}

/// The time of a moment of the simulation.
pub fn wall(now: Duration) -> Timestamp {
    let begin: Timestamp = BEGIN.parse().unwrap();
    begin + SignedDuration::try_from(now).unwrap()
}

impl SimulatedClock {
    /// A clock of an incarnation that begins then. Must be called within its runtime.
    pub fn new(began: Duration, ahead_ms: i64) -> Self {
        SimulatedClock { began, origin: Instant::now(), ahead_ms: AtomicI64::new(ahead_ms) }
    }

    /// The time since the beginning of the simulation.
    pub fn now(&self) -> Duration {
        self.began + self.origin.elapsed()
    }

    /// When this moment of the simulation is on the runtime.
    pub fn instant_of(&self, moment: Duration) -> Instant {
        self.origin + moment.saturating_sub(self.began)
    }

    /// What the wall clock shows.
    pub fn wall(&self) -> Timestamp {
        wall(self.now()) + SignedDuration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Sets the wall clock.
    pub fn set_ahead(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }
}
