//! Limit and rate against modelled providers, on a clock of their own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// How a modelled provider answers an attempt, the last of so many under way.
type Manner<'a> = dyn FnMut(Duration, usize) -> (Duration, AttemptEnd) + 'a;

/// What a channel does with a limit and a rate, as a dispatcher would.
struct Channel {
    limit: ConcurrencyLimit,
    rate: ThrottledRate,
    now: Duration,
    /// When each attempt under way ends, and when it began.
    under_way: BinaryHeap<Reverse<(Duration, Duration, u8)>>,
    lowest: usize,
    highest: usize,
}

#[derive(Debug, Default, PartialEq)]
struct Answers {
    taken: u32,
    throttled: u32,
    failed: u32,
    slowest: Duration,
}

const ENDS: [AttemptEnd; 4] =
    [AttemptEnd::Taken, AttemptEnd::Throttled, AttemptEnd::Failed, AttemptEnd::Refused];

impl Channel {
    fn new() -> Self {
        Channel {
            limit: ConcurrencyLimit::new(CEILING),
            rate: ThrottledRate::default(),
            now: Duration::ZERO,
            under_way: BinaryHeap::new(),
            lowest: START,
            highest: START,
        }
    }

    /// Sends for so long; `wants` says how many may at most be under way for want of messages.
    fn send(&mut self, time: Duration, wants: usize, provider: &mut Manner<'_>) -> Answers {
        let (until, mut answers) = (self.now + time, Answers::default());
        (self.lowest, self.highest) = (self.limit.current(), self.limit.current());
        while self.now < until {
            while self.under_way.len() < self.limit.current().min(wants) && self.rate.take(self.now) {
                let (took, end) = provider(self.now, self.under_way.len() + 1);
                let end = ENDS.iter().position(|it| *it == end).unwrap() as u8;
                self.under_way.push(Reverse((self.now + took, self.now, end)));
                self.limit.started(self.under_way.len(), self.now);
            }
            let is_held_back = self.under_way.len() < self.limit.current().min(wants);
            let next = self.under_way.peek().map_or(until, |Reverse((ends, ..))| *ends);
            // A timer rings some time after it was set to.
            let start = self.rate.next().filter(|_| is_held_back).map_or(until, |at| at.max(self.now + MS));
            self.now = next.min(start).min(until);
            self.take_answers(&mut answers);
        }
        answers
    }

    fn take_answers(&mut self, answers: &mut Answers) {
        while let Some(Reverse((ends, began, end))) = self.under_way.peek().copied() {
            if ends > self.now {
                return;
            }
            self.under_way.pop();
            let attempt = EndedAttempt { began, took: ends - began, end: ENDS[end as usize] };
            match attempt.end {
                AttemptEnd::Taken => answers.taken += 1,
                AttemptEnd::Throttled => answers.throttled += 1,
                AttemptEnd::Failed | AttemptEnd::Refused => answers.failed += 1,
            }
            answers.slowest = answers.slowest.max(attempt.took);
            self.limit.answered(attempt, self.rate.per_second(), self.now);
            self.rate.answered(attempt, self.now);
            self.lowest = self.lowest.min(self.limit.current());
            self.highest = self.highest.max(self.limit.current());
        }
    }
}

/// Answers after so long, whatever the load.
fn willing(took: Duration) -> impl FnMut(Duration, usize) -> (Duration, AttemptEnd) {
    move |_, _| (took, AttemptEnd::Taken)
}

/// Works on so many at once, each for so long; the others queue.
struct Workers(Vec<Duration>, Duration);

impl Workers {
    fn new(count: usize, each: Duration) -> Self {
        Workers(vec![Duration::ZERO; count], each)
    }

    fn answer(&mut self, now: Duration) -> (Duration, AttemptEnd) {
        let free = self.0.iter_mut().min().unwrap();
        *free = (*free).max(now) + self.1;
        (*free - now, AttemptEnd::Taken)
    }
}

/// Takes so many in each second of its own clock and answers 429 above it, at once or as late as others.
struct ByTheSecond {
    allows: u32,
    second: u64,
    taken: u32,
    refuses_after: Duration,
}

impl ByTheSecond {
    fn answer(&mut self, now: Duration) -> (Duration, AttemptEnd) {
        let second = (now + 370 * MS).as_secs();
        if second != self.second {
            (self.second, self.taken) = (second, 0);
        }
        if self.taken < self.allows {
            self.taken += 1;
            (100 * MS, AttemptEnd::Taken)
        } else {
            (self.refuses_after, AttemptEnd::Throttled)
        }
    }
}

/// Tokens that come steadily, with a burst.
struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    at: Duration,
    took: Duration,
}

impl Bucket {
    fn answer(&mut self, now: Duration) -> (Duration, AttemptEnd) {
        self.tokens =
            (self.tokens + now.saturating_sub(self.at).as_secs_f64() * self.per_second).min(self.burst);
        self.at = self.at.max(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            (self.took, AttemptEnd::Taken)
        } else {
            (self.took, AttemptEnd::Throttled)
        }
    }
}

#[test]
fn a_provider_that_is_far_away_is_used_to_the_ceiling_within_seconds() {
    let mut channel = Channel::new();
    channel.send(2 * SECOND, usize::MAX, &mut willing(100 * MS));
    assert_eq!(channel.limit.current(), CEILING);
    let answers = channel.send(10 * SECOND, usize::MAX, &mut willing(100 * MS));
    assert!(answers.taken >= 100_000, "{answers:?}");
    assert_eq!(channel.lowest, CEILING);
}

#[test]
fn a_limit_that_is_not_used_does_not_grow() {
    let mut channel = Channel::new();
    channel.send(60 * SECOND, START - 1, &mut willing(100 * MS));
    assert_eq!((channel.lowest, channel.highest), (START, START));
}

#[test]
fn a_provider_of_a_fixed_capacity_is_used_fully_and_its_queue_stays_short() {
    for workers in [4, 50, 200] {
        let (mut channel, mut provider) = (Channel::new(), Workers::new(workers, 100 * MS));
        channel.send(10 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
        let answers = channel.send(300 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
        let most = workers as f64 * 10.0 * 300.0;
        assert!(f64::from(answers.taken) >= most * 0.95, "{workers}: {answers:?}");
        assert!(answers.slowest <= 600 * MS, "{workers}: {answers:?}");
    }
}

#[test]
fn a_provider_that_counts_by_the_second_is_used_and_throttles_little() {
    for refuses_after in [MS, 100 * MS] {
        let mut provider = ByTheSecond { allows: 500, second: 0, taken: 0, refuses_after };
        let mut channel = Channel::new();
        let first = channel.send(5 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
        assert!(first.taken > 1_500, "{refuses_after:?}: {first:?}");
        let answers = channel.send(300 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
        assert_throttled_little(&answers, 300.0, 500.0);
    }
}

#[track_caller]
fn assert_throttled_little(answers: &Answers, seconds: f64, allowed: f64) {
    let share = f64::from(answers.throttled) / f64::from(answers.taken + answers.throttled);
    assert!(f64::from(answers.taken) >= seconds * allowed * 0.9, "{answers:?}");
    assert!(share < 0.05, "{share}: {answers:?}");
}

#[test]
fn a_provider_with_a_bucket_is_used_and_throttles_little_near_and_far() {
    for (took, burst) in [(100 * MS, 10.0), (100 * MS, 50.0), (100 * MS, 500.0), (MS, 50.0), (SECOND, 500.0)]
    {
        let mut provider = Bucket { per_second: 500.0, burst, tokens: burst, at: Duration::ZERO, took };
        let mut channel = Channel::new();
        channel.send(10 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
        let answers = channel.send(300 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
        assert_throttled_little(&answers, 300.0, 500.0);
    }
}

/// Refuses one attempt in so many, whatever the load.
fn one_in(
    nth: u32,
    took: Duration,
    refusal: AttemptEnd,
) -> impl FnMut(Duration, usize) -> (Duration, AttemptEnd) {
    let mut count = 0;
    move |_, _| {
        count += 1;
        (took, if count % nth == 0 { refusal } else { AttemptEnd::Taken })
    }
}

/// Whoever sends less after each of its refusals soon sends nothing.
#[test]
fn a_provider_that_refuses_one_in_so_many_at_every_load_is_used_all_the_same() {
    for refusal in [AttemptEnd::Throttled, AttemptEnd::Failed] {
        for (nth, took) in [29, 10, 5, 3].into_iter().flat_map(|nth| [(nth, 20 * MS), (nth, SECOND)]) {
            let (mut channel, mut provider) = (Channel::new(), one_in(nth, took, refusal));
            channel.send(60 * SECOND, 64, &mut provider);
            let answers = channel.send(60 * SECOND, 64, &mut provider);
            let least = 60.0 / took.as_secs_f64() * START as f64 / 2.0;
            assert!(f64::from(answers.taken) > least, "{refusal:?} {nth} {took:?}: {answers:?}");
        }
    }
}

/// Refuses one attempt in so many at random, whatever the load.
fn at_random(nth: u32, took: Duration) -> impl FnMut(Duration, usize) -> (Duration, AttemptEnd) {
    let mut state = 7_u32;
    move |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (took, if (state >> 8).is_multiple_of(nth) { AttemptEnd::Throttled } else { AttemptEnd::Taken })
    }
}

/// While the store is slow few messages are sent. A rate that was learned then, beside refusals at every load, stands
/// where the refusals take as much from it as it grows.
#[test]
fn a_rate_that_was_learned_while_little_was_sent_is_found_to_be_too_low() {
    for (nth, each) in [29, 20, 10].into_iter().flat_map(|nth| [50, 100, 400].map(|each| (nth, each * MS))) {
        let (mut regular, mut random) = (one_in(nth, 5 * MS, AttemptEnd::Throttled), at_random(nth, 5 * MS));
        for (name, provider) in [("regular", &mut regular as &mut Manner<'_>), ("random", &mut random)] {
            let mut channel = Channel::new();
            channel.send(20 * SECOND, 1, &mut |now, under_way| (each, provider(now, under_way).1));
            channel.send(60 * SECOND, 64, provider);
            let answers = channel.send(60 * SECOND, 64, provider);
            assert!(answers.taken > 60 * 50, "{name} {nth} {each:?}: {answers:?} {:?}", channel.rate);
        }
    }
}

/// An outage lowers the rate to the lowest; a provider that afterwards refuses a few at random must not keep it there.
#[test]
fn a_rate_that_fell_to_the_lowest_is_found_again_beside_refusals_at_every_load() {
    for nth in [20, 10, 5] {
        let mut channel = Channel::new();
        let mut state = 7_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let mut refuses = |one_in: u32, of: u32| match random() % of < one_in {
            true => (100 * MS, AttemptEnd::Throttled),
            false => (100 * MS, AttemptEnd::Taken),
        };
        channel.send(120 * SECOND, 64, &mut |_, _| refuses(3, 5));
        channel.send(300 * SECOND, 64, &mut |_, _| refuses(1, nth));
        let answers = channel.send(120 * SECOND, 64, &mut |_, _| refuses(1, nth));
        assert!(answers.taken > 120 * 20, "{nth}: {answers:?} {:?}", channel.rate);
    }
}

/// What came in days is not taken for what came in a second.
#[test]
fn a_channel_of_a_few_messages_a_minute_learns_no_absurd_rate() {
    let mut channel = Channel::new();
    for _ in 0..10_000 {
        channel.send(100 * MS, 1, &mut willing(100 * MS));
        channel.send(6 * SECOND, 0, &mut willing(100 * MS));
    }
    let mut provider =
        Bucket { per_second: 500.0, burst: 50.0, tokens: 0.0, at: channel.now, took: 100 * MS };
    let answers = channel.send(60 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
    assert!(answers.throttled * 10 < answers.taken, "{answers:?}");
}

#[test]
fn a_few_messages_at_a_time_are_sent_beside_refusals_at_every_load() {
    for nth in [29, 5] {
        let (mut channel, mut provider) = (Channel::new(), one_in(nth, 5 * MS, AttemptEnd::Throttled));
        channel.send(60 * SECOND, 3, &mut provider);
        let answers = channel.send(60 * SECOND, 3, &mut provider);
        assert!(answers.taken > 60 * 300, "{nth}: {answers:?} {:?}", channel.rate);
    }
}

/// A provider that begins to throttle for a real reason is not taken for one of those.
#[test]
fn a_provider_that_refused_at_every_load_and_now_counts_is_throttled_little_again() {
    let mut channel = Channel::new();
    channel.send(60 * SECOND, usize::MAX, &mut one_in(5, 100 * MS, AttemptEnd::Throttled));
    let mut provider =
        Bucket { per_second: 500.0, burst: 50.0, tokens: 0.0, at: channel.now, took: 100 * MS };
    channel.send(120 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
    let answers = channel.send(300 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
    assert_throttled_little(&answers, 300.0, 500.0);
}

/// The refusals that one process sees are mostly the others' doing, and it must not take them for unrelated.
#[test]
fn processes_that_share_a_provider_use_it_fully_and_none_starves() {
    for (processes, per_second, refused_max) in [(3, 500.0, 0.05), (3, 30.0, 0.1), (5, 100.0, 0.1)] {
        let (tokens, at) = (0.0, Duration::ZERO);
        let mut provider = Bucket { per_second, burst: per_second / 5.0, tokens, at, took: 100 * MS };
        let mut channels: Vec<Channel> = (0..processes).map(|_| Channel::new()).collect();
        let (mut taken, mut throttled) = (vec![0; processes], 0);
        for slice in 0..60_000 {
            for place in 0..processes {
                let which = (place + slice) % processes;
                let answers = channels[which].send(5 * MS, usize::MAX, &mut |now, _| provider.answer(now));
                if slice >= 20_000 {
                    taken[which] += answers.taken;
                    throttled += answers.throttled;
                }
            }
        }
        let sum: u32 = taken.iter().sum();
        assert!(f64::from(sum) > 200.0 * per_second * 0.9, "{per_second}: {taken:?}");
        assert!(f64::from(throttled) < f64::from(sum) * refused_max, "{per_second}: {taken:?}, {throttled}");
        assert!(taken.iter().all(|its| *its > sum / 50), "{per_second}: {taken:?}");
    }
}

#[test]
fn a_provider_that_allows_more_after_a_while_is_given_more() {
    let mut provider =
        Bucket { per_second: 100.0, burst: 20.0, tokens: 0.0, at: Duration::ZERO, took: 100 * MS };
    let mut channel = Channel::new();
    channel.send(30 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
    provider.per_second = 2000.0;
    channel.send(60 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
    let answers = channel.send(60 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
    assert_throttled_little(&answers, 60.0, 2000.0);
}

#[test]
fn a_provider_that_takes_few_at_once_is_used() {
    let mut few = |_: Duration, under_way: usize| match under_way {
        0..=20 => (100 * MS, AttemptEnd::Taken),
        _ => (100 * MS, AttemptEnd::Throttled),
    };
    let mut channel = Channel::new();
    channel.send(10 * SECOND, usize::MAX, &mut few);
    let answers = channel.send(120 * SECOND, usize::MAX, &mut few);
    assert!(answers.taken > 120 * 150 && answers.throttled * 20 < answers.taken, "{answers:?}");
}

#[test]
fn a_provider_whose_latency_doubles_under_load_is_not_driven_into_time_outs() {
    // At 100 under way it takes twice as long, and at 1,000 more than its clients wait.
    let mut loaded = |_: Duration, under_way: usize| {
        let took = 100 * MS + MS * under_way as u32;
        (took.min(SECOND), if took < SECOND { AttemptEnd::Taken } else { AttemptEnd::Failed })
    };
    let mut channel = Channel::new();
    let answers = channel.send(600 * SECOND, usize::MAX, &mut loaded);
    assert_eq!(answers.failed, 0, "{answers:?}");
    assert!(answers.slowest < 400 * MS, "{answers:?}");
    assert!(answers.taken > 600 * 300, "{answers:?}");
}

#[test]
fn a_provider_that_became_slower_for_good_is_learned_anew() {
    for took in [180 * MS, 300 * MS, 2 * SECOND] {
        let mut channel = Channel::new();
        channel.send(20 * SECOND, usize::MAX, &mut willing(100 * MS));
        channel.send(40 * SECOND, usize::MAX, &mut willing(took));
        assert!(channel.limit.current() >= CEILING / 2, "{took:?}: {:?}", channel.limit);
        let answers = channel.send(60 * SECOND, usize::MAX, &mut willing(took));
        let most = CEILING as f64 * 60.0 / took.as_secs_f64();
        assert!(f64::from(answers.taken) > most * 0.8, "{took:?}: {answers:?}");
        // And when it is fast again, that is the measure again.
        channel.send(20 * SECOND, usize::MAX, &mut willing(100 * MS));
        assert_eq!(channel.limit.current(), CEILING);
    }
}

#[test]
fn a_burst_of_failures_within_a_round_trip_is_one_decrease() {
    let mut channel = Channel::new();
    channel.send(2 * SECOND, usize::MAX, &mut willing(100 * MS));
    let fails = |from: Duration| {
        move |now: Duration, _: usize| match now < from + 100 * MS {
            true => (100 * MS, AttemptEnd::Failed),
            false => (100 * MS, AttemptEnd::Taken),
        }
    };
    let from = channel.now;
    channel.send(SECOND, usize::MAX, &mut fails(from));
    assert!(channel.lowest >= CEILING / 2, "{}", channel.lowest);
}

#[test]
fn a_few_failures_among_many_cost_little() {
    let mut count = 0;
    let mut channel = Channel::new();
    let answers = channel.send(60 * SECOND, usize::MAX, &mut |_, _| {
        count += 1;
        (100 * MS, if count % 100 == 0 { AttemptEnd::Failed } else { AttemptEnd::Taken })
    });
    assert!(answers.taken > 60 * 5000, "{answers:?}");
}

#[test]
fn a_dead_provider_leaves_one_at_a_time_and_is_used_again_soon() {
    let mut channel = Channel::new();
    channel.send(5 * SECOND, usize::MAX, &mut willing(100 * MS));
    channel.send(20 * SECOND, usize::MAX, &mut |_, _| (100 * MS, AttemptEnd::Failed));
    assert_eq!(channel.limit.current(), FLOOR);
    channel.send(5 * SECOND, usize::MAX, &mut willing(100 * MS));
    assert!(channel.limit.current() >= CEILING / 2, "{:?}", channel.limit);
}

#[test]
fn a_provider_that_throttled_everything_is_used_again_soon() {
    let mut channel = Channel::new();
    channel.send(SECOND * 3 / 2, usize::MAX, &mut willing(100 * MS));
    channel.send(20 * SECOND, usize::MAX, &mut |_, _| (100 * MS, AttemptEnd::Throttled));
    assert_eq!(channel.limit.current(), FLOOR);
    channel.send(20 * SECOND, usize::MAX, &mut willing(100 * MS));
    let answers = channel.send(10 * SECOND, usize::MAX, &mut willing(100 * MS));
    assert!(answers.taken > 10_000, "{answers:?}");
}

#[test]
fn after_an_idle_time_it_begins_at_the_start_and_is_back_at_once() {
    let mut channel = Channel::new();
    channel.send(3 * SECOND, usize::MAX, &mut willing(100 * MS));
    channel.send(60 * SECOND, 0, &mut willing(100 * MS));
    channel.send(50 * MS, usize::MAX, &mut willing(100 * MS));
    assert_eq!(channel.limit.current(), START);
    channel.send(2 * SECOND, usize::MAX, &mut willing(100 * MS));
    assert_eq!(channel.limit.current(), CEILING);
}

#[test]
fn a_provider_that_is_near_may_take_some_milliseconds_more() {
    let (mut channel, mut provider) = (Channel::new(), Workers::new(1, MS / 20));
    channel.send(10 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
    let answers = channel.send(60 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
    assert!(channel.lowest >= START, "{}", channel.lowest);
    assert!(answers.taken > 60 * 19_000 && answers.slowest < 30 * MS, "{answers:?}");
}

#[test]
fn a_new_connection_for_each_new_one_under_way_is_no_sign_of_load() {
    let (mut opened, mut channel) = (0, Channel::new());
    channel.send(5 * SECOND, usize::MAX, &mut |_, under_way| {
        let is_new = under_way > opened;
        opened = opened.max(under_way);
        (if is_new { 400 * MS } else { 100 * MS }, AttemptEnd::Taken)
    });
    assert!(channel.limit.current() > CEILING / 2, "{:?}", channel.limit);
}

#[test]
fn a_ceiling_that_falls_holds_at_once() {
    let mut channel = Channel::new();
    channel.send(3 * SECOND, usize::MAX, &mut willing(100 * MS));
    channel.limit.set_ceiling(50);
    assert_eq!(channel.limit.current(), 50);
    channel.send(3 * SECOND, usize::MAX, &mut willing(100 * MS));
    assert_eq!((channel.lowest, channel.highest), (50, 50));
    assert_eq!(ConcurrencyLimit::new(3).current(), 3);
}

#[test]
fn a_rate_that_nobody_asks_for_does_not_grow() {
    let mut provider =
        Bucket { per_second: 100.0, burst: 1.0, tokens: 0.0, at: Duration::ZERO, took: 100 * MS };
    let mut channel = Channel::new();
    channel.send(10 * SECOND, usize::MAX, &mut |now, _| provider.answer(now));
    let learned = channel.rate.per_second().unwrap();
    channel.send(60 * SECOND, 0, &mut |now, _| provider.answer(now));
    channel.send(100 * MS, usize::MAX, &mut |now, _| provider.answer(now));
    let after = channel.rate.per_second().unwrap();
    assert!(after < learned * 1.05, "{learned} {after}");
    channel.send(300 * SECOND, 0, &mut |now, _| provider.answer(now));
    channel.send(50 * MS, 1, &mut |now, _| provider.answer(now));
    assert_eq!(channel.rate.per_second(), None, "it is forgotten");
}

proptest! {
    /// Whatever comes, the limit stays within its bounds, a rate that was learned is one, and both can be used.
    #[test]
    fn whatever_is_answered_the_limit_stays_within_its_bounds(
        answers in proptest::collection::vec((0_u64..3_000, 0_usize..4, 0_u64..500), 1..400),
        ceiling in 1_usize..2_000,
    ) {
        let (mut limit, mut rate, mut now) = (ConcurrencyLimit::new(ceiling), ThrottledRate::default(), SECOND);
        for (took, end, pause) in answers {
            now += MS * pause as u32;
            rate.take(now);
            limit.started(limit.current(), now);
            let took = MS * took as u32;
            let attempt = EndedAttempt { began: now, took, end: ENDS[end] };
            limit.answered(attempt, rate.per_second(), now + took);
            rate.answered(attempt, now + took);
            now += took;
            prop_assert!((FLOOR..=ceiling.min(CEILING)).contains(&limit.current()));
            prop_assert!(rate.per_second().is_none_or(|rate| rate.is_finite() && rate > 0.5));
            prop_assert!(rate.next().is_none_or(|at| at <= now + 3 * SECOND));
        }
    }

    /// Whatever fixed time a provider takes, in the end it is used as far as the ceiling allows.
    #[test]
    fn a_provider_without_limits_is_used_to_the_ceiling(took in 1_u32..30_000, ceiling in 1_usize..1_024) {
        let mut channel = Channel::new();
        channel.limit.set_ceiling(ceiling);
        channel.send((took * MS) * 200, usize::MAX, &mut willing(took * MS));
        prop_assert_eq!(channel.limit.current(), ceiling);
    }
}
