//! Until when a simulated process may act: the end of its lease, and its crash, after which nothing of it reaches store or
//! provider.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::Notify;

use crate::trace::ReplicaTrace;

/// The lease of one incarnation of a replica, as the store gave it.
#[derive(Default)]
pub struct SeenLease(Mutex<Option<Instant>>);

impl SeenLease {
    pub fn extend(&self, until: Instant) {
        *self.0.lock().unwrap() = Some(until);
    }

    /// Whether it runs at that time.
    pub fn runs(&self, now: Instant) -> bool {
        self.0.lock().unwrap().is_some_and(|until| now < until)
    }
}

/// Whether one incarnation of a replica has crashed.
pub struct CrashSwitch {
    has_crashed: AtomicBool,
    /// Told when it has, so that the simulation ends it at once.
    pub crashed: Notify,
    trace: ReplicaTrace,
}

impl CrashSwitch {
    pub fn new(trace: ReplicaTrace) -> Self {
        CrashSwitch { has_crashed: AtomicBool::new(false), crashed: Notify::new(), trace }
    }

    pub fn has_crashed(&self) -> bool {
        self.has_crashed.load(Ordering::Relaxed)
    }

    /// Crashes the replica. Whoever asks goes no further.
    pub async fn crash(&self, place: &str) {
        if !self.has_crashed.swap(true, Ordering::Relaxed) {
            self.trace.note(format_args!("crash {place}"));
        }
        self.crashed.notify_one();
        std::future::pending::<()>().await;
    }

    /// Goes no further in a replica that has crashed.
    pub async fn wait_if_crashed(&self) {
        if self.has_crashed() {
            std::future::pending::<()>().await;
        }
    }
}
