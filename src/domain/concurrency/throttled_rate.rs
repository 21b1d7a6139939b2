//! The rate at which a provider that throttles is given messages: what it took in a second, a little less, then growing
//! back to that and, slowly at first, beyond it (the curve is that of RFC 9438).
//!
//! How many are under way cannot say how many may begin in a second where answers are fast, and refusals are the fastest.
//!
//! Where a far lower rate is throttled as much, the rate is not the reason.

use std::time::Duration;

use super::unrelated::{LOOK, Room, UnrelatedRefusals, Verdict};
use super::{AttemptEnd, EndedAttempt};

/// To which share of what was taken a throttled rate falls.
const FALLS_TO: f64 = 0.95;
/// Where no larger share of the answers of a second is throttled, it falls by that share and not below it.
const THROTTLED_LITTLE: f64 = 0.04;
/// In how many periods it is back there (the `K` of RFC 9438).
const BACK_AFTER: u32 = 3;
/// Beyond what was taken a rate grows with its square root, as much as its own share at so many a second. Those of
/// several processes that share a provider become equal by that: each is cut by the share that is throttled.
const GROWS_AS_ONE_OF: f64 = 500.0;
/// Grown to so many times of what was taken, it limits nothing any more.
const FORGOTTEN_AT: f64 = 3.0;
/// Where nothing was throttled for so long it is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);
/// The lowest rate that a single period gives: it may have begun or ended with an outage, or little was sent in it.
const FIRST_MIN: f64 = 64.0;
/// The same where most of it was throttled.
const FIRST_MIN_THROTTLED: f64 = 16.0;
/// No lower rate is learned.
const LOWEST: f64 = 1.0;
/// So many times of it is as good as it.
const NEARLY: f64 = 1.05;
/// To which share one period reduces it at most.
const CUT_MAX: f64 = 0.5;
/// Providers count by the second. After a cut the second that was used up by the rate before is left out.
const PERIOD: Duration = Duration::from_secs(1);
/// A period is judged once there are so many answers: where fewer come in a second, it is longer.
const ANSWERS_MIN: u32 = 30;
const PERIOD_MAX: Duration = Duration::from_secs(30);
/// After a longer time without an answer a period begins anew.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a start is held back before it is asked for again, at most.
const HELD_BACK_AT_ONCE: Duration = Duration::from_millis(250);
/// How much may begin at once after a pause, as a part of a second.
const BURST: f64 = 1.0 / 50.0;

/// A rate that is learned from throttled answers; there is none before the first.
#[derive(Debug, Default)]
pub struct ThrottledRate {
    learned: Option<Learned>,
    period: Period,
    unrelated: UnrelatedRefusals,
    /// When the last answer came.
    answered_at: Duration,
    tokens: f64,
    filled_at: Duration,
}

#[derive(Debug, Default)]
struct Period {
    began: Duration,
    taken: u32,
    throttled: u32,
}

impl Period {
    fn answers(&self) -> u32 {
        self.taken + self.throttled
    }
}

#[derive(Debug)]
struct Learned {
    /// What the provider took a second.
    taken: f64,
    /// For how long it has held something back since.
    held_back_for: Duration,
    is_holding_back: bool,
    /// When it was learned.
    set_at: Duration,
}

impl Learned {
    fn back_after(&self) -> Duration {
        let period = Duration::from_secs_f64(f64::from(ANSWERS_MIN) / self.taken).clamp(PERIOD, PERIOD_MAX);
        period * BACK_AFTER
    }

    fn per_second(&self) -> f64 {
        let back_after = self.back_after().as_secs_f64();
        let beyond = ((self.held_back_for.as_secs_f64() - back_after) / back_after).powi(3);
        let grows_by = if beyond < 0.0 { self.taken } else { (self.taken * GROWS_AS_ONE_OF).sqrt() };
        self.taken + grows_by * (1.0 - FALLS_TO) * beyond
    }
}

impl ThrottledRate {
    /// How many attempts may begin in a second; `None` for as many as there are.
    pub fn per_second(&self) -> Option<f64> {
        self.learned.as_ref().map(Learned::per_second)
    }

    /// Takes a start, if one is due.
    pub fn take(&mut self, now: Duration) -> bool {
        self.fill(now);
        let Some(learned) = &mut self.learned else { return true };
        learned.is_holding_back = self.tokens < 1.0;
        if learned.is_holding_back {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// Gives a start back that was taken and not used.
    pub fn put_back(&mut self) {
        self.tokens += 1.0;
    }

    /// When the next start is due, if one was refused.
    pub fn next(&self) -> Option<Duration> {
        let rate = self.learned.as_ref().filter(|it| it.is_holding_back)?.per_second();
        Some(self.filled_at + Duration::from_secs_f64((1.0 - self.tokens).max(0.0) / rate))
    }

    /// An attempt ended.
    pub fn answered(&mut self, attempt: EndedAttempt, now: Duration) {
        if self.learned.as_ref().is_some_and(|learned| attempt.began < learned.set_at + PERIOD) {
            return;
        }
        if now.saturating_sub(self.answered_at) >= PAUSE || self.period.answers() == 0 {
            self.period = Period { began: now, ..Period::default() };
        }
        self.answered_at = now;
        match attempt.end {
            AttemptEnd::Taken => self.period.taken += 1,
            AttemptEnd::Throttled => self.period.throttled += 1,
            AttemptEnd::Failed | AttemptEnd::Refused => {}
        }
        let length = now.saturating_sub(self.period.began);
        if length >= PERIOD_MAX || (length >= PERIOD && self.period.answers() >= ANSWERS_MIN) {
            let period = std::mem::replace(&mut self.period, Period { began: now, ..Period::default() });
            self.judge(&period, now);
        }
    }

    fn judge(&mut self, period: &Period, now: Duration) {
        // One that takes nothing is down, which says nothing of its rate.
        if period.taken == 0 {
            return;
        }
        self.fill(now);
        let seconds = now.saturating_sub(period.began).as_secs_f64();
        let is_throttled = period.throttled > period.taken;
        let first_min = if is_throttled { FIRST_MIN_THROTTLED } else { FIRST_MIN };
        let rate = self.per_second().unwrap_or((f64::from(period.answers()) / seconds).max(first_min));
        let room = match rate {
            rate if rate * LOOK >= LOWEST => Room::Enough,
            rate if rate > LOWEST * NEARLY => Room::Little,
            _ => Room::None,
        };
        match self.unrelated.judge(rate, room, (period.answers(), period.throttled), now) {
            Verdict::Unsure | Verdict::Fine => {}
            Verdict::Refused(share) => {
                // What was taken before anything was learned is known; a learned rate is cut step by step.
                let (kept_min, lowest) =
                    if self.learned.is_none() { (0.0, first_min) } else { (CUT_MAX, LOWEST) };
                let taken = (rate * (1.0 - share).max(kept_min)).max(lowest);
                self.learn(taken, share < THROTTLED_LITTLE, now);
            }
            Verdict::Look => self.learn(rate * LOOK, true, now),
            Verdict::Back(rate) => self.learn(rate, true, now),
        }
    }

    fn learn(&mut self, taken: f64, is_back: bool, now: Duration) {
        let mut learned = Learned {
            taken: taken.max(LOWEST),
            held_back_for: Duration::ZERO,
            is_holding_back: false,
            set_at: now,
        };
        if is_back {
            learned.held_back_for = learned.back_after();
        }
        self.learned = Some(learned);
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled_at);
        self.filled_at = now;
        let Some(learned) = &mut self.learned else { return };
        if learned.is_holding_back {
            // A start that no message was there for was not held back for longer.
            let a_start = Duration::from_secs_f64(1.0 / learned.per_second());
            learned.held_back_for += passed.min(a_start.max(HELD_BACK_AT_ONCE));
        }
        let rate = learned.per_second();
        self.tokens = (self.tokens + passed.as_secs_f64() * rate).min((rate * BURST).max(1.0));
        let is_old = now.saturating_sub(learned.set_at) >= FORGOTTEN_AFTER;
        if is_old || rate >= learned.taken * FORGOTTEN_AT {
            self.learned = None;
            // What was being found out was about that rate.
            self.unrelated.begin_anew();
        }
    }
}
