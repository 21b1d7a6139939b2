//! What happened in a simulation, in its order: a digest of all of it, and its last lines.

use std::collections::VecDeque;
use std::fmt::Arguments;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::SimulatedClock;

/// How many of the last lines are kept, and how much of each; the digest holds all.
const KEPT: usize = 4_000;
const LINE_MAX: usize = 600;

/// The trace of a simulation.
#[derive(Default)]
pub struct Trace(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    digest: DefaultHasher,
    count: u64,
    last: VecDeque<String>,
}

impl Trace {
    /// Notes what happened then, to this replica; 0 is the world around them.
    pub fn note(&self, now: Duration, replica: usize, what: Arguments<'_>) {
        let mut line = format!("{:.6} r{replica} {what}", now.as_secs_f64());
        let mut lines = self.0.lock().unwrap();
        line.hash(&mut lines.digest);
        lines.count += 1;
        line.truncate(line.floor_char_boundary(LINE_MAX));
        lines.last.push_back(line);
        if lines.last.len() > KEPT {
            lines.last.pop_front();
        }
    }

    /// The digest of everything so far, and of how many lines it is.
    pub fn digest(&self) -> (u64, u64) {
        let lines = self.0.lock().unwrap();
        (lines.digest.finish(), lines.count)
    }

    /// The last lines.
    pub fn last(&self) -> Vec<String> {
        self.0.lock().unwrap().last.iter().cloned().collect()
    }
}

/// Where one incarnation of a replica notes what it does.
#[derive(Clone)]
pub struct ReplicaTrace {
    pub trace: Arc<Trace>,
    pub replica: usize,
    pub clock: Arc<SimulatedClock>,
}

impl ReplicaTrace {
    pub fn note(&self, what: Arguments<'_>) {
        self.trace.note(self.clock.now(), self.replica, what);
    }
}
