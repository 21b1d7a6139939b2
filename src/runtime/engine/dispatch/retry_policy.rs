//! The retry policy: what becomes of a delivery after an attempt. It is sent, retried with exponential backoff, held for a
//! person, or given up.
//!
//! Pure: the channel says what happened, the policy what may be done about it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use crate::api::OnUnknown;
use crate::channels::Attempt;
use crate::compile::ATTEMPTS_UNCOUNTED;
use crate::domain::permit::{Permit, PermitFacts, Unsent, permit};
use crate::domain::state::DeliveryState;

/// How many attempts may be made in all while each of them may double the message, where the manifest does not count.
const IN_DOUBT_MAX: u32 = 5;

/// How often and how long a channel tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts_max: u32,
    /// How long after the first attempt another may begin.
    pub retry_for: Duration,
    /// What becomes of unknowns.
    pub on_unknown: OnUnknown,
}

impl RetryPolicy {
    /// What holds for an attempt whose channel was taken away meanwhile: it waits, and in doubt a person decides.
    pub const UNTIL_RESTORED: RetryPolicy = RetryPolicy {
        attempts_max: u32::MAX,
        retry_for: Duration::from_secs(86_400),
        on_unknown: OnUnknown::Hold,
    };

    /// Until when a message may be tried whose first attempt began then.
    pub(super) fn until(&self, first_at: Timestamp) -> Timestamp {
        let wait = SignedDuration::try_from(self.retry_for).unwrap_or(SignedDuration::MAX);
        first_at.checked_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// The policy for what follows this attempt. An attempt that was certainly not taken cannot double a message, so only
    /// time bounds its repetition: mail that is greylisted for half an hour arrives.
    pub(super) fn following(self, attempt: &Attempt) -> Self {
        match attempt {
            Attempt::Unknown { .. } if self.attempts_max == ATTEMPTS_UNCOUNTED => {
                RetryPolicy { attempts_max: IN_DOUBT_MAX, ..self }
            }
            _ => self,
        }
    }
}

/// The attempt that was made, and what came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tried {
    /// Its number.
    pub attempt: u32,
    /// When the first one began.
    pub first_at: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// After this nothing is sent.
    pub expires_at: Option<Timestamp>,
    /// Whether an earlier attempt may have been taken.
    pub maybe_sent: bool,
    /// Whether the channel is known to be down, so that this attempt is not the message's fault.
    pub channel_down: bool,
    /// Spreads retries; any number that differs between deliveries.
    pub spread: u8,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttemptDecision {
    pub state: DeliveryState,
    /// Attempts that count from now on.
    pub attempts: u32,
    /// Whether this attempt may have been taken.
    pub maybe_sent: bool,
    pub provider_id: Option<String>,
    pub reason: Option<String>,
    pub retry_at: Option<Timestamp>,
}

/// The wait before the second attempt; it doubles with each.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The wait before the next attempt of one whose attempts do not count.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait this side chooses.
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// Decides.
pub(super) fn decide(attempt: Attempt, tried: &Tried, policy: &RetryPolicy) -> AttemptDecision {
    match attempt {
        Attempt::Sent { provider_id } => {
            AttemptDecision { provider_id, ..decision(tried, DeliveryState::Sent, None) }
        }
        Attempt::Refused { reason, .. } => refused(tried, policy, reason),
        Attempt::NotTaken { reason, retry_after, provider_down } => {
            match provider_down || retry_after.is_some() {
                true => wait_for_the_channel(tried, policy, reason, retry_after),
                false => retry(tried, policy, reason),
            }
        }
        Attempt::Throttled { reason, retry_after } => {
            wait_for_the_channel(tried, policy, reason, retry_after)
        }
        Attempt::Unknown { reason } => match policy.on_unknown {
            OnUnknown::Hold => {
                AttemptDecision { maybe_sent: true, ..decision(tried, DeliveryState::Held, Some(reason)) }
            }
            OnUnknown::Resend => {
                AttemptDecision { maybe_sent: true, ..retry(&maybe_sent(tried), policy, reason) }
            }
        },
    }
}

/// A refusal is about this attempt: an earlier one may have been taken, and the refusal be of its repetition.
fn refused(tried: &Tried, policy: &RetryPolicy, reason: String) -> AttemptDecision {
    let state = match (tried.maybe_sent, policy.on_unknown) {
        (false, _) => DeliveryState::Failed,
        (true, OnUnknown::Hold) => DeliveryState::Held,
        (true, OnUnknown::Resend) => DeliveryState::Unknown,
    };
    let reason = match tried.maybe_sent {
        true => format!("an earlier attempt may have been taken, and the next was refused: {reason}"),
        false => reason,
    };
    decision(tried, state, Some(reason))
}

fn decision(tried: &Tried, state: DeliveryState, reason: Option<String>) -> AttemptDecision {
    AttemptDecision {
        state,
        attempts: tried.attempt,
        maybe_sent: false,
        provider_id: None,
        reason,
        retry_at: None,
    }
}

/// The attempt does not count: the delivery waits until the channel is up again, but no longer than it may be tried.
fn wait_for_the_channel(
    tried: &Tried,
    policy: &RetryPolicy,
    reason: String,
    retry_after: Option<Duration>,
) -> AttemptDecision {
    if is_past(tried, policy, tried.now) {
        return give_up(tried, &reason, tried.maybe_sent, "and its time for retries is over");
    }
    // No attempt is made before the time that the provider named.
    let is_alone = !tried.channel_down;
    if is_alone && retry_after.is_some_and(|told| is_past(tried, policy, after(tried, told))) {
        return give_up(tried, &reason, tried.maybe_sent, "and its time for retries is over by then");
    }
    // A channel that is down is probed by whichever message is due; one that is up may refuse this message alone.
    let retry_at = match tried.channel_down {
        true => tried.now,
        false => pace(tried, retry_after.unwrap_or_default()).min(until(tried, policy)).max(tried.now),
    };
    // What only waits for its channel is written anew when it is up; what was tried says the same the next time.
    let state = if tried.channel_down { DeliveryState::Queued } else { DeliveryState::Retrying };
    let retry_queue = decision(tried, state, Some(reason));
    AttemptDecision { attempts: tried.attempt - 1, retry_at: Some(retry_at), ..retry_queue }
}

/// When one is tried again whose attempts do not count: after as long as it has waited already, so that its waits
/// double.
fn pace(tried: &Tried, at_least: Duration) -> Timestamp {
    let waited = Duration::try_from(tried.now.duration_since(tried.first_at)).unwrap_or_default();
    after(tried, waited.clamp(FIRST_WAIT, BACKOFF_MAX).max(at_least))
}

fn maybe_sent(tried: &Tried) -> Tried {
    Tried { maybe_sent: true, ..*tried }
}

fn retry(tried: &Tried, policy: &RetryPolicy, reason: String) -> AttemptDecision {
    if tried.attempt >= policy.attempts_max {
        return give_up(tried, &reason, tried.maybe_sent, "and its attempts are used up");
    }
    let retry_at = after(tried, backoff(tried));
    if is_past(tried, policy, retry_at) {
        return give_up(tried, &reason, tried.maybe_sent, "and its time for retries is over");
    }
    match permit_at(tried, retry_at) {
        Permit::Skip(skipped) => {
            let Unsent { state, reason: because } = skipped.end(tried.maybe_sent);
            decision(tried, state, Some(format!("{reason}; {because}")))
        }
        Permit::Send | Permit::WaitUntil(..) => AttemptDecision {
            retry_at: Some(retry_at),
            ..decision(tried, DeliveryState::Retrying, Some(reason))
        },
    }
}

/// Whether another attempt may begin then; what would expire before is not waited for.
fn permit_at(tried: &Tried, retry_at: Timestamp) -> Permit {
    permit(&PermitFacts {
        now: tried.now,
        expires_at: tried.expires_at,
        not_before: Some(retry_at),
        ..PermitFacts::default()
    })
}

/// What becomes of a message that was refused with words that may be for everyone, while that is not known: nothing was
/// taken and no attempt is used up; it is tried again after the wait, unless its time is over by then.
pub(super) fn suspend(
    attempt: Attempt,
    tried: &Tried,
    policy: &RetryPolicy,
    wait: Duration,
) -> AttemptDecision {
    let retry_at = after(tried, wait);
    let expires_first = matches!(permit_at(tried, retry_at), Permit::Skip(_));
    match attempt {
        Attempt::Refused { reason, .. } if !expires_first && !is_past(tried, policy, retry_at) => {
            let reason = format!("{reason}; it is tried again, as everyone may be refused with these words");
            let retry_queue = decision(tried, DeliveryState::Retrying, Some(reason));
            AttemptDecision { attempts: tried.attempt - 1, retry_at: Some(retry_at), ..retry_queue }
        }
        attempt => decide(attempt, tried, policy),
    }
}

fn after(tried: &Tried, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .map_or(Timestamp::MAX, |wait| tried.now.saturating_add(wait).unwrap_or(Timestamp::MAX))
}

/// What may have been taken is unknown for ever; what was certainly not taken has failed.
fn give_up(tried: &Tried, reason: &str, in_doubt: bool, because: &str) -> AttemptDecision {
    let state = DeliveryState::Failed.or_unknown(in_doubt);
    decision(tried, state, Some(format!("{reason}; {because} (attempt {})", tried.attempt)))
}

fn is_past(tried: &Tried, policy: &RetryPolicy, at: Timestamp) -> bool {
    until(tried, policy) < at
}

fn until(tried: &Tried, policy: &RetryPolicy) -> Timestamp {
    policy.until(tried.first_at)
}

/// Doubles with each attempt and is spread over its last quarter, so that those who failed together do not come
/// back together.
fn backoff(tried: &Tried) -> Duration {
    let doublings = tried.attempt.saturating_sub(1).min(16);
    let wait = FIRST_BACKOFF.saturating_mul(1 << doublings).min(BACKOFF_MAX);
    wait - wait * u32::from(tried.spread) / 1024
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channels::Reach;
    use crate::domain::transition::DeliveryEvent;

    const POLICY: RetryPolicy =
        RetryPolicy { attempts_max: 3, retry_for: Duration::from_secs(3600), on_unknown: OnUnknown::Resend };

    fn tried(attempt: u32) -> Tried {
        let now = Timestamp::from_second(1_000_000).unwrap();
        Tried {
            attempt,
            first_at: now,
            now,
            expires_at: None,
            maybe_sent: false,
            channel_down: false,
            spread: 0,
        }
    }

    fn not_taken(retry_after: Option<u64>) -> Attempt {
        Attempt::NotTaken {
            reason: "busy".into(),
            retry_after: retry_after.map(Duration::from_secs),
            provider_down: false,
        }
    }

    fn unknown() -> Attempt {
        Attempt::Unknown { reason: "reset".into() }
    }

    fn state(attempt: Attempt, tried: &Tried, policy: &RetryPolicy) -> DeliveryState {
        decide(attempt, tried, policy).state
    }

    #[test]
    fn what_was_not_taken_is_tried_again_until_its_attempts_are_used_up() {
        let decision = decide(not_taken(None), &tried(1), &POLICY);
        assert_eq!(decision.state, DeliveryState::Retrying);
        assert_eq!(decision.retry_at, Some(tried(1).now + SignedDuration::from_secs(1)));
        assert_eq!(state(not_taken(None), &tried(3), &POLICY), DeliveryState::Failed);
    }

    #[test]
    fn a_provider_is_not_asked_before_it_said() {
        let decision = decide(not_taken(Some(77)), &tried(1), &POLICY);
        assert_eq!(decision.retry_at, Some(tried(1).now + SignedDuration::from_secs(77)));
        assert_eq!(state(not_taken(Some(4000)), &tried(1), &POLICY), DeliveryState::Failed);
    }

    #[test]
    fn unknowns_are_held_or_sent_again_and_never_called_failed() {
        let hold = RetryPolicy { on_unknown: OnUnknown::Hold, ..POLICY };
        assert_eq!(state(unknown(), &tried(1), &hold), DeliveryState::Held);
        let decision = decide(unknown(), &tried(1), &POLICY);
        assert_eq!((decision.state, decision.maybe_sent), (DeliveryState::Retrying, true));
        assert_eq!(state(unknown(), &tried(3), &POLICY), DeliveryState::Unknown);
        let maybe_sent = Tried { maybe_sent: true, ..tried(3) };
        assert_eq!(state(not_taken(None), &maybe_sent, &POLICY), DeliveryState::Unknown);
        let refused = || Attempt::Refused { reason: "422 no".into(), reach: Reach::This };
        assert_eq!(state(refused(), &tried(1), &POLICY), DeliveryState::Failed);
        assert_eq!(state(refused(), &maybe_sent, &POLICY), DeliveryState::Unknown);
        assert_eq!(state(refused(), &maybe_sent, &hold), DeliveryState::Held);
    }

    #[test]
    fn late_is_worse_than_never() {
        let now = tried(1).now;
        let late = Tried { expires_at: Some(now + SignedDuration::from_millis(500)), ..tried(1) };
        assert_eq!(state(not_taken(None), &late, &POLICY), DeliveryState::Expired);
        let reason = decide(not_taken(None), &late, &POLICY).reason;
        assert_eq!(reason.as_deref(), Some("busy; it expires before its next attempt"));
        assert_eq!(state(unknown(), &late, &POLICY), DeliveryState::Unknown);
    }

    fn outage() -> Attempt {
        Attempt::NotTaken { reason: "refused".into(), retry_after: None, provider_down: true }
    }

    #[test]
    fn an_outage_uses_no_attempts_from_the_first_message_on() {
        for channel_down in [false, true] {
            for attempt in [1, 3] {
                let tried = Tried { channel_down, ..tried(attempt) };
                let decision = decide(outage(), &tried, &POLICY);
                let state = if channel_down { DeliveryState::Queued } else { DeliveryState::Retrying };
                assert_eq!((decision.state, decision.attempts), (state, attempt - 1));
            }
        }
    }

    #[test]
    fn an_outage_is_waited_for_as_long_as_a_message_may_be_tried_and_no_longer() {
        let first_at = tried(1).first_at;
        for (waited, next) in [(0, 500), (10_000, 20_000), (3_599_000, 3_600_000)] {
            let now = first_at + SignedDuration::from_millis(waited);
            let decision = decide(outage(), &Tried { now, ..tried(1) }, &POLICY);
            assert_eq!(decision.retry_at, Some(first_at + SignedDuration::from_millis(next)), "{waited}");
        }
        let now = first_at + SignedDuration::from_millis(3_600_001);
        for channel_down in [false, true] {
            let late = Tried { now, channel_down, ..tried(1) };
            let decision = decide(outage(), &late, &POLICY);
            assert_eq!(decision.state, DeliveryState::Failed);
            assert!(decision.reason.unwrap().contains("its time for retries is over"));
            let maybe_sent = Tried { maybe_sent: true, ..late };
            assert_eq!(state(outage(), &maybe_sent, &POLICY), DeliveryState::Unknown);
        }
    }

    #[test]
    fn who_is_told_when_to_come_back_uses_no_attempt() {
        for provider_down in [false, true] {
            for (attempt, channel_down) in [(1, false), (3, false), (9, false), (1, true)] {
                let retry_after = Some(Duration::from_secs(7));
                let told = Attempt::NotTaken { reason: "429".into(), retry_after, provider_down };
                let tried = Tried { channel_down, ..tried(attempt) };
                let decision = decide(told, &tried, &POLICY);
                let (state, wait) =
                    if channel_down { (DeliveryState::Queued, 0) } else { (DeliveryState::Retrying, 7) };
                assert_eq!((decision.state, decision.attempts), (state, attempt - 1));
                assert_eq!(decision.retry_at, Some(tried.now + SignedDuration::from_secs(wait)));
            }
        }
    }

    #[test]
    fn what_may_be_refused_as_everyone_waits_without_using_up_an_attempt() {
        let refused = || Attempt::Refused { reason: "550 no".into(), reach: Reach::This };
        let wait = Duration::from_secs(4);
        let decision = suspend(refused(), &tried(1), &RetryPolicy { attempts_max: 1, ..POLICY }, wait);
        assert_eq!((decision.state, decision.attempts), (DeliveryState::Retrying, 0));
        assert_eq!(decision.retry_at, Some(tried(1).now + SignedDuration::from_secs(4)));
        let short = RetryPolicy { retry_for: Duration::from_secs(3), ..POLICY };
        assert_eq!(suspend(refused(), &tried(1), &short, wait).state, DeliveryState::Failed);
        let expires_at = Some(tried(1).now + SignedDuration::from_secs(3));
        let expiring = Tried { expires_at, ..tried(1) };
        assert_eq!(suspend(refused(), &expiring, &POLICY, wait).state, DeliveryState::Failed);
    }

    fn any_attempt() -> impl Strategy<Value = Attempt> {
        let told = || prop::option::of((0_u64..10_000).prop_map(Duration::from_secs));
        let reason = || "why".to_owned();
        prop_oneof![
            Just(Attempt::Sent { provider_id: None }),
            Just(Attempt::Refused { reason: reason(), reach: Reach::This }),
            (told(), any::<bool>()).prop_map(move |(retry_after, provider_down)| Attempt::NotTaken {
                reason: reason(),
                retry_after,
                provider_down
            }),
            told().prop_map(move |retry_after| Attempt::Throttled { reason: reason(), retry_after }),
            Just(unknown()),
        ]
    }

    proptest! {
        /// Whatever an attempt came to, what becomes of its delivery is in the table, a time is named exactly if more will come
        /// of it, and what may have been taken is never called failed or expired.
        #[test]
        fn what_is_decided_is_in_the_table(
            attempt in any_attempt(),
            number in 1_u32..8,
            (waited, expires) in (0_i64..8_000, prop::option::of(0_i64..8_000)),
            (doubt, channel_down, holds, is_suspended) in any::<(bool, bool, bool, bool)>(),
        ) {
            let first_at = tried(1).first_at;
            let at = |seconds| first_at + SignedDuration::from_secs(seconds);
            let (now, expires_at) = (at(waited), expires.map(at));
            let tried = Tried { now, expires_at, maybe_sent: doubt, channel_down, ..tried(number) };
            let on_unknown = if holds { OnUnknown::Hold } else { OnUnknown::Resend };
            let policy = RetryPolicy { on_unknown, ..POLICY };
            let decision = match is_suspended {
                true => suspend(attempt, &tried, &policy, Duration::from_secs(4)),
                false => decide(attempt, &tried, &policy),
            };
            prop_assert!(DeliveryEvent::Answered.leads(Some(DeliveryState::Sending), decision.state));
            prop_assert_eq!(decision.state.is_open(), decision.retry_at.is_some());
            let in_doubt = doubt || decision.maybe_sent;
            let is_denied = matches!(decision.state, DeliveryState::Failed | DeliveryState::Expired);
            prop_assert!(!(in_doubt && is_denied), "{:?}", decision);
        }
    }

    fn most(attempt: &Attempt, attempts_max: u32) -> u32 {
        let retry_for = Duration::from_secs(3600);
        RetryPolicy { attempts_max, retry_for, on_unknown: OnUnknown::Resend }.following(attempt).attempts_max
    }

    #[test]
    fn only_what_may_double_is_counted_unless_the_manifest_counts() {
        let greylisted =
            Attempt::NotTaken { reason: "450 greylisted".into(), retry_after: None, provider_down: false };
        let reset = Attempt::Unknown { reason: "reset".into() };
        assert_eq!(most(&greylisted, ATTEMPTS_UNCOUNTED), ATTEMPTS_UNCOUNTED);
        assert_eq!(most(&reset, ATTEMPTS_UNCOUNTED), IN_DOUBT_MAX);
        assert_eq!((most(&greylisted, 9), most(&reset, 9)), (9, 9));
    }
}
