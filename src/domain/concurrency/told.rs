//! What is told of learned limits where every change is written: coarsely, and not more often than people look.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one process has learned of a provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LearnedLimits {
    /// How many attempts may be under way at once.
    pub concurrency: u32,
    /// How many may begin in a second, if the provider throttles.
    pub per_second: Option<u32>,
}

/// How often a change is told at most.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// What changed by no larger share is not told.
const CHANGED_LITTLE: f64 = 0.25;

impl LearnedLimits {
    /// Whether somebody who knows `before` is to be told.
    fn is_news(self, before: Self) -> bool {
        let changed =
            |before: u32, now: u32| f64::from(before.abs_diff(now)) > f64::from(before) * CHANGED_LITTLE;
        let rate = match (before.per_second, self.per_second) {
            (Some(before), Some(now)) => changed(before, now),
            (before, now) => before.is_some() != now.is_some(),
        };
        rate || changed(before.concurrency, self.concurrency)
    }
}

/// What was told last, and when; times are since any moment that the caller chose once.
#[derive(Debug, Default)]
pub struct ToldLimits(Option<(LearnedLimits, Duration)>);

impl ToldLimits {
    /// What is told now.
    pub fn tell(&mut self, learned: LearnedLimits, now: Duration) -> LearnedLimits {
        match self.0 {
            Some((told, at)) if now.saturating_sub(at) < TOLD_EVERY || !learned.is_news(told) => told,
            _ => {
                self.0 = Some((learned, now));
                learned
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_more_than_a_quarter_is_told_once_a_minute() {
        let mut told = ToldLimits::default();
        let mut tell = |concurrency, per_second, second| {
            let told = told.tell(LearnedLimits { concurrency, per_second }, Duration::from_secs(second));
            (told.concurrency, told.per_second)
        };
        assert_eq!(tell(16, None, 0), (16, None));
        assert_eq!(tell(512, None, 59), (16, None), "it has just been told");
        assert_eq!(tell(512, None, 60), (512, None));
        assert_eq!(tell(640, None, 300), (512, None), "a quarter more is no news");
        assert_eq!(tell(641, None, 301), (641, None));
        assert_eq!(tell(641, Some(500), 400), (641, Some(500)), "a rate was learned");
        assert_eq!(tell(641, Some(400), 500), (641, Some(500)));
        assert_eq!(tell(641, Some(300), 600), (641, Some(300)));
        assert_eq!(tell(641, None, 700), (641, None));
    }
}
