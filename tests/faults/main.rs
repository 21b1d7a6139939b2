//! Providers that throttle, fail, hang, hang up and answer late: what must come of each, by kind of channel, through
//! the whole binary.
//!
//! Mail and webhooks can be told apart by their id, so what is in doubt is sent again with the same one. Twilio knows
//! no such id, so what is in doubt is held for a person. What was proven not to be taken is tried again by all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../checker/mod.rs"]
mod checker;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../story/mod.rs"]
mod story;

mod outcome;
mod shown;

use std::time::Duration;

use fanfare::sandbox::Protocol::{self, Smtp, Twilio, Webhook};
use outcome::{Outcome, tell, tell_by};

/// The first so many messages of each protocol meet the fault.
const FAULTY: usize = 3;

/// The story with the fault at each of these protocols.
fn with_fault(protocols: &[Protocol], fault: &str) -> Outcome {
    let rule = |protocol: &Protocol| format!("{protocol:?}:{fault},count={FAULTY}").to_lowercase();
    tell(&protocols.iter().map(rule).collect::<Vec<_>>())
}

#[test]
fn throttled_messages_are_sent_when_the_provider_said() {
    let outcome = with_fault(&[Smtp, Twilio, Webhook], "throttle,retry-after=2");
    for (protocol, refusal) in [(Smtp, "451"), (Twilio, "429"), (Webhook, "429")] {
        outcome.expect(protocol, FAULTY, "sent", &[refusal, "ok"]);
        outcome.expect_all_others(protocol, "sent", &["ok"]);
        if protocol != Smtp {
            assert!(
                outcome.shortest_wait(protocol) >= Duration::from_secs(2),
                "{protocol:?} came back too early"
            );
        }
    }
}

#[test]
fn unavailable_with_retry_after_is_tried_again_by_all() {
    let outcome = with_fault(&[Twilio, Webhook], "throttle,status=503,retry-after=1");
    for protocol in [Twilio, Webhook] {
        outcome.expect(protocol, FAULTY, "sent", &["503", "ok"]);
        outcome.expect_all_others(protocol, "sent", &["ok"]);
    }
}

#[test]
fn what_refuses_us_waits_whatever_the_manifest_counts() {
    // Three refusals in a row and two more that were sent meanwhile, or two probes that are refused.
    let counted = "timeout: 4s\n  retry: {attempts: 1}";
    for [mail, text, hook] in [
        [
            "status=553,step=rcpt,count=5,text=5.7.1 <w@example.org>: Sender address rejected: not owned by user",
            "status=400,code=21606,count=5",
            "status=404,count=5",
        ],
        [
            "status=554,step=rcpt,count=5,text=5.7.1 <x@example.org>: Relay access denied",
            "status=403,code=20003,count=5",
            "status=401,count=5",
        ],
        [
            "status=535,step=ehlo,count=5,text=5.7.8 go away",
            "status=400,code=21703,count=5",
            "status=423,count=5",
        ],
    ] {
        let faults =
            [format!("smtp:fail,{mail}"), format!("twilio:fail,{text}"), format!("webhook:fail,{hook}")];
        let outcome = tell_by(counted, &faults);
        [Smtp, Twilio, Webhook].into_iter().for_each(|protocol| outcome.expect_all_sent(protocol));
    }
}

#[test]
fn a_refusal_of_this_body_or_recipient_is_final() {
    let faults = ["smtp:fail,status=550,step=rcpt,count=2,text=5.1.1 User unknown".to_owned()];
    let outcome = tell(&faults);
    assert_eq!(outcome.refused_unseen(), 2);
    for status in [400, 413, 415, 422] {
        let outcome = with_fault(&[Webhook], &format!("fail,status={status}"));
        outcome.expect(Webhook, FAULTY, "failed", &[status.to_string().as_str()]);
        outcome.expect_all_others(Webhook, "sent", &["ok"]);
    }
}

#[test]
fn a_redirect_is_refused_and_never_in_doubt() {
    // The URL is the same for all: as many as are refused alike wait until it takes messages, and none of them has failed.
    let outcome = with_fault(&[Webhook], "fail,status=302");
    outcome.expect(Webhook, FAULTY, "sent", &["302", "ok"]);
    outcome.expect_all_others(Webhook, "sent", &["ok"]);
}

#[test]
fn a_failing_provider_is_doubted_where_it_says_nothing_of_the_message() {
    // Without the words about the message it would be in doubt whether 554 is about all.
    let outcome = tell(&[
        format!("smtp:fail,count={FAULTY},text=5.6.0 the message is malformed"),
        format!("twilio:fail,count={FAULTY}"),
        format!("webhook:fail,count={FAULTY}"),
    ]);
    outcome.expect(Smtp, FAULTY, "failed", &["554"]);
    outcome.expect(Webhook, FAULTY, "sent", &["500", "ok"]);
    outcome.expect(Twilio, FAULTY, "held", &["500"]);
    for protocol in [Smtp, Twilio, Webhook] {
        outcome.expect_all_others(protocol, "sent", &["ok"]);
    }
}

#[test]
fn a_message_kept_behind_a_500_is_not_doubled_by_sms() {
    let outcome = with_fault(&[Twilio, Webhook], "fail,keep");
    outcome.expect(Twilio, FAULTY, "held", &["500"]);
    outcome.expect(Webhook, FAULTY, "sent", &["500", "ok"]);
}

#[test]
fn a_hanging_provider_is_given_up_and_doubted() {
    doubted("hang", "none");
}

#[test]
fn a_connection_reset_after_the_body_is_doubted() {
    doubted("reset", "reset");
}

#[test]
fn a_message_kept_and_not_answered_is_doubted() {
    doubted("close,keep", "closed");
}

#[test]
fn an_answer_that_comes_too_late_is_doubted() {
    let outcome = with_fault(&[Smtp, Twilio, Webhook], "ok,delay-ms=6000");
    outcome.expect(Smtp, FAULTY, "sent", &["ok", "ok"]);
    outcome.expect(Webhook, FAULTY, "sent", &["ok", "ok"]);
    outcome.expect(Twilio, FAULTY, "held", &["ok"]);
}

#[test]
fn a_slow_answer_is_waited_for() {
    let outcome = with_fault(&[Smtp, Twilio, Webhook], "ok,delay-ms=500");
    for protocol in [Smtp, Twilio, Webhook] {
        outcome.expect_all_others(protocol, "sent", &["ok"]);
    }
}

fn doubted(fault: &str, recorded: &str) {
    let outcome = with_fault(&[Smtp, Twilio, Webhook], fault);
    outcome.expect(Smtp, FAULTY, "sent", &[recorded, "ok"]);
    outcome.expect(Webhook, FAULTY, "sent", &[recorded, "ok"]);
    outcome.expect(Twilio, FAULTY, "held", &[recorded]);
    for protocol in [Smtp, Twilio, Webhook] {
        outcome.expect_all_others(protocol, "sent", &["ok"]);
    }
}
