//! How much a store is used by others than one task in the background, which goes on at full speed while they hardly use it.

use std::time::Duration;

/// How far back the average reaches.
const REACHES_BACK: Duration = Duration::from_millis(100);
/// Others who use less of the time than this are not held up by anything worth a rest. What an idle process asks its store
/// for by itself is far below it.
const IDLE_SHARE: f64 = 0.1;

/// An average of the share of the time in which others use the store, the latest counting most.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoadOfOthers(f64);

impl LoadOfOthers {
    /// Not known yet, so taken for busy.
    pub(super) fn unknown() -> Self {
        LoadOfOthers(1.0)
    }

    /// Others used such a share of the time, from 0 to 1, that has passed since the last note.
    pub(super) fn note(&mut self, share: f64, passed: Duration) {
        let weight = 1.0 - (-passed.as_secs_f64() / REACHES_BACK.as_secs_f64()).exp();
        self.0 += weight * (share.clamp(0.0, 1.0) - self.0);
    }

    /// Whether others hardly use it.
    pub(super) fn is_idle(self) -> bool {
        self.0 < IDLE_SHARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes of ten milliseconds each, until `is_idle` says so.
    fn notes_until(load: &mut LoadOfOthers, share: f64, is_idle: bool) -> usize {
        let mut notes = 0;
        while load.is_idle() != is_idle {
            load.note(share, Duration::from_millis(10));
            notes += 1;
            assert!(notes < 1_000);
        }
        notes
    }

    #[test]
    fn it_is_idle_a_while_after_others_have_stopped_and_busy_soon_after_they_began() {
        let mut load = LoadOfOthers::unknown();
        assert!((10..50).contains(&notes_until(&mut load, 0.0, true)));
        assert!(notes_until(&mut load, 0.5, false) <= 5);
        load.note(0.5, Duration::from_secs(1));
        assert!((10..50).contains(&notes_until(&mut load, 0.0, true)));
    }

    #[test]
    fn one_question_now_and_then_is_no_load() {
        let mut load = LoadOfOthers::unknown();
        load.note(0.0, Duration::from_secs(1));
        for note in 0..1_000 {
            load.note(if note % 20 == 0 { 0.5 } else { 0.0 }, Duration::from_millis(10));
            assert!(load.is_idle(), "{load:?} after {note}");
        }
    }
}
