//! How long calls and events are kept, and from when on something is old enough to be removed.
//!
//! A call is as old as its acceptance, an event as its own time. What is at its end and older goes; all else stays.

use std::time::Duration;

use jiff::Timestamp;

use super::duration::duration_in_text;

/// The shortest and the longest that something can be kept. Shorter, a call would be gone before its caller has asked what
/// came of it.
pub const KEPT_MIN: Duration = Duration::from_secs(60);
/// See [`KEPT_MIN`]: a hundred years.
pub const KEPT_MAX: Duration = Duration::from_secs(36_500 * 86_400);
/// How much longer than calls a version is kept that nothing refers to: clocks of replicas differ, and one may take calls
/// with it that it has not told of yet.
const VERSIONS_LONGER: Duration = Duration::from_secs(86_400);

/// How long things are kept; `None` is for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Calls, with their runs and deliveries, and refusals.
    pub calls: Option<Duration>,
    /// Customers' events.
    pub events: Option<Duration>,
}

impl RetentionPolicy {
    /// Calls received before then may go.
    pub fn calls_before(&self, now: Timestamp) -> Option<Timestamp> {
        before(now, self.calls?)
    }

    /// Versions that were in force last before then may go.
    pub fn versions_before(&self, now: Timestamp) -> Option<Timestamp> {
        before(now, self.calls?.checked_add(VERSIONS_LONGER)?)
    }

    /// Events before then may go.
    pub fn events_before(&self, now: Timestamp) -> Option<Timestamp> {
        before(now, self.events?)
    }

    /// What is kept for how long: `calls for 30d, events for ever`.
    pub fn in_words(&self) -> String {
        self.in_words_since(None, None)
    }

    /// The same with the day of the oldest call and of the oldest event, where there are some:
    /// `calls for 30d (since 2026-11-01), events for ever`.
    pub fn in_words_since(&self, calls: Option<Timestamp>, events: Option<Timestamp>) -> String {
        let kept = |length: Option<Duration>, oldest: Option<Timestamp>| {
            let length =
                length.map_or_else(|| "for ever".to_owned(), |it| format!("for {}", duration_in_text(it)));
            let since = oldest.map(|oldest| format!(" (since {})", oldest.strftime("%Y-%m-%d")));
            length + &since.unwrap_or_default()
        };
        format!("calls {}, events {}", kept(self.calls, calls), kept(self.events, events))
    }
}

/// A moment that is out of range is before everything.
fn before(now: Timestamp, length: Duration) -> Option<Timestamp> {
    now.checked_sub(length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_for_ever_is_never_old_enough() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let policy = RetentionPolicy { calls: Some(Duration::from_secs(86_400)), events: None };
        assert_eq!(policy.calls_before(now), Some(Timestamp::from_second(1_799_913_600).unwrap()));
        assert_eq!(policy.versions_before(now), Some(Timestamp::from_second(1_799_827_200).unwrap()));
        assert_eq!(policy.events_before(now), None);
        assert_eq!(policy.in_words(), "calls for 1d, events for ever");
        let since = policy.in_words_since(Some(Timestamp::UNIX_EPOCH), None);
        assert_eq!(since, "calls for 1d (since 1970-01-01), events for ever");
        let longest = RetentionPolicy { calls: Some(KEPT_MAX), events: Some(KEPT_MAX) };
        assert!(longest.calls_before(now).is_some_and(|before| before < Timestamp::UNIX_EPOCH));
    }
}
