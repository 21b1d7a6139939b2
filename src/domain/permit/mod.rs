//! Permission to send: whether a message may leave now, must wait, or is never sent. This is the one place that decides it.
//!
//! [`permit`] is a pure function over facts. It is asked when a message is written, right before its window is opened, and
//! once more right before its attempt begins, by then with what is known of its run, its channel and its customer at that
//! time. Whether a whole run goes on is the same question with the facts of the run alone.
//!
//! Where several things stand against a message, the first of these decides, so that the log always names the same one:
//!
//! 1. its run was cancelled, or has failed;
//! 2. its call has expired;
//! 3. its customer no longer exists;
//! 4. the customer does not consent;
//! 5. it has no address;
//! 6. its call expires before it may be sent;
//! 7. its run is paused, then its channel;
//! 8. it is not yet due.
//!
//! What is never sent goes before what waits: that a message could not be sent anyway shows before a pause ends.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::customer::Customer;
use super::state::DeliveryState;

/// What is known of a message. The default is a message that nothing stands against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PermitFacts<'a> {
    /// Now.
    pub now: Timestamp,
    /// Whether its run was told to stop: by a person, or since its scenario was changed or deleted.
    pub is_cancelled: bool,
    /// Whether a step of its run failed for good.
    pub has_failed: bool,
    /// When its call expires; from then on nothing is sent.
    pub expires_at: Option<Timestamp>,
    /// Whether its customer has been deleted.
    pub is_customer_gone: bool,
    /// Whether it needs an address and its customer has none.
    pub lacks_address: bool,
    /// The consent it needs; `None` if it needs none.
    pub consent: Option<Consent<'a>>,
    /// Whether its call, its scenario or the whole runtime is paused.
    pub is_run_paused: bool,
    /// Whether its channel is paused.
    pub is_channel_paused: bool,
    /// No attempt begins before this, as the last one failed.
    pub not_before: Option<Timestamp>,
}

/// A consent that a message needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent<'a> {
    /// Its category.
    pub category: &'a str,
    /// Whether the customer gave (true) or withdrew it (false), if anything was recorded.
    pub recorded: Option<bool>,
    /// What holds for a customer of whom nothing was recorded.
    pub default: bool,
}

impl<'a> Consent<'a> {
    /// The consent of a customer, where these are the defaults by category. A category without a default is not consented to.
    pub fn of(customer: &Customer, category: &'a str, defaults: &BTreeMap<String, bool>) -> Self {
        Consent {
            category,
            recorded: customer.consents.get(category).copied(),
            default: defaults.get(category).copied().unwrap_or(false),
        }
    }

    /// Whether the customer consents: what was recorded outranks every default.
    pub fn is_given(&self) -> bool {
        self.recorded.unwrap_or(self.default)
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit {
    /// It may be sent now.
    Send,
    /// It may be sent at this time at the earliest, and permission is asked again then. A pause ends when a person says so:
    /// what it holds is due at once.
    WaitUntil(Timestamp, WaitReason),
    /// It is never sent.
    Skip(SkipReason),
}

/// Why a message waits. Its words stand in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// Its call, its scenario or the whole runtime is paused.
    RunPaused,
    /// Its channel is paused.
    ChannelPaused,
    /// It was tried, and its next attempt is later.
    NextAttempt,
}

/// Why a message is never sent. Its words stand in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// Nothing more of its run is sent.
    Halted(Halt),
    /// Its customer was deleted.
    CustomerGone,
    /// It needs an address.
    NoAddress,
    /// The customer does not consent to this category.
    NoConsent(String),
    /// Its call expires before its next attempt may begin.
    ExpiresFirst,
}

/// Why nothing more of a run is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// It was told to stop.
    Cancelled,
    /// A step of it failed for good.
    Failed,
    /// Its call has expired.
    Expired,
}

/// Whether a message may be sent. Pure: the same facts give the same answer.
pub fn permit(facts: &PermitFacts<'_>) -> Permit {
    if let Some(reason) = skip(facts) {
        return Permit::Skip(reason);
    }
    match wait(facts) {
        Some((until, reason)) => Permit::WaitUntil(until, reason),
        None => Permit::Send,
    }
}

fn skip(facts: &PermitFacts<'_>) -> Option<SkipReason> {
    let has_expired_by = |at: Timestamp| facts.expires_at.is_some_and(|expires_at| expires_at <= at);
    if facts.is_cancelled {
        return Some(SkipReason::Halted(Halt::Cancelled));
    }
    if facts.has_failed {
        return Some(SkipReason::Halted(Halt::Failed));
    }
    if has_expired_by(facts.now) {
        return Some(SkipReason::Halted(Halt::Expired));
    }
    if facts.is_customer_gone {
        return Some(SkipReason::CustomerGone);
    }
    if let Some(consent) = facts.consent.filter(|consent| !consent.is_given()) {
        return Some(SkipReason::NoConsent(consent.category.to_owned()));
    }
    if facts.lacks_address {
        return Some(SkipReason::NoAddress);
    }
    facts.not_before.is_some_and(has_expired_by).then_some(SkipReason::ExpiresFirst)
}

fn wait(facts: &PermitFacts<'_>) -> Option<(Timestamp, WaitReason)> {
    let due_at = facts.not_before.unwrap_or(facts.now).max(facts.now);
    if facts.is_run_paused {
        return Some((due_at, WaitReason::RunPaused));
    }
    if facts.is_channel_paused {
        return Some((due_at, WaitReason::ChannelPaused));
    }
    (due_at > facts.now).then_some((due_at, WaitReason::NextAttempt))
}

impl Permit {
    /// Why nothing more of the run is sent, if that is the answer.
    pub fn halt(&self) -> Option<Halt> {
        match self {
            Permit::Skip(SkipReason::Halted(halt)) => Some(*halt),
            _ => None,
        }
    }
}

/// What begins the reason of a customer who does not consent; the category follows.
const NO_CONSENT: &str = "no consent: ";
/// The reason of a customer without an address.
const NO_ADDRESS: &str = "no address";

/// Whether a reason of the log says that the customer has no address for the message, or does not consent to it: another
/// message may have reached them.
pub fn is_for_want_of_address_or_consent(reason: &str) -> bool {
    reason == NO_ADDRESS || reason.starts_with(NO_CONSENT)
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipReason::Halted(Halt::Cancelled) => f.write_str("the run was cancelled"),
            SkipReason::Halted(Halt::Failed) => f.write_str("the run failed"),
            SkipReason::Halted(Halt::Expired) => f.write_str("it expired before it was sent"),
            SkipReason::CustomerGone => f.write_str("the customer no longer exists"),
            SkipReason::NoAddress => f.write_str(NO_ADDRESS),
            SkipReason::NoConsent(category) => write!(f, "{NO_CONSENT}{category}"),
            SkipReason::ExpiresFirst => f.write_str("it expires before its next attempt"),
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitReason::RunPaused => "its run is paused",
            WaitReason::ChannelPaused => "its channel is paused",
            WaitReason::NextAttempt => "it waits for its next attempt",
        })
    }
}

/// How a delivery ends that is not sent, or not again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// Its final state.
    pub state: DeliveryState,
    /// Why, in words.
    pub reason: String,
}

impl SkipReason {
    /// How a delivery ends for this reason; `maybe_sent` says that an earlier attempt may have been taken.
    pub fn end(&self, maybe_sent: bool) -> Unsent {
        let state = match self {
            // Nobody will try again.
            SkipReason::Halted(_) | SkipReason::ExpiresFirst if maybe_sent => DeliveryState::Unknown,
            SkipReason::Halted(Halt::Cancelled | Halt::Failed) => DeliveryState::Cancelled,
            SkipReason::Halted(Halt::Expired) | SkipReason::ExpiresFirst => DeliveryState::Expired,
            SkipReason::CustomerGone | SkipReason::NoAddress | SkipReason::NoConsent(_) => {
                return Unsent::skipped(self.to_string(), maybe_sent);
            }
        };
        Unsent { state, reason: self.to_string() }
    }
}

impl Unsent {
    /// There is no message for the customer, for this reason. One that may have been taken waits for a person.
    pub fn skipped(reason: String, maybe_sent: bool) -> Self {
        match maybe_sent {
            true => Unsent {
                state: DeliveryState::Held,
                reason: format!("it may have been taken, and now: {reason}"),
            },
            false => Unsent { state: DeliveryState::Skipped, reason },
        }
    }
}
