//! The concurrency limit: it grows while it is used and answers come as fast as at a lower load, and shrinks on failures
//! and on growing latency.
//!
//! It moves once a round, which is a round trip and a few answers more. What a low load takes is the baseline that
//! latencies are compared with. Where they stay above it, the load is reduced for a round: if they fall, the queue was
//! ours and the baseline holds; if not, the provider has become slower and what it takes now is the baseline.

use std::time::Duration;

use super::unrelated::{LOOK, Room, UnrelatedRefusals, Verdict};
use super::{AttemptEnd, EndedAttempt};

/// How many attempts may be under way before anything is known.
pub const START: usize = 16;
/// At least so many may be under way.
pub const FLOOR: usize = 1;
/// Never more are under way.
pub const CEILING: usize = 1024;

/// How many answers of attempts that began in a round end it, at most and at least.
const ANSWERS_MAX: f64 = 16.0;
const ANSWERS_MIN: f64 = 2.0;
/// How many latencies of a round are kept.
const LATENCIES_MAX: usize = 64;
/// Up to here the latency is that of a low load, and the limit may grow.
const CALM: Tolerance = Tolerance { factor: 1.5, added: Duration::from_millis(5) };
/// From here on the limit shrinks.
const CONGESTED: Tolerance = Tolerance { factor: 2.0, added: Duration::from_millis(10) };
/// To which share one round reduces it at most.
const CUT_MAX: f64 = 0.5;
/// The same where all of it was refused.
const REFUSED_CUT_MAX: f64 = 0.25;
/// Where a larger share of a round failed or was throttled, the limit grows slowly for so many rounds, and each time
/// faster.
const REFUSED_SOME: f64 = 0.03;
const ROUNDS_UNTIL_SURE: f64 = 100.0;
/// Where so large a share of a round failed or was throttled, the limit does not double.
const REFUSED_MUCH: f64 = 0.1;
/// After so many throttled answers and none other the rate that is known holds no more.
const THROTTLED_IN_A_ROW: u32 = 8;
/// How long latencies may stay above the calm ones until that is looked at; it doubles each time the baseline held.
const RELEARN_AFTER: Duration = Duration::from_secs(10);
const RELEARN_AFTER_MAX: Duration = Duration::from_secs(160);
/// After so long a time without an attempt the limit is at its start again: what was known may be true no more.
const IDLE: Duration = Duration::from_secs(10);

/// How much more than the baseline. The sum lets a provider that is near be used by more than a few at a time.
struct Tolerance {
    factor: f64,
    added: Duration,
}

impl Tolerance {
    fn of(&self, baseline: Duration) -> Duration {
        baseline.mul_f64(self.factor) + self.added
    }
}

/// How many attempts may be under way at once.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    limit: f64,
    ceiling: usize,
    /// Below it the limit doubles each round, from it on it grows by its square root.
    threshold: f64,
    /// What an answer takes at a low load.
    baseline: Option<Duration>,
    round: Round,
    /// Attempts that began before the last decrease say nothing more.
    decreased_at: Duration,
    /// Whether much of the last round failed or was throttled.
    is_refusing: bool,
    unrelated: UnrelatedRefusals,
    rounds_since_refusal: u32,
    /// Since when answers take longer than calm ones.
    slow_since: Option<Duration>,
    relearn_after: Duration,
    /// The load is being reduced.
    reduced: Option<Reduced>,
    last_used: Duration,
    throttled_in_a_row: u32,
}

#[derive(Debug, Default)]
struct Round {
    began: Duration,
    /// The limit that it began with.
    limit: f64,
    /// Answers of attempts that began in it.
    own: u32,
    /// Answers since the last decrease, and how many of them were failures or throttled.
    answers: u32,
    refused: u32,
    peak: usize,
    latencies: Vec<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Reduced {
    /// The limit before.
    from: f64,
    /// Whether it was only to see what a low load takes.
    is_a_look: bool,
}

/// What the latencies of a round say.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Latency {
    Calm,
    Slow,
    /// So far above what is calm: the share of the limit that would do.
    Congested(f64),
    /// Too few messages were taken.
    Unknown,
}

impl ConcurrencyLimit {
    /// A limit at its start that never exceeds the ceiling.
    pub fn new(ceiling: usize) -> Self {
        let ceiling = ceiling.clamp(FLOOR, CEILING);
        let limit = START.min(ceiling) as f64;
        ConcurrencyLimit {
            limit,
            ceiling,
            threshold: ceiling as f64,
            baseline: None,
            round: Round { limit, ..Round::default() },
            decreased_at: Duration::ZERO,
            is_refusing: false,
            unrelated: UnrelatedRefusals::default(),
            rounds_since_refusal: ROUNDS_UNTIL_SURE as u32,
            slow_since: None,
            relearn_after: RELEARN_AFTER,
            reduced: None,
            last_used: Duration::ZERO,
            throttled_in_a_row: 0,
        }
    }

    /// Changes the ceiling.
    pub fn set_ceiling(&mut self, ceiling: usize) {
        self.ceiling = ceiling.clamp(FLOOR, CEILING);
        self.limit = self.limit.min(self.ceiling as f64);
    }

    /// How many attempts may be under way now.
    pub fn current(&self) -> usize {
        // It is between the floor and the ceiling.
        self.limit as usize
    }

    /// An attempt begins, the last of so many under way.
    pub fn started(&mut self, under_way: usize, now: Duration) {
        if under_way <= 1 && now.saturating_sub(self.last_used) >= IDLE {
            self.begin_anew(now);
        }
        self.last_used = now;
        self.round.peak = self.round.peak.max(under_way);
    }

    /// An attempt ended. Where a rate is known at which the provider throttles, that keeps the load low enough, and the
    /// limit does not fall below what such a rate needs.
    pub fn answered(&mut self, attempt: EndedAttempt, per_second: Option<f64>, now: Duration) {
        let EndedAttempt { began, took, end } = attempt;
        // Who waits for an answer is not idle, however long that takes.
        self.last_used = self.last_used.max(now);
        match end {
            AttemptEnd::Throttled => self.throttled_in_a_row += 1,
            AttemptEnd::Taken => self.throttled_in_a_row = 0,
            AttemptEnd::Failed | AttemptEnd::Refused => {}
        }
        if began >= self.decreased_at {
            let is_throttled = end == AttemptEnd::Throttled
                && (per_second.is_none() || self.throttled_in_a_row >= THROTTLED_IN_A_ROW);
            self.round.answers += 1;
            self.round.refused += u32::from(end == AttemptEnd::Failed || is_throttled);
        }
        if began < self.round.began {
            return;
        }
        self.round.own += 1;
        if end == AttemptEnd::Taken && self.round.latencies.len() < LATENCIES_MAX {
            self.round.latencies.push(took);
        }
        let enough = (self.round.limit / 2.0).clamp(ANSWERS_MIN, ANSWERS_MAX);
        if f64::from(self.round.own) >= enough {
            self.end_round(per_second, now);
        }
    }

    fn begin_anew(&mut self, now: Duration) {
        self.threshold = self.threshold.max(self.limit);
        self.limit = self.limit.min(START as f64);
        (self.slow_since, self.reduced) = (None, None);
        self.unrelated.begin_anew();
        self.begin_round(now);
    }

    fn begin_round(&mut self, now: Duration) {
        let latencies = std::mem::take(&mut self.round.latencies);
        self.round = Round { began: now, limit: self.limit, latencies, ..Round::default() };
        self.round.latencies.clear();
    }

    fn end_round(&mut self, per_second: Option<f64>, now: Duration) {
        let before = self.limit;
        let was_used = self.round.peak >= before as usize;
        let refused = self.follow_refusals(now);
        let latency = self.latency();
        match latency {
            Latency::Unknown => {}
            Latency::Calm => self.calm(was_used, refused),
            Latency::Slow => {
                if self.reduced.take_if(|it| !it.is_a_look).is_some() {
                    self.threshold = self.limit;
                }
                self.slow(now);
            }
            Latency::Congested(share) => {
                self.reduced.get_or_insert(Reduced { from: before, is_a_look: false });
                self.limit = self.limit.min(before * share.max(CUT_MAX));
                self.slow(now);
            }
        }
        // What a provider takes in a second is under way with it for as long as an answer takes.
        let takes_some = refused == 0.0 && latency != Latency::Unknown;
        if let (Some(rate), Some(baseline), true) = (per_second, self.baseline, takes_some) {
            self.limit = self.limit.max(rate * baseline.as_secs_f64());
        }
        self.limit = self.limit.clamp(FLOOR as f64, self.ceiling as f64);
        if self.limit < before {
            self.decreased_at = now;
        }
        self.begin_round(now);
    }

    /// Moves the limit as the refusals of the round ask for, and returns the share that it shrinks by.
    fn follow_refusals(&mut self, now: Duration) -> f64 {
        let before = self.limit;
        let room = if before <= FLOOR as f64 { Room::None } else { Room::Enough };
        let counts = (self.round.answers, self.round.refused);
        let refused = match self.unrelated.judge(before, room, counts, now) {
            Verdict::Unsure => return 0.0,
            Verdict::Fine => 0.0,
            Verdict::Back(limit) => {
                self.limit = limit;
                0.0
            }
            Verdict::Look => 1.0 - LOOK,
            Verdict::Refused(share) => share,
        };
        self.limit *= (1.0 - refused).max(REFUSED_CUT_MAX);
        if refused > REFUSED_MUCH && !self.is_refusing {
            self.threshold = before * (1.0 - refused).max(CUT_MAX);
        }
        self.is_refusing = refused > REFUSED_MUCH;
        self.rounds_since_refusal =
            if refused > REFUSED_SOME { 0 } else { self.rounds_since_refusal.saturating_add(1) };
        refused
    }

    /// Where answers come as fast as ever, a limit that was used grows.
    fn calm(&mut self, was_used: bool, refused: f64) {
        self.slow_since = None;
        match self.reduced.take() {
            // The queue was ours: what the provider carries is known, and it is used as before.
            Some(Reduced { from, is_a_look: true }) => {
                self.relearn_after = (self.relearn_after * 2).min(RELEARN_AFTER_MAX);
                self.limit = from;
                return;
            }
            Some(Reduced { is_a_look: false, .. }) => self.threshold = self.limit,
            None => {}
        }
        if was_used {
            let soon = f64::from(self.rounds_since_refusal) / ROUNDS_UNTIL_SURE;
            let grown = self.limit + self.limit.sqrt() * soon.min(1.0) * (1.0 - refused);
            let doubled = if self.is_refusing { grown } else { (self.limit * 2.0).min(self.threshold) };
            self.limit = doubled.max(grown);
        }
    }

    /// Where answers take longer and that does not pass, or a low load does not make them faster, the baseline is
    /// learned anew.
    fn slow(&mut self, now: Duration) {
        let since = *self.slow_since.get_or_insert(now);
        if let Some(reduced) = self.reduced {
            let was_low = self.round.limit <= (reduced.from * LOOK).max(FLOOR as f64);
            if let Some(latency) = self.lower_quartile().filter(|_| was_low) {
                self.baseline = Some(latency);
                (self.reduced, self.slow_since, self.threshold) = (None, None, reduced.from);
                self.relearn_after = RELEARN_AFTER;
                self.limit = self.round.limit;
            } else if reduced.is_a_look {
                self.limit = self.limit.min(reduced.from * LOOK);
            }
        } else if now.saturating_sub(since) >= self.relearn_after {
            self.reduced = Some(Reduced { from: self.limit, is_a_look: true });
            self.slow_since = None;
            self.limit *= LOOK;
        }
    }

    /// Judges the latencies of the round, and follows them with the baseline where they are lower.
    fn latency(&mut self) -> Latency {
        let Some(latency) = self.lower_quartile() else { return Latency::Unknown };
        let baseline = *self.baseline.get_or_insert(latency);
        if latency < baseline {
            self.baseline = Some((baseline + latency) / 2);
        }
        let calm = CALM.of(baseline);
        match latency {
            latency if latency <= calm => Latency::Calm,
            latency if latency <= CONGESTED.of(baseline) => Latency::Slow,
            latency => Latency::Congested(calm.as_secs_f64() / latency.as_secs_f64()),
        }
    }

    /// A quarter of the messages were taken faster: connections that are opened first, and single slow answers, do not
    /// show in it, a queue at the provider does.
    fn lower_quartile(&mut self) -> Option<Duration> {
        let latencies = &mut self.round.latencies;
        if (latencies.len() as f64) < ANSWERS_MIN {
            return None;
        }
        let place = latencies.len() / 4;
        Some(*latencies.select_nth_unstable(place).1)
    }
}
