//! Customers whom a run left out for one and the same reason: skipped or failed, all of them or more than a tenth. Such a
//! run is done as any other, and the author of the mistake that most of these come of must be told.
//!
//! Reasons are counted by their pattern, with each chunk, and kept with its counts: nothing is asked or written for it,
//! and what is kept has a bound.

mod pattern;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::pattern::{VALUE, class, pattern};
use super::customer::CustomerKey;
use super::permit::is_for_want_of_address_or_consent;
use super::run_counts::{RunCounts, journey_end};
use super::state::DeliveryState;

/// How many reasons are told apart, for each of the states; of more, the rarest are counted together.
const REASONS_MAX: usize = 32;
/// More of the words of a reason are not kept.
const EXAMPLE_CHARS_MAX: usize = 300;
/// What begins the reason of a customer whom a template left out on purpose, in the words of its author.
const ABORTED: &str = "aborted: ";

/// Customers skipped or failed, by state and by the pattern of the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasons(Vec<Reason>);

/// The customers of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reason {
    /// The word of `Skipped` or `Failed`.
    state: String,
    /// What is the same for all of them.
    pattern: String,
    /// The reason of one of them.
    example: String,
    /// Whether it is that of all of them.
    alike: bool,
    customers: u64,
}

/// Customers whom a run left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The word of `Skipped` or `Failed`.
    pub state: String,
    /// How many.
    pub customers: u64,
    /// Of how many customers of the run.
    pub of: u64,
    /// The reason, with a value of one of them where it differs between them.
    pub reason: String,
    /// The reason without what belongs to a single customer.
    pub pattern: String,
    /// Whether all of them have these very words.
    pub alike: bool,
}

/// A delivery, as far as it is counted here.
#[derive(Debug, Clone, Copy)]
pub struct CountedDelivery<'a> {
    /// Whose it is.
    pub customer: CustomerKey,
    /// What has become of it.
    pub state: DeliveryState,
    /// Why.
    pub reason: Option<&'a str>,
}

impl Reasons {
    /// Counts the deliveries of a chunk, in the order of their customers.
    pub fn of_chunk(deliveries: &[CountedDelivery<'_>]) -> Self {
        let mut counted = Counting::default();
        for one in deliveries.chunk_by(|a, b| a.customer == b.customer) {
            counted.add_customer(one);
        }
        let mut reasons = Reasons(counted.reasons);
        reasons.bound();
        reasons
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds those of another chunk.
    pub fn merge(&mut self, other: &Reasons) {
        for reason in &other.0 {
            self.add(reason.clone());
        }
        self.bound();
    }

    fn add(&mut self, reason: Reason) {
        let known = self.0.iter_mut().find(|it| it.state == reason.state && it.pattern == reason.pattern);
        match known {
            Some(known) => {
                known.alike &= reason.alike && known.example == reason.example;
                known.customers += reason.customers;
            }
            None => self.0.push(reason),
        }
    }

    /// Orders them, most customers first, and counts the rarest together if there are too many: by what they are about at
    /// large, and what has no such name as anything.
    fn bound(&mut self) {
        for state in [DeliveryState::Skipped, DeliveryState::Failed] {
            self.sort();
            let of_state = |reason: &&Reason| reason.state == state.word();
            if self.0.iter().filter(of_state).count() <= REASONS_MAX {
                continue;
            }
            let (mine, others): (Vec<Reason>, Vec<Reason>) =
                std::mem::take(&mut self.0).into_iter().partition(|reason| of_state(&reason));
            self.0 = others;
            let classes: BTreeSet<String> = mine.iter().filter_map(|reason| class(&reason.pattern)).collect();
            // Room for each class, as far as there is; and for those of none.
            let alone = (REASONS_MAX - 1).saturating_sub(classes.len()).max(REASONS_MAX / 2);
            let mut named = classes.into_iter().take(REASONS_MAX - 1 - alone).collect::<BTreeSet<_>>();
            named.insert(VALUE.to_string());
            for (place, mut reason) in mine.into_iter().enumerate() {
                if place >= alone && !named.contains(&reason.pattern) {
                    let class = class(&reason.pattern).filter(|class| named.contains(class));
                    reason.pattern = class.unwrap_or_else(|| VALUE.to_string());
                    reason.alike = false;
                }
                self.add(reason);
            }
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.0.sort_by(|a, b| (b.customers, &a.state, &a.pattern).cmp(&(a.customers, &b.state, &b.pattern)));
    }
}

#[derive(Default)]
struct Counting {
    reasons: Vec<Reason>,
    /// Places in `reasons`, by state and pattern.
    known: BTreeMap<(DeliveryState, String), usize>,
    /// The reason that was looked at last: most are like the one before.
    last: Option<(DeliveryState, String, usize)>,
}

impl Counting {
    /// Counts each of a customer's reasons once. Who was written to by another way was not left out for want of consent
    /// or address.
    fn add_customer(&mut self, deliveries: &[CountedDelivery<'_>]) {
        let is_closed =
            |one: &&CountedDelivery<'_>| matches!(one.state, DeliveryState::Skipped | DeliveryState::Failed);
        let is_reached = deliveries.iter().any(|one| {
            one.state != DeliveryState::Failed
                && journey_end([one.state]) == super::run_counts::JourneyEnd::Messaged
        });
        let mut counted: Vec<usize> = Vec::new();
        for one in deliveries.iter().filter(is_closed) {
            let reason = one.reason.unwrap_or_default();
            if is_reached && is_for_want_of_address_or_consent(reason) {
                continue;
            }
            let place = self.place_of(one.state, reason);
            if !counted.contains(&place) {
                counted.push(place);
                self.reasons[place].customers += 1;
            }
        }
    }

    fn place_of(&mut self, state: DeliveryState, reason: &str) -> usize {
        if let Some((_, _, place)) = self.last.as_ref().filter(|last| last.0 == state && last.1 == reason) {
            return *place;
        }
        let pattern = pattern(reason);
        let example = shortened(reason);
        let next = self.reasons.len();
        let place = *self.known.entry((state, pattern.clone())).or_insert(next);
        match self.reasons.get_mut(place) {
            Some(known) => known.alike &= known.example == example,
            None => {
                let state = state.word().to_owned();
                self.reasons.push(Reason { state, pattern, example, alike: true, customers: 0 });
            }
        }
        self.last = Some((state, reason.to_owned(), place));
        place
    }
}

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(EXAMPLE_CHARS_MAX) {
        Some((end, _)) => format!("{}{VALUE}", &reason[..end]),
        None => reason.to_owned(),
    }
}

/// Whom the run with these counts left out, most customers first. More than a tenth of the audience is told as soon as so many
/// are; all whom it had a message for, once all are at their end.
pub fn left_out(run_counts: &RunCounts, audience: u64) -> Vec<LeftOut> {
    let ended = run_counts.journeys.total();
    let addressed = ended.saturating_sub(run_counts.journeys.without_message);
    let is_told = |reason: &&Reason| {
        let is_all = ended >= audience && reason.customers == addressed;
        // Whatever is counted under no name at all has no reason in common.
        let is_one = reason.pattern != VALUE.to_string();
        is_one && reason.customers > 0 && (is_all || reason.customers.saturating_mul(10) > audience)
    };
    let told = run_counts.reasons.0.iter().filter(is_told);
    told.map(|reason| LeftOut {
        state: reason.state.clone(),
        customers: reason.customers,
        of: audience,
        reason: reason.example.clone(),
        pattern: reason.pattern.clone(),
        alike: reason.alike,
    })
    .collect()
}

impl LeftOut {
    /// In words, for those who may see what belongs to single customers.
    pub fn in_words(&self) -> String {
        let such_as = if self.alike { "" } else { "for example " };
        format!("{}: {such_as}{}", self.counted(), self.reason)
    }

    /// In words, without anything that belongs to a single customer: for logs, Events and conditions.
    pub fn in_public_words(&self) -> String {
        format!("{}: {}", self.counted(), self.public_reason())
    }

    /// The reason, without anything that belongs to a single customer.
    pub fn public_reason(&self) -> String {
        let is_shared = self.alike && self.customers > 1;
        match self.pattern.strip_prefix(ABORTED) {
            Some(_) if !is_shared => format!("{ABORTED}{VALUE}"),
            _ => self.pattern.clone(),
        }
    }

    fn counted(&self) -> String {
        let LeftOut { state, customers, of, .. } = self;
        let what = if state == DeliveryState::Skipped.word() { "were skipped" } else { "failed" };
        match (*customers, *of) {
            (1, 1) if what == "failed" => "the only customer failed".to_owned(),
            (1, 1) => "the only customer was skipped".to_owned(),
            (all, of) if all == of => format!("all {all} customers {what}"),
            _ => format!("{customers} of {of} customers {what}"),
        }
    }
}

#[cfg(test)]
mod tests;
