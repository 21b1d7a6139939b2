//! What a channel may do at once and in a second where its manifest does not say it: learned from its provider's answers.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::handle::ChannelHandle;
use crate::channels::{Attempt, Channel};
use crate::domain::concurrency::{AttemptEnd, ConcurrencyLimit, EndedAttempt, ThrottledRate};

/// The limits of one channel.
pub(super) struct AdaptiveLimits {
    /// What times are counted from.
    epoch: Instant,
    /// The connection that this was learned of; what replaces it may be another provider's.
    learned_of: Option<Weak<dyn Channel>>,
    limit: ConcurrencyLimit,
    rate: ThrottledRate,
}

impl AdaptiveLimits {
    pub(super) fn new(now: Instant) -> Self {
        let (limit, rate) = (ConcurrencyLimit::new(usize::MAX), ThrottledRate::default());
        AdaptiveLimits { epoch: now, learned_of: None, limit, rate }
    }

    /// Follows the manifest, and begins anew with a new connection.
    pub(super) fn follow(&mut self, handle: &ChannelHandle) {
        let is_the_same = self
            .learned_of
            .as_ref()
            .is_some_and(|known| std::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(&handle.channel)));
        if !is_the_same {
            self.learned_of = Some(Arc::downgrade(&handle.channel));
            self.limit = ConcurrencyLimit::new(handle.ceiling());
            self.rate = ThrottledRate::default();
        }
        self.limit.set_ceiling(handle.ceiling());
    }

    /// How many attempts may be under way at once.
    pub(super) fn concurrency(&self, handle: &ChannelHandle) -> usize {
        handle.concurrency.unwrap_or(self.limit.current())
    }

    /// How many attempts may begin in a second, if the provider throttles.
    pub(super) fn per_second(&self, handle: &ChannelHandle) -> Option<f64> {
        self.rate.per_second().filter(|_| handle.is_adaptive())
    }

    /// Takes a start of the learned rate, if one is due.
    pub(super) fn take(&mut self, handle: &ChannelHandle, now: Instant) -> bool {
        !handle.is_adaptive() || self.rate.take(self.since_epoch(now))
    }

    /// Gives back a start that was taken, as something else lets none begin.
    pub(super) fn put_back(&mut self) {
        self.rate.put_back();
    }

    /// When the next start of the learned rate is due, if one was refused.
    pub(super) fn next_start(&self) -> Option<Instant> {
        self.rate.next().map(|next| self.epoch + next)
    }

    /// An attempt begins, the last of so many under way.
    pub(super) fn started(&mut self, under_way: usize, now: Instant) {
        self.limit.started(under_way, self.since_epoch(now));
    }

    /// An attempt that began then came to this.
    pub(super) fn answered(&mut self, attempt: &Attempt, began: Instant, took: Duration, now: Instant) {
        let end = match attempt {
            Attempt::Sent { .. } => AttemptEnd::Taken,
            Attempt::Throttled { .. } => AttemptEnd::Throttled,
            Attempt::NotTaken { provider_down: true, .. } | Attempt::Unknown { .. } => AttemptEnd::Failed,
            Attempt::NotTaken { provider_down: false, .. } | Attempt::Refused { .. } => AttemptEnd::Refused,
        };
        let (attempt, now) =
            (EndedAttempt { began: self.since_epoch(began), took, end }, self.since_epoch(now));
        self.limit.answered(attempt, self.rate.per_second(), now);
        self.rate.answered(attempt, now);
    }

    fn since_epoch(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.epoch)
    }
}
