//! The rate limit of a channel: a token bucket of this process with a burst of a tenth of a second, or starts that the
//! store grants where replicas share the rate.

use std::time::{Duration, Instant};

use super::granted::Granted;
use crate::store::channel_rates::Starts;

/// Tokens that come at a steady rate; each start of an attempt takes one.
#[derive(Debug)]
pub(super) struct TokenBucket {
    per_second: Option<f64>,
    tokens: f64,
    filled_at: Instant,
    granted: Option<Granted>,
}

impl TokenBucket {
    pub(super) fn new(per_second: Option<u32>, is_shared: bool, now: Instant) -> Self {
        let per_second = per_second.map(f64::from);
        let tokens = per_second.map_or(0.0, burst);
        TokenBucket { per_second, tokens, filled_at: now, granted: is_shared.then(Granted::default) }
    }

    /// How many starts to request from the store, and how far apart, for so many ready messages.
    pub(super) fn wants(&mut self, ready: usize, now: Instant) -> Option<(Duration, u32)> {
        let every = Duration::from_secs_f64(1.0 / self.per_second?);
        Some((every, self.granted.as_mut()?.wants(every, ready, now)?))
    }

    /// The store granted these.
    pub(super) fn grant(&mut self, starts: Starts) {
        if let Some(granted) = &mut self.granted {
            granted.add(starts);
        }
    }

    /// The store granted none.
    pub(super) fn was_refused(&mut self, now: Instant) {
        if let Some(granted) = &mut self.granted {
            granted.was_refused(now);
        }
    }

    /// Changes the rate without granting tokens.
    pub(super) fn set_rate(&mut self, per_second: Option<u32>, now: Instant) {
        let per_second = per_second.map(f64::from);
        if self.per_second != per_second {
            self.fill(now);
            self.per_second = per_second;
            self.tokens = self.tokens.min(per_second.map_or(0.0, burst));
        }
    }

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if let (Some(granted), Some(_)) = (&mut self.granted, self.per_second) {
            return granted.take(now);
        }
        self.fill(now);
        match self.per_second {
            None => true,
            Some(_) if self.tokens >= 1.0 => {
                self.tokens -= 1.0;
                true
            }
            Some(_) => false,
        }
    }

    /// When the next token will be there; `None` if none is missing.
    pub(super) fn next_token(&self) -> Option<Instant> {
        let per_second = self.per_second?;
        if let Some(granted) = &self.granted {
            return granted.next();
        }
        let missing = 1.0 - self.tokens;
        (missing > 0.0).then(|| self.filled_at + Duration::from_secs_f64(missing / per_second))
    }

    fn fill(&mut self, now: Instant) {
        if let Some(per_second) = self.per_second {
            let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
            self.tokens = (self.tokens + passed * per_second).min(burst(per_second));
        }
        self.filled_at = now;
    }
}

fn burst(per_second: f64) -> f64 {
    (per_second / 10.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_than_the_rate_and_a_tenth() {
        let start = Instant::now();
        let mut token_bucket = TokenBucket::new(Some(50), false, start);
        let started = (0..1000).filter(|ms| token_bucket.take(start + Duration::from_millis(*ms))).count();
        assert!((50..=55).contains(&started), "{started}");
        assert!(token_bucket.next_token().is_some());
    }

    #[test]
    fn without_a_rate_there_is_always_a_token() {
        let now = Instant::now();
        let mut token_bucket = TokenBucket::new(None, false, now);
        assert!((0..1000).all(|_| token_bucket.take(now)));
        assert_eq!(token_bucket.next_token(), None);
    }
}
