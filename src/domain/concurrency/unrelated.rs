//! Whether refusals follow our load. A provider that is short of something else, or refuses one message in so many, goes
//! on doing so at any load, and a limit that falls with each of them soon is zero.
//!
//! A load that is refused is reduced. Where it has fallen far and is refused as before, or is refused after most of the
//! reductions, a quarter of it is tried once: if that is refused as much, the load is not the reason, it returns to where
//! it was, and such a share is expected from then on. A small step would prove nothing where several processes share a
//! provider: the others fill the gap.

use std::time::Duration;

/// So many answers are judged together.
const SPAN: u32 = 30;
/// Fewer will do where more than half of them are refusals.
const SPAN_MIN: u32 = 8;
const HALF: f64 = 0.5;
/// Fallen to this share, and refused as before, a load is probably not the reason.
const FALLEN_FAR: f64 = 0.8;
/// So many more verdicts than not found this share refused: reductions do not help. A load that is the reason is refused
/// less, or not for a while.
const REFUSED_OFTEN: u32 = 4;
const REFUSED_SOME: f64 = 0.025;
/// To which share a load is reduced to see what comes of it.
pub const LOOK: f64 = 0.25;
/// So many refusals would come of the answers that show that the load is the reason, were it not: if there is none of
/// them, and if there are some.
const LOOK_NONE_OF: f64 = 3.0;
const LOOK_SOME_OF: f64 = 8.0;
/// So many show that it is not, however few the answers are.
const LOOK_REFUSED: u32 = 2;
/// How soon that is done again, unless the load has fallen far; twice as late each time that the load was the reason.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(60);
const LOOK_AGAIN_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// A smaller share is not worth another look.
const LITTLE: f64 = 0.05;
/// So many times the expected refusals are no surprise: the share is known by a few answers only.
const MARGIN: f64 = 1.5;
/// And so many standard deviations more; refusals at random are distributed as by Poisson.
const DEVIATIONS: f64 = 2.0;
/// Of how many answers the expected share is remembered. What is learned of a few answers is believed by half: where several
/// processes share a provider, the others may have caused them.
const MEMORY: f64 = 30.0;

/// What to do with a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Too few answers came: leave the load as it is.
    Unsure,
    /// No more of them were refusals than are to be expected at any load.
    Fine,
    /// This share of them was refused: reduce the load by it.
    Refused(f64),
    /// Reduce the load to [`LOOK`] of it, until the next verdict.
    Look,
    /// Go back to this load.
    Back(f64),
}

/// How far a load can be reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// To a quarter.
    Enough,
    /// Not so far.
    Little,
    /// There is no lower load: what is refused at this one is refused at any.
    None,
}

/// Judges refusals by the load at which they come.
#[derive(Debug)]
pub struct UnrelatedRefusals {
    /// Which share of the answers is refused whatever the load.
    expected: f64,
    answers: u32,
    refused: u32,
    fallen: Option<Fallen>,
    /// By how many verdicts of refusals there were more than of others.
    refused_often: u32,
    /// From when on a load is looked at that has not fallen far.
    look_at: Duration,
    look_again_after: Duration,
}

impl Default for UnrelatedRefusals {
    fn default() -> Self {
        UnrelatedRefusals {
            expected: 0.0,
            answers: 0,
            refused: 0,
            fallen: None,
            refused_often: 0,
            look_at: Duration::ZERO,
            look_again_after: LOOK_AGAIN_AFTER,
        }
    }
}

/// A load that is refused.
#[derive(Debug, Clone, Copy)]
struct Fallen {
    /// The load before.
    from: f64,
    /// So many answers came since, and so many of them were refusals.
    answers: f64,
    refused: f64,
    /// The load before a quarter of it was tried.
    look: Option<f64>,
}

impl Fallen {
    fn share(&self) -> f64 {
        self.refused / self.answers
    }
}

impl UnrelatedRefusals {
    /// At this load so many of so many answers were refusals.
    pub fn judge(&mut self, load: f64, room: Room, (answers, refused): (u32, u32), now: Duration) -> Verdict {
        self.answers += answers;
        self.refused += refused;
        let share = f64::from(self.refused) / f64::from(self.answers.max(1));
        let is_new = self.expected == 0.0 && self.fallen.is_none();
        if self.answers < SPAN && !is_new && (share <= HALF || self.answers < SPAN_MIN) {
            return Verdict::Unsure;
        }
        let verdict = match self.fallen {
            Some(fallen @ Fallen { look: Some(load), .. }) => self.after_look(fallen, load, share, now),
            _ => self.verdict(load, room, share, now),
        };
        if verdict != Verdict::Unsure {
            (self.answers, self.refused) = (0, 0);
        }
        verdict
    }

    /// After an idle time nothing is left of a load that had fallen.
    pub fn begin_anew(&mut self) {
        (self.fallen, self.refused_often, self.answers, self.refused) = (None, 0, 0, 0);
    }

    /// A quarter of this load was tried.
    fn after_look(&mut self, fallen: Fallen, load: f64, share: f64, now: Duration) -> Verdict {
        if share > HALF {
            self.begin_anew();
            return Verdict::Refused(share);
        }
        let before = fallen.share();
        let is_as_before = share >= before / 2.0;
        let would_be = f64::from(self.answers) * before;
        let is_enough = match self.refused {
            0 => would_be >= LOOK_NONE_OF,
            _ => would_be >= LOOK_SOME_OF || (is_as_before && self.refused >= LOOK_REFUSED),
        };
        if !is_enough {
            return Verdict::Unsure;
        }
        (self.fallen, self.refused_often) = (None, 0);
        self.look_again_after = match self.refused {
            0 => (self.look_again_after * 2).min(LOOK_AGAIN_AFTER_MAX),
            _ => LOOK_AGAIN_AFTER,
        };
        self.look_at = now + self.look_again_after;
        if is_as_before {
            self.expect(share);
            return Verdict::Back(fallen.from);
        }
        self.expected = self.expected.min(share);
        Verdict::Back(load * (1.0 - before))
    }

    fn verdict(&mut self, load: f64, room: Room, share: f64, now: Duration) -> Verdict {
        if share < self.expected {
            self.expect(share);
        }
        let may_look = room == Room::Enough && share <= HALF;
        let is_due = now >= self.look_at;
        let (answers, refused) = (f64::from(self.answers), f64::from(self.refused));
        let here = Fallen { from: load, answers, refused, look: None };
        if self.is_expected(share) {
            self.refused_often = self.refused_often.saturating_sub(1);
            let looks = may_look && share >= LITTLE && is_due;
            self.fallen = looks.then_some(Fallen { look: Some(load), ..here });
            return if looks { Verdict::Look } else { Verdict::Fine };
        }
        let before = self.fallen.filter(|it| share >= it.share() / 2.0);
        let fallen = before.map_or(here, |it| Fallen {
            answers: it.answers + answers,
            refused: it.refused + refused,
            ..it
        });
        if share >= REFUSED_SOME {
            self.refused_often += 1;
        }
        let has_fallen_far = load <= fallen.from * FALLEN_FAR;
        let is_often = self.refused_often >= REFUSED_OFTEN && is_due;
        let looks = may_look && (has_fallen_far || is_often);
        self.fallen = Some(Fallen { look: looks.then_some(load), ..fallen });
        if looks {
            return Verdict::Look;
        }
        if room == Room::None && share <= HALF {
            self.fallen = None;
            self.expect(share);
            // The load may have fallen far, for a reason that has passed: it is found again from here.
            return Verdict::Back(fallen.from.min(load / LOOK));
        }
        Verdict::Refused(share)
    }

    /// Such a share is refused at a low load, or at most so much at any.
    fn expect(&mut self, share: f64) {
        let answers = f64::from(self.answers);
        self.expected += (share - self.expected) * answers / (answers + MEMORY);
    }

    /// Whether no more was refused than is to be expected at any load.
    fn is_expected(&self, share: f64) -> bool {
        if self.refused == 0 || self.expected == 0.0 || share > HALF {
            return self.refused == 0;
        }
        let usual = self.expected * f64::from(self.answers);
        f64::from(self.refused) <= usual * MARGIN + usual.sqrt() * DEVIATIONS + 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Judges a load of which this share is refused.
    fn judge(unrelated: &mut UnrelatedRefusals, load: f64, share: f64, second: u32) -> Verdict {
        unrelated.judge(load, Room::Enough, (100, (share * 100.0) as u32), SECOND * second)
    }

    #[test]
    fn what_a_quarter_of_the_load_did_not_avoid_is_expected_from_then_on() {
        let mut unrelated = UnrelatedRefusals::default();
        assert_eq!(judge(&mut unrelated, 100.0, 0.1, 1), Verdict::Refused(0.1));
        assert_eq!(judge(&mut unrelated, 90.0, 0.1, 2), Verdict::Refused(0.1), "a small step proves nothing");
        assert_eq!(judge(&mut unrelated, 80.0, 0.1, 3), Verdict::Look);
        assert_eq!(judge(&mut unrelated, 20.0, 0.1, 4), Verdict::Back(100.0));
        assert_eq!(judge(&mut unrelated, 100.0, 0.1, 5), Verdict::Fine);
        assert_eq!(judge(&mut unrelated, 100.0, 0.4, 6), Verdict::Refused(0.4), "that is more");
    }

    #[test]
    fn what_it_avoided_has_the_load_as_its_reason() {
        let mut unrelated = UnrelatedRefusals::default();
        judge(&mut unrelated, 100.0, 0.2, 1);
        assert_eq!(judge(&mut unrelated, 80.0, 0.2, 2), Verdict::Look);
        assert_eq!(judge(&mut unrelated, 20.0, 0.0, 3), Verdict::Back(64.0));
        assert_eq!(judge(&mut unrelated, 64.0, 0.1, 4), Verdict::Refused(0.1));
    }

    #[test]
    fn a_load_that_was_refused_less_after_a_cut_is_not_looked_at() {
        let mut unrelated = UnrelatedRefusals::default();
        assert_eq!(judge(&mut unrelated, 100.0, 0.5, 1), Verdict::Refused(0.5));
        assert_eq!(judge(&mut unrelated, 50.0, 0.1, 2), Verdict::Refused(0.1));
        assert_eq!(judge(&mut unrelated, 45.0, 0.0, 3), Verdict::Fine);
        assert_eq!(judge(&mut unrelated, 60.0, 0.2, 4), Verdict::Refused(0.2));
    }

    #[test]
    fn more_than_half_is_never_expected() {
        let mut unrelated = UnrelatedRefusals::default();
        judge(&mut unrelated, 100.0, 0.4, 1);
        judge(&mut unrelated, 60.0, 0.4, 2);
        assert_eq!(judge(&mut unrelated, 15.0, 0.4, 3), Verdict::Back(100.0));
        assert_eq!(judge(&mut unrelated, 100.0, 0.55, 4), Verdict::Refused(0.55));
        let mut unrelated = UnrelatedRefusals::default();
        for second in 1..20 {
            assert_eq!(judge(&mut unrelated, 100.0 / f64::from(second), 0.9, second), Verdict::Refused(0.9));
        }
    }

    #[test]
    fn it_is_looked_again_each_minute_and_fewer_refusals_lower_what_is_expected() {
        let mut unrelated = UnrelatedRefusals::default();
        judge(&mut unrelated, 100.0, 0.3, 1);
        judge(&mut unrelated, 70.0, 0.3, 2);
        assert_eq!(judge(&mut unrelated, 17.0, 0.3, 3), Verdict::Back(100.0));
        assert_eq!(judge(&mut unrelated, 100.0, 0.3, 4), Verdict::Fine);
        assert_eq!(judge(&mut unrelated, 100.0, 0.3, 63), Verdict::Look);
        assert_eq!(judge(&mut unrelated, 25.0, 0.0, 64), Verdict::Back(70.0));
        assert_eq!(judge(&mut unrelated, 100.0, 0.1, 65), Verdict::Refused(0.1));
    }

    #[test]
    fn a_load_that_grows_as_fast_as_refusals_reduce_it_is_looked_at() {
        let mut unrelated = UnrelatedRefusals::default();
        for second in 1..4 {
            assert_eq!(judge(&mut unrelated, 14.0, 0.03, second), Verdict::Refused(0.03));
        }
        assert_eq!(judge(&mut unrelated, 14.0, 0.03, 4), Verdict::Look);
        assert_eq!(judge(&mut unrelated, 3.5, 0.03, 5), Verdict::Back(14.0));
        assert_eq!(judge(&mut unrelated, 14.0, 0.03, 6), Verdict::Fine);
        let mut unrelated = UnrelatedRefusals::default();
        for second in 1..100 {
            let verdict = judge(&mut unrelated, 500.0, 0.02, second);
            assert_eq!(verdict, Verdict::Refused(0.02), "so much is found wherever a load finds its limit");
        }
    }

    #[test]
    fn a_load_that_was_the_reason_is_looked_at_half_as_often() {
        let (mut unrelated, mut looks) = (UnrelatedRefusals::default(), Vec::new());
        for second in 0..600 {
            let is_look = unrelated.fallen.is_some_and(|fallen| fallen.look.is_some());
            let share = if is_look { 0.0 } else { 0.05 };
            if judge(&mut unrelated, 14.0, share, second) == Verdict::Look {
                looks.push(second);
            }
        }
        assert_eq!(looks, [3, 124, 365]);
    }

    #[test]
    fn a_look_goes_on_until_there_are_answers_enough() {
        let mut unrelated = UnrelatedRefusals::default();
        let mut judge =
            |load, answers, refused| unrelated.judge(load, Room::Enough, (answers, refused), SECOND);
        assert_eq!(judge(100.0, 300, 15), Verdict::Refused(0.05));
        assert_eq!(judge(80.0, 300, 15), Verdict::Look);
        assert_eq!(judge(20.0, 30, 0), Verdict::Unsure, "none of so few is no surprise");
        assert_eq!(judge(20.0, 30, 1), Verdict::Unsure, "nor is one");
        assert_eq!(judge(20.0, 30, 1), Verdict::Unsure, "two are fewer than one in forty");
        assert_eq!(judge(20.0, 30, 1), Verdict::Back(100.0));
    }

    #[test]
    fn a_provider_that_refuses_most_during_a_look_is_given_less() {
        let mut unrelated = UnrelatedRefusals::default();
        judge(&mut unrelated, 100.0, 0.1, 1);
        assert_eq!(judge(&mut unrelated, 80.0, 0.1, 2), Verdict::Look);
        assert_eq!(unrelated.judge(20.0, Room::Enough, (10, 9), SECOND), Verdict::Refused(0.9));
        assert_eq!(judge(&mut unrelated, 10.0, 0.0, 4), Verdict::Fine);
    }

    #[test]
    fn few_answers_wait_for_more() {
        let mut unrelated = UnrelatedRefusals::default();
        let mut judge = |answers, refused| unrelated.judge(10.0, Room::Little, (answers, refused), SECOND);
        assert_eq!(judge(2, 1), Verdict::Refused(0.5), "nothing was refused so far: it is slowed at once");
        assert_eq!(judge(29, 1), Verdict::Unsure);
        assert_eq!(judge(1, 0), Verdict::Refused(1.0 / 30.0));
        assert_eq!(judge(7, 7), Verdict::Unsure);
        assert_eq!(judge(1, 1), Verdict::Refused(1.0), "most of eight are enough");
    }

    #[test]
    fn at_the_lowest_load_all_refusals_are_unrelated() {
        let mut unrelated = UnrelatedRefusals::default();
        assert_eq!(unrelated.judge(2.0, Room::Enough, (30, 6), SECOND), Verdict::Refused(0.2));
        assert_eq!(unrelated.judge(1.0, Room::None, (30, 6), SECOND), Verdict::Back(2.0));
        let mut unrelated = UnrelatedRefusals::default();
        assert_eq!(unrelated.judge(900.0, Room::Enough, (30, 6), SECOND), Verdict::Refused(0.2));
        assert_eq!(unrelated.judge(1.0, Room::None, (30, 6), SECOND), Verdict::Back(4.0), "not all at once");
    }

    #[test]
    fn a_fall_is_forgotten_after_an_idle_time() {
        let mut unrelated = UnrelatedRefusals::default();
        judge(&mut unrelated, 1_000.0, 0.1, 1);
        assert_eq!(judge(&mut unrelated, 800.0, 0.1, 2), Verdict::Look);
        unrelated.begin_anew();
        assert_eq!(judge(&mut unrelated, 16.0, 0.1, 3_600), Verdict::Refused(0.1));
    }
}
