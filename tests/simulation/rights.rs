//! What one incarnation of a replica may do, as the store told it: until when its lease runs, and which channels are paused.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fanfare::domain::pause::{Pause, PauseScope};

/// How soon a pause must be heeded that was read.
const HEEDED_WITHIN: Duration = Duration::from_millis(500);

/// The rights of one incarnation of a replica.
#[derive(Default)]
pub struct Rights(Mutex<Told>);

#[derive(Default)]
struct Told {
    lease_until: Option<Instant>,
    /// Since when it is known of channels by name.
    paused: BTreeMap<String, Instant>,
}

impl Rights {
    pub fn extend_lease(&self, until: Instant) {
        self.0.lock().unwrap().lease_until = Some(until);
    }

    /// The pauses that were read.
    pub fn read_pauses(&self, pauses: &[Pause], now: Instant) {
        let mut told = self.0.lock().unwrap();
        let before = std::mem::take(&mut told.paused);
        for pause in pauses {
            if let PauseScope::Channel(channel) = &pause.scope {
                let name = channel.to_string();
                let since = before.get(&name).copied().unwrap_or(now);
                told.paused.insert(name, since);
            }
        }
    }

    /// Why nothing may be sent on a channel, if that is so.
    pub fn forbid(&self, channel: &str, now: Instant) -> Option<&'static str> {
        let told = self.0.lock().unwrap();
        if told.lease_until.is_none_or(|until| now >= until) {
            return Some("without a lease");
        }
        let paused = told.paused.get(channel).is_some_and(|since| now >= *since + HEEDED_WITHIN);
        paused.then_some("though the channel is paused")
    }
}
