//! The end of a simulated process: from then on nothing of it reaches store or provider.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::trace::ReplicaTrace;

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
