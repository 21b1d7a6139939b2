//! Who guesses credentials: failures by the name that was presented and by the peer they came from.
//!
//! Who failed too often lately is answered later and later, and told to wait. Right credentials are never asked about here:
//! they pass at any time, also while others guess. Memory is bounded: of many names and peers those are forgotten first
//! that failed least.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use jiff::Timestamp;

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedGuess<'a> {
    /// It brought no credentials, or none that can be read.
    Missing,
    /// It brought wrong ones; the name is there unless they were a token.
    Wrong {
        /// The username or id.
        name: Option<&'a str>,
    },
}

/// What becomes of a client that failed too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slowed {
    /// How long the answer is held back.
    pub answer_after: Duration,
    /// How long until a failure is answered at once again.
    pub retry_after: Duration,
}

/// How fast failures of one name, or of one peer, may come.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    /// How much may come at once.
    at_once: f64,
    /// How much of it comes back in a second.
    a_second: f64,
    /// The time between two answers beyond that, at first.
    pace: Duration,
}

/// A name: 20 wrong passwords at once, and one a second.
const OF_NAME: Allowance = Allowance { at_once: 20.0, a_second: 1.0, pace: Duration::from_millis(20) };
/// A peer, behind which there may be many callers: 200 wrong passwords at once and 10 a second, or ten times as many
/// requests without any.
const OF_PEER: Allowance = Allowance { at_once: 200.0, a_second: 10.0, pace: Duration::from_millis(5) };
/// What a request without credentials counts for a peer: it guesses nothing.
const MISSING: f64 = 0.1;
/// The longest time between two answers, and after how many slowed ones it has doubled.
const PACE_MAX: Duration = Duration::from_secs(1);
const DOUBLED_AFTER: u32 = 500;
/// The longest that one answer is held back.
const HELD_BACK_MAX: Duration = Duration::from_secs(30);

/// How many names and how many peers are remembered: as many as sets, times the places in each.
const SETS: usize = 1024;
const PLACES: usize = 4;

/// What is remembered of failures.
#[derive(Debug)]
pub struct Guesses {
    hasher: RandomState,
    names: Table,
    peers: Table,
}

#[derive(Debug)]
struct Table {
    allowance: Allowance,
    sets: Vec<[Place; PLACES]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    key: u64,
    level: f64,
    /// When the level was that, in microseconds of Unix time.
    at: i64,
    /// How many answers were slowed since the level was zero.
    slowed: u32,
    /// When the last one that was held back is answered.
    answered_at: i64,
}

impl Guesses {
    /// No failures yet. The name or peer of a place is hashed by `hasher`, whose keys no client knows.
    pub fn new(hasher: RandomState) -> Self {
        let table = |allowance| Table { allowance, sets: vec![[Place::default(); PLACES]; SETS] };
        Guesses { hasher, names: table(OF_NAME), peers: table(OF_PEER) }
    }

    /// Notes a failure. Answers whether, and how, the client is slowed.
    pub fn failed(
        &mut self,
        failure: FailedGuess<'_>,
        peer: Option<[u8; 16]>,
        now: Timestamp,
    ) -> Option<Slowed> {
        let (name, counts) = match failure {
            FailedGuess::Missing => (None, MISSING),
            FailedGuess::Wrong { name } => (name, 1.0),
        };
        let now = now.as_microsecond();
        let by_name = name.and_then(|name| self.names.failed(self.hasher.hash_one(name), 1.0, now));
        let by_peer = peer.and_then(|peer| self.peers.failed(self.hasher.hash_one(peer), counts, now));
        match (by_name, by_peer) {
            (Some(name), Some(peer)) => Some(Slowed {
                answer_after: name.answer_after.max(peer.answer_after),
                retry_after: name.retry_after.max(peer.retry_after),
            }),
            (one, other) => one.or(other),
        }
    }
}

impl Table {
    fn failed(&mut self, key: u64, counts: f64, now: i64) -> Option<Slowed> {
        let allowance = self.allowance;
        let set = &mut self.sets[key as usize % SETS];
        for place in set.iter_mut() {
            place.drain(allowance, now);
        }
        let known = set.iter().position(|place| place.key == key);
        let least = (0..PLACES).min_by(|a, b| set[*a].level.total_cmp(&set[*b].level)).unwrap_or(0);
        let place = &mut set[known.unwrap_or(least)];
        if known.is_none() {
            *place = Place { key, at: now, ..Place::default() };
        }
        place.failed(allowance, counts, now)
    }
}

impl Place {
    fn drain(&mut self, allowance: Allowance, now: i64) {
        let seconds = now.saturating_sub(self.at).max(0) as f64 / 1e6;
        self.level = (self.level - seconds * allowance.a_second).max(0.0);
        self.at = now;
        if self.level == 0.0 {
            self.slowed = 0;
        }
    }

    fn failed(&mut self, allowance: Allowance, counts: f64, now: i64) -> Option<Slowed> {
        self.level = (self.level + counts).min(allowance.at_once + 1.0);
        if self.level <= allowance.at_once {
            return None;
        }
        let pace = allowance.pace * (1 << (self.slowed / DOUBLED_AFTER).min(16));
        self.slowed = self.slowed.saturating_add(1);
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let latest = now.saturating_add(micros(HELD_BACK_MAX));
        self.answered_at = self.answered_at.max(now).saturating_add(micros(pace.min(PACE_MAX))).min(latest);
        let above = (self.level - allowance.at_once) / allowance.a_second;
        Some(Slowed {
            answer_after: Duration::from_micros(u64::try_from(self.answered_at - now).unwrap_or(0)),
            retry_after: Duration::from_secs_f64(above.max(1.0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG: FailedGuess<'static> = FailedGuess::Wrong { name: Some("ann") };

    fn guesses() -> Guesses {
        Guesses::new(RandomState::new())
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    fn peer(n: u32) -> Option<[u8; 16]> {
        Some((u128::from(n) << 32).to_be_bytes())
    }

    #[test]
    fn a_name_is_slowed_whoever_guesses_and_others_are_not() {
        let mut guesses = guesses();
        let slowed = (0..1_000).filter(|n| guesses.failed(WRONG, peer(*n), at(0)).is_some()).count();
        assert_eq!(slowed, 980);
        assert_eq!(guesses.failed(FailedGuess::Wrong { name: Some("bob") }, peer(7), at(0)), None);
        // Once there were no guesses for a while, a typing error is answered at once.
        assert_eq!(guesses.failed(WRONG, peer(1), at(22_000)), None);
    }

    #[test]
    fn a_peer_is_slowed_whatever_names_it_makes_up() {
        let mut guesses = guesses();
        let names: Vec<String> = (0..5_000).map(|n| format!("user-{n}")).collect();
        let slowed = names.iter().filter(|name| {
            guesses.failed(FailedGuess::Wrong { name: Some(name.as_str()) }, peer(1), at(0)).is_some()
        });
        assert_eq!(slowed.count(), 4_800);
        let token = FailedGuess::Wrong { name: None };
        assert!(guesses.failed(token, peer(1), at(0)).is_some());
        assert_eq!(guesses.failed(token, peer(2), at(0)), None);
        assert_eq!(guesses.failed(token, None, at(0)), None);
    }

    #[test]
    fn requests_without_credentials_count_a_tenth() {
        let mut guesses = guesses();
        let slowed =
            (0..3_000).filter(|_| guesses.failed(FailedGuess::Missing, peer(1), at(0)).is_some()).count();
        assert!((999..=1_001).contains(&slowed), "{slowed}");
    }

    #[test]
    fn answers_come_one_behind_the_other_and_slower_the_longer_it_goes_on() {
        let mut guesses = guesses();
        let held: Vec<u128> = (0..40)
            .filter_map(|n| guesses.failed(WRONG, peer(n), at(0)))
            .map(|slowed| slowed.answer_after.as_millis())
            .collect();
        assert_eq!(held[..3], [20, 40, 60]);
        assert_eq!(held.len(), 20);
        let mut now = 0;
        let mut guessed = 0;
        while now < 3_600_000 {
            let slowed = guesses.failed(WRONG, peer(guessed), at(now));
            now += i64::try_from(slowed.map_or(0, |slowed| slowed.answer_after.as_millis())).unwrap();
            guessed += 1;
        }
        assert!((3_000..10_000).contains(&guessed), "{guessed} in an hour");
        let mut last = None;
        for n in 0..100 {
            last = guesses.failed(WRONG, peer(n), at(now));
        }
        let last = last.unwrap();
        assert_eq!(last.answer_after, HELD_BACK_MAX);
        assert!(last.retry_after >= Duration::from_secs(1));
    }

    #[test]
    fn who_is_guessed_at_stays_known_among_a_million_names() {
        let mut guesses = guesses();
        for n in 0..30 {
            guesses.failed(WRONG, peer(n), at(0));
        }
        for n in 0..1_000_000_u32 {
            let name = n.to_string();
            guesses.failed(FailedGuess::Wrong { name: Some(&name) }, peer(n), at(1));
        }
        assert!(guesses.failed(WRONG, peer(1), at(2)).is_some());
    }
}
