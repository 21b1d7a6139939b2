//! Lines that a failure would repeat without end: the first of each kind at once, then one in a while with a count.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many kinds are told apart; what comes beyond them counts as one.
const KINDS_MAX: usize = 32;
/// What all kinds beyond those are called.
const OTHERS: &str = "";

/// Lets lines through, each kind at most once in a while.
#[derive(Debug)]
pub struct Sampled {
    every: Duration,
    kinds: Mutex<Option<HashMap<String, Kind>>>,
}

#[derive(Debug)]
struct Kind {
    said: Instant,
    held_back: u64,
}

impl Sampled {
    /// A line of a kind is let through, and then none for so long.
    pub const fn every(every: Duration) -> Self {
        Sampled { every, kinds: Mutex::new(None) }
    }

    /// Whether a line of this kind is to be written now: then, how many of them were held back since the last one.
    pub fn pass(&self, kind: &str) -> Option<u64> {
        self.pass_at(kind, Instant::now())
    }

    fn pass_at(&self, kind: &str, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds = kinds.get_or_insert_default();
        let name = if kinds.contains_key(kind) || kinds.len() < KINDS_MAX { kind } else { OTHERS };
        let Some(known) = kinds.get_mut(name) else {
            kinds.retain(|_, known| now.saturating_duration_since(known.said) < self.every * 6);
            kinds.insert(name.to_owned(), Kind { said: now, held_back: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(known.said) < self.every {
            known.held_back += 1;
            return None;
        }
        known.said = now;
        Some(std::mem::take(&mut known.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_once_in_a_while_with_how_many_were_held_back() {
        let sampled = Sampled::every(Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(sampled.pass_at("a", at(0)), Some(0));
        assert_eq!(sampled.pass_at("a", at(1)), None);
        assert_eq!(sampled.pass_at("b", at(1)), Some(0));
        assert_eq!(sampled.pass_at("a", at(2)), None);
        assert_eq!(sampled.pass_at("a", at(10)), Some(2));
        assert_eq!(sampled.pass_at("a", at(11)), None);
    }

    #[test]
    fn kinds_without_end_are_one_kind() {
        let sampled = Sampled::every(Duration::from_secs(10));
        let now = Instant::now();
        let told = (0..1000).filter(|n| sampled.pass_at(&n.to_string(), now).is_some()).count();
        assert_eq!(told, KINDS_MAX + 1);
    }
}
