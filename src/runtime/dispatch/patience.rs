//! How many attempts a message is given where its channel's manifest does not count them.

use super::verdict::RetryPolicy;
use crate::channels::Attempt;
use crate::compile::ATTEMPTS_UNCOUNTED;

/// How many attempts may be made in all while each of them may double the message.
const IN_DOUBT_MAX: u32 = 5;

/// The policy for what comes after this attempt. Nothing is doubled by what was certainly not taken, so that time alone
/// bounds it: mail that is greylisted for half an hour arrives.
pub(super) fn after(attempt: &Attempt, policy: RetryPolicy) -> RetryPolicy {
    match attempt {
        Attempt::Unknown { .. } if policy.attempts_max == ATTEMPTS_UNCOUNTED => {
            RetryPolicy { attempts_max: IN_DOUBT_MAX, ..policy }
        }
        _ => policy,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::verdict::OnUnknown;
    use super::*;

    fn most(attempt: &Attempt, attempts_max: u32) -> u32 {
        let retry_for = Duration::from_secs(3600);
        after(attempt, RetryPolicy { attempts_max, retry_for, on_unknown: OnUnknown::Resend }).attempts_max
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
