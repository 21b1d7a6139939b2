//! The order of what stands against a message, and what holds for any facts.

use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

const WITHDRAWN: Consent<'static> = Consent { category: "sms", recorded: Some(false), default: true };

/// Each fact that stands against a message, in the order in which they decide, with the answer it alone gives.
fn against() -> Vec<(PermitFacts<'static>, Permit)> {
    let now = at(100);
    let of = || PermitFacts { now, ..PermitFacts::default() };
    let skip = |halt| Permit::Skip(SkipReason::Halted(halt));
    vec![
        (PermitFacts { is_cancelled: true, ..of() }, skip(Halt::Cancelled)),
        (PermitFacts { has_failed: true, ..of() }, skip(Halt::Failed)),
        (PermitFacts { expires_at: Some(now), ..of() }, skip(Halt::Expired)),
        (PermitFacts { is_customer_gone: true, ..of() }, Permit::Skip(SkipReason::CustomerGone)),
        (PermitFacts { consent: Some(WITHDRAWN), ..of() }, Permit::Skip(SkipReason::NoConsent("sms".into()))),
        (PermitFacts { lacks_address: true, ..of() }, Permit::Skip(SkipReason::NoAddress)),
        (
            PermitFacts { expires_at: Some(at(150)), not_before: Some(at(150)), ..of() },
            Permit::Skip(SkipReason::ExpiresFirst),
        ),
        (PermitFacts { is_run_paused: true, ..of() }, Permit::WaitUntil(now, WaitReason::RunPaused)),
        (PermitFacts { is_channel_paused: true, ..of() }, Permit::WaitUntil(now, WaitReason::ChannelPaused)),
        (
            PermitFacts { not_before: Some(at(101)), ..of() },
            Permit::WaitUntil(at(101), WaitReason::NextAttempt),
        ),
    ]
}

/// A message that both stand against.
fn both<'a>(one: PermitFacts<'a>, other: PermitFacts<'a>) -> PermitFacts<'a> {
    PermitFacts {
        now: one.now,
        is_cancelled: one.is_cancelled || other.is_cancelled,
        has_failed: one.has_failed || other.has_failed,
        expires_at: one.expires_at.or(other.expires_at),
        is_customer_gone: one.is_customer_gone || other.is_customer_gone,
        lacks_address: one.lacks_address || other.lacks_address,
        consent: one.consent.or(other.consent),
        is_run_paused: one.is_run_paused || other.is_run_paused,
        is_channel_paused: one.is_channel_paused || other.is_channel_paused,
        not_before: one.not_before.or(other.not_before),
    }
}

#[test]
fn what_nothing_stands_against_is_sent() {
    assert_eq!(permit(&PermitFacts::default()), Permit::Send);
    let given = |recorded, default| Consent { category: "sms", recorded, default };
    let now = at(100);
    let facts = PermitFacts {
        now,
        expires_at: Some(at(101)),
        consent: Some(given(Some(true), false)),
        not_before: Some(now),
        ..PermitFacts::default()
    };
    assert_eq!(permit(&facts), Permit::Send);
    for (recorded, default, is_given) in
        [(None, true, true), (None, false, false), (Some(true), false, true), (Some(false), true, false)]
    {
        assert_eq!(given(recorded, default).is_given(), is_given, "{recorded:?} {default}");
    }
}

#[test]
fn of_two_that_stand_against_it_the_first_in_the_order_decides() {
    let against = against();
    for (place, (first, answer)) in against.iter().enumerate() {
        assert_eq!(permit(first), *answer);
        for (second, _) in &against[place + 1..] {
            let found = permit(&both(*first, *second));
            match (answer, &found) {
                // A pause that ends before the next attempt is due lets nothing leave earlier.
                (Permit::WaitUntil(_, reason), Permit::WaitUntil(_, found)) => assert_eq!(found, reason),
                _ => assert_eq!(found, *answer, "{second:?}"),
            }
        }
    }
}

#[test]
fn a_consent_is_the_customers_own_word_or_the_categorys_default() {
    let defaults = BTreeMap::from([("service".to_owned(), true)]);
    let customer = Customer {
        key: crate::domain::customer::CustomerKey(1),
        ids: Default::default(),
        attributes: Default::default(),
        consents: std::sync::Arc::new(BTreeMap::from([
            ("service".to_owned(), false),
            ("sms".to_owned(), true),
        ])),
        events: std::sync::Arc::from([]),
    };
    let is_given = |category: &str| Consent::of(&customer, category, &defaults).is_given();
    assert_eq!([is_given("service"), is_given("sms"), is_given("news")], [false, true, false]);
}

#[test]
fn what_may_have_been_taken_is_never_called_unsent() {
    for (facts, answer) in against() {
        let Permit::Skip(reason) = answer else { continue };
        let (unsent, doubtful) = (reason.end(false), reason.end(true));
        let is_unsent = [DeliveryState::Cancelled, DeliveryState::Expired, DeliveryState::Skipped];
        assert!(is_unsent.contains(&unsent.state), "{facts:?}: {unsent:?}");
        assert_eq!(unsent.reason, reason.to_string());
        assert!(
            matches!(doubtful.state, DeliveryState::Unknown | DeliveryState::Held),
            "{facts:?}: {doubtful:?}"
        );
        assert!(doubtful.reason.ends_with(&unsent.reason), "{doubtful:?}");
    }
}

#[test]
fn the_words_of_an_address_and_of_a_consent_are_told_from_others() {
    for (_, answer) in against() {
        let Permit::Skip(reason) = answer else { continue };
        let expected = matches!(reason, SkipReason::NoAddress | SkipReason::NoConsent(_));
        assert_eq!(is_for_want_of_address_or_consent(&reason.to_string()), expected, "{reason}");
    }
}

fn any_facts() -> impl Strategy<Value = PermitFacts<'static>> {
    let time = || prop::option::of(0_i64..8).prop_map(|second| second.map(at));
    let consent = prop::option::of((any::<Option<bool>>(), any::<bool>()));
    let consent = consent.prop_map(|consent| {
        consent.map(|(recorded, default)| Consent { category: "sms", recorded, default })
    });
    // Mostly false, so that each is met alone too.
    let flags = prop::array::uniform6(prop::bool::weighted(0.15));
    (0_i64..8, flags, time(), time(), consent).prop_map(|(now, flags, expires_at, not_before, consent)| {
        let [is_cancelled, has_failed, is_customer_gone, lacks_address, is_run_paused, is_channel_paused] =
            flags;
        PermitFacts {
            now: at(now),
            is_cancelled,
            has_failed,
            expires_at,
            is_customer_gone,
            lacks_address,
            consent,
            is_run_paused,
            is_channel_paused,
            not_before,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_leaves_that_anything_stands_against(facts in any_facts()) {
        let has_expired = facts.expires_at.is_some_and(|at| at <= facts.now);
        let is_refused = facts.consent.is_some_and(|consent| !consent.is_given());
        let is_early = facts.not_before.is_some_and(|at| at > facts.now);
        let is_paused = facts.is_run_paused || facts.is_channel_paused;
        let is_over = facts.is_cancelled || facts.has_failed || has_expired;
        let is_unwanted = facts.is_customer_gone || facts.lacks_address || is_refused;
        match permit(&facts) {
            Permit::Send => prop_assert!(!(is_over || is_unwanted || is_early || is_paused)),
            Permit::Skip(SkipReason::Halted(_)) => prop_assert!(is_over),
            Permit::Skip(SkipReason::ExpiresFirst) => {
                prop_assert!(!is_over && !is_unwanted && is_early);
                prop_assert!(facts.expires_at <= facts.not_before);
            }
            Permit::Skip(_) => prop_assert!(!is_over && is_unwanted),
            Permit::WaitUntil(until, reason) => {
                prop_assert!(!is_over && !is_unwanted && (is_paused || is_early));
                prop_assert!(until >= facts.now && !reason.to_string().is_empty());
                prop_assert!(facts.not_before.is_none_or(|at| until >= at));
                prop_assert!(facts.expires_at.is_none_or(|at| until < at));
            }
        }
    }

    #[test]
    fn what_waited_is_sent_then_unless_something_new_stands_against_it(facts in any_facts()) {
        if let Permit::WaitUntil(until, _) = permit(&facts) {
            let then = PermitFacts { now: until, is_run_paused: false, is_channel_paused: false, ..facts };
            prop_assert_eq!(permit(&then), Permit::Send);
        }
    }

    #[test]
    fn what_is_over_stays_over(facts in any_facts(), later in 0_i64..8) {
        if let Some(halt) = permit(&facts).halt() {
            let then = PermitFacts { now: facts.now + jiff::SignedDuration::from_secs(later), ..facts };
            prop_assert_eq!(permit(&then).halt(), Some(halt));
        }
    }
}
