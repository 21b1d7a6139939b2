//! Refusals of which it is not known yet whether they are of one recipient or of everyone.
//!
//! A message that was refused so waits, and nothing of it has failed, until others show what the refusal was about: a
//! recipient whose attempt began later and was answered in another way, or several recipients that were refused alike.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::domain::customer::CustomerKey;
use crate::domain::delivery::DeliveryId;

/// How many recipients that are refused with the same words, and none taken meanwhile, mean that everyone is.
const ALIKE_UNTIL_ALL: usize = 3;
/// Where it turned out that not everyone was, more are needed the next time; at most so many. So many that are refused
/// with whatever words mean that everyone is.
const ALIKE_UNTIL_ALL_MAX: usize = 24;
/// The first wait of a message that was refused so; each next one is three times what it has waited already.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// A recipient who is still refused so long after the first time, while no other recipient is tried, is refused alone.
const ALONE_AFTER: Duration = Duration::from_secs(15);
/// What is known of a message that does not come back is forgotten after this time.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// How many messages are remembered whose refusal turned out to be their own.
const OWN_MAX: usize = 10_000;

/// What a refusal is about, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Everyone: it is the channel's trouble.
    OfAll,
    /// This message or its recipient.
    Own,
    /// Not known yet; the message is tried again after this time.
    Undecided(Duration),
}

/// What is known of messages that were refused with words that may be for everyone.
#[derive(Debug)]
pub(super) struct Suspicion {
    undecided: Vec<Undecided>,
    own: HashMap<DeliveryId, Own>,
    until_all: usize,
    /// Since when everyone counts as refused.
    all_since: Option<Instant>,
}

#[derive(Debug)]
struct Undecided {
    id: DeliveryId,
    said: String,
    reason: String,
    first_at: Instant,
    last_at: Instant,
}

#[derive(Debug)]
struct Own {
    reason: String,
    since: Instant,
}

impl Default for Suspicion {
    fn default() -> Self {
        Suspicion { undecided: Vec::new(), own: HashMap::new(), until_all: ALIKE_UNTIL_ALL, all_since: None }
    }
}

impl Suspicion {
    /// Whether everyone counts as refused.
    pub(super) fn is_of_all(&self) -> bool {
        self.all_since.is_some()
    }

    /// A message was refused with words that others may hear too: `said` is what such words have in common.
    pub(super) fn refused(&mut self, id: DeliveryId, said: &str, reason: &str, now: Instant) -> Refusal {
        if self.all_since.is_some() {
            return Refusal::OfAll;
        }
        if self.own.remove(&id).is_some() {
            return Refusal::Own;
        }
        let before =
            self.undecided.iter().position(|it| it.id == id).map(|at| self.undecided.swap_remove(at));
        let first_at = before.map_or(now, |before| before.first_at);
        let waited = now.saturating_duration_since(first_at);
        self.undecided.push(Undecided {
            id,
            said: said.to_owned(),
            reason: reason.to_owned(),
            first_at,
            last_at: now,
        });
        let alike = self.recipients(|it| it.said == said);
        if alike >= self.until_all || self.recipients(|_| true) >= ALIKE_UNTIL_ALL_MAX {
            self.all_since = Some(now);
            self.undecided.clear();
            return Refusal::OfAll;
        }
        if waited >= ALONE_AFTER {
            self.undecided.retain(|it| it.id != id);
            return Refusal::Own;
        }
        Refusal::Undecided((waited * 3).max(FIRST_WAIT))
    }

    /// An attempt that began then was answered in a way that says nothing of others: who was refused before it began was
    /// refused alone. False if everyone counts as refused since after it began, of which it says nothing.
    pub(super) fn answered(&mut self, id: DeliveryId, began: Instant, now: Instant) -> bool {
        self.forget(id);
        if let Some(since) = self.all_since {
            if began < since {
                return false;
            }
            self.all_since = None;
            self.until_all = (self.until_all * 2).min(ALIKE_UNTIL_ALL_MAX);
        }
        let (own, rest) = std::mem::take(&mut self.undecided).into_iter().partition(|it| it.last_at <= began);
        self.undecided = rest;
        let own: Vec<Undecided> = own;
        for Undecided { id, reason, .. } in own {
            if self.own.len() < OWN_MAX {
                self.own.insert(id, Own { reason, since: now });
            }
        }
        true
    }

    /// The message came to another end, or is to be tried again for another reason.
    pub(super) fn forget(&mut self, id: DeliveryId) {
        self.undecided.retain(|it| it.id != id);
        self.own.remove(&id);
    }

    /// Takes what was said to a message of which it is known by now that the refusal was its own.
    pub(super) fn take_own(&mut self, id: DeliveryId) -> Option<String> {
        self.own.remove(&id).map(|own| own.reason)
    }

    /// Forgets messages that do not come back: their runs were stopped, or another process has them.
    pub(super) fn sweep(&mut self, now: Instant) {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < FORGOTTEN_AFTER;
        self.undecided.retain(|it| is_recent(it.last_at));
        self.own.retain(|_, own| is_recent(own.since));
    }

    fn recipients(&self, of: impl Fn(&Undecided) -> bool) -> usize {
        let customers = self.undecided.iter().filter(|it| of(it)).map(|it| it.id.customer);
        customers.collect::<HashSet<CustomerKey>>().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{NodeIndex, RunId};

    const SECOND: Duration = Duration::from_secs(1);

    fn id(customer: i64) -> DeliveryId {
        DeliveryId::to_only_target(RunId(1), CustomerKey(customer), NodeIndex(0))
    }

    fn is_undecided(refusal: &Refusal) -> bool {
        matches!(refusal, Refusal::Undecided(_))
    }

    #[test]
    fn several_recipients_refused_alike_mean_everyone_and_none_of_them_has_failed() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        let mut refuse = |n, said| suspicion.refused(id(n), said, said, now);
        assert!((0..2).all(|n| is_undecided(&refuse(n, "550 no"))));
        assert!(is_undecided(&refuse(2, "550 other words")));
        assert!(is_undecided(&refuse(0, "550 no")), "the same recipient again is no other one");
        assert_eq!(refuse(3, "550 no"), Refusal::OfAll);
        assert_eq!(refuse(4, "554 any"), Refusal::OfAll);
        assert!((0..5).all(|n| suspicion.take_own(id(n)).is_none()));
    }

    #[test]
    fn words_that_always_differ_mean_everyone_after_many() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        let refusals: Vec<Refusal> =
            (0..24).map(|n| suspicion.refused(id(n), &format!("550 {n}"), "550", now)).collect();
        assert!(refusals[..23].iter().all(is_undecided));
        assert_eq!(refusals[23], Refusal::OfAll);
    }

    #[test]
    fn who_is_refused_while_a_later_attempt_is_taken_was_refused_alone() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        suspicion.refused(id(1), "550 no", "550 no to 1", now);
        assert!(suspicion.answered(id(8), now - SECOND, now), "it had begun before, and says nothing");
        assert_eq!(suspicion.take_own(id(1)), None);
        suspicion.refused(id(2), "550 no", "550 no to 2", now + 3 * SECOND);
        assert!(suspicion.answered(id(9), now + SECOND, now + 4 * SECOND));
        assert_eq!(suspicion.take_own(id(1)).as_deref(), Some("550 no to 1"));
        assert_eq!(suspicion.take_own(id(2)), None);
        assert!(suspicion.answered(id(9), now + 5 * SECOND, now + 6 * SECOND));
        assert_eq!(suspicion.refused(id(2), "550 no", "550 no", now + 6 * SECOND), Refusal::Own);
    }

    #[test]
    fn it_turned_out_that_not_everyone_was_and_more_are_needed_the_next_time() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        for n in 0..3 {
            suspicion.refused(id(n), "550 no", "550 no", now);
        }
        assert!(suspicion.is_of_all());
        assert!(!suspicion.answered(id(7), now - SECOND, now), "it had begun before everyone was refused");
        assert!(suspicion.answered(id(7), now + SECOND, now + SECOND));
        assert!((0..5).all(|n| is_undecided(&suspicion.refused(id(n), "550 no", "550 no", now))));
        assert_eq!(suspicion.refused(id(5), "550 no", "550 no", now), Refusal::OfAll);
    }

    #[test]
    fn a_lone_recipient_is_tried_again_a_few_times() {
        let start = Instant::now();
        let mut suspicion = Suspicion::default();
        let mut at = start;
        let mut tries = 0;
        while let Refusal::Undecided(wait) = suspicion.refused(id(1), "550 no", "550 no", at) {
            at += wait;
            tries += 1;
        }
        assert_eq!((tries, at), (3, start + 16 * SECOND));
    }

    #[test]
    fn what_does_not_come_back_is_forgotten() {
        let now = Instant::now();
        let mut suspicion = Suspicion::default();
        suspicion.refused(id(1), "550 no", "550 no", now);
        suspicion.answered(id(3), now, now);
        suspicion.refused(id(2), "550 no", "550 no", now);
        suspicion.sweep(now + FORGOTTEN_AFTER);
        assert!(suspicion.undecided.is_empty() && suspicion.own.is_empty());
    }
}
