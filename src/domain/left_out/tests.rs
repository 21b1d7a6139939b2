//! Who is told of: at the boundary of a tenth, in small runs, over chunks, and with reasons that hold values.

use DeliveryState::{Failed, Held, Sent, Skipped};

use super::*;
use crate::domain::name::NodeIndex;
use crate::domain::run_counts::{JourneyEnd, JourneysElsewhere};

/// A chunk in which each delivery is another customer's, unless one is named twice.
fn chunk(deliveries: &[(i64, DeliveryState, String)]) -> RunCounts {
    let outcomes: Vec<CountedDelivery<'_>> = deliveries
        .iter()
        .map(|(customer, state, reason)| CountedDelivery {
            customer: CustomerKey(*customer),
            state: *state,
            reason: Some(reason),
        })
        .collect();
    let keys: Vec<CustomerKey> =
        outcomes.iter().map(|one| one.customer).collect::<BTreeSet<_>>().into_iter().collect();
    let states = outcomes.iter().map(|one| (one.customer, NodeIndex(0), one.state));
    let mut run_counts =
        RunCounts::of_chunk(states, &JourneysElsewhere::default(), &keys, keys.len(), JourneyEnd::Cancelled);
    run_counts.reasons = Reasons::of_chunk(&outcomes);
    run_counts
}

/// A run of so many customers of whom some come to this state, each with the reason of its number; the others were sent.
fn run(audience: i64, some: i64, state: DeliveryState, reason: impl Fn(i64) -> String) -> RunCounts {
    let one = |n| if n < some { (n, state, reason(n)) } else { (n, Sent, String::new()) };
    chunk(&(0..audience).map(one).collect::<Vec<_>>())
}

fn told(run_counts: &RunCounts, audience: u64) -> Vec<(u64, String)> {
    left_out(run_counts, audience).into_iter().map(|it| (it.customers, it.pattern)).collect()
}

fn same(_: i64) -> String {
    "no value".into()
}

#[test]
fn more_than_a_tenth_is_told_and_a_tenth_is_not() {
    for (audience, some, is_told) in [
        (10, 1, false),
        (10, 2, true),
        (20, 2, false),
        (20, 3, true),
        (1000, 100, false),
        (1000, 101, true),
        (9, 1, true),
    ] {
        for state in [Skipped, Failed] {
            let run_counts = run(audience, some, state, same);
            let expected = is_told.then(|| (some.unsigned_abs(), "no value".to_owned()));
            assert_eq!(
                told(&run_counts, audience.unsigned_abs()),
                Vec::from_iter(expected),
                "{some} of {audience}"
            );
        }
    }
    assert!(left_out(&RunCounts::default(), 0).is_empty(), "nobody was left out of nobody");
    assert!(left_out(&run(20, 20, Held, same), 20).is_empty());
}

#[test]
fn all_are_told_however_few() {
    let run_counts = run(1, 1, Skipped, same);
    assert_eq!(left_out(&run_counts, 1)[0].in_words(), "the only customer was skipped: no value");
    let run_counts = run(3, 3, Failed, same);
    assert_eq!(left_out(&run_counts, 3)[0].in_words(), "all 3 customers failed: no value");
    // All whom it had a message for, though most of the audience have none.
    let mut run_counts = run(2, 2, Skipped, same);
    run_counts.journeys.add(JourneyEnd::WithoutMessage, 98);
    assert_eq!(left_out(&run_counts, 100)[0].in_words(), "2 of 100 customers were skipped: no value");
    let mut run_counts = run(2, 1, Skipped, same);
    run_counts.journeys.add(JourneyEnd::WithoutMessage, 98);
    assert!(left_out(&run_counts, 100).is_empty());
}

#[test]
fn what_is_not_over_is_told_once_it_is_certain() {
    let run_counts = run(2, 2, Skipped, same);
    assert!(left_out(&run_counts, 20).is_empty(), "the others may be sent");
    assert_eq!(left_out(&run_counts, 19).len(), 1);
}

#[test]
fn two_reasons_are_not_one() {
    let reason = |n: i64| ["no value", "no text"][(n % 2).unsigned_abs() as usize].to_owned();
    assert!(told(&run(20, 4, Skipped, reason), 20).is_empty());
    assert_eq!(told(&run(20, 6, Skipped, reason), 20), [(3, "no text".into()), (3, "no value".into())]);
    let mut both = run(10, 1, Skipped, same);
    both.merge(&run(10, 1, Failed, same));
    assert!(told(&both, 20).is_empty(), "one was skipped and one failed");
}

#[test]
fn a_reason_is_one_whatever_values_it_holds() {
    let run_counts =
        run(4000, 4000, Failed, |n| format!("550 5.1.1 <c{n}@example.com>: user unknown (id A{n}x99z)"));
    let told = left_out(&run_counts, 4000);
    assert_eq!(told[0].in_public_words(), "all 4000 customers failed: 550 5.1.1 …: user unknown (id …)");
    assert!(told[0].in_words().contains("for example 550 5.1.1 <c0@example.com>"), "{told:?}");
}

#[test]
fn what_is_kept_has_a_bound_and_what_is_common_stays_in_it() {
    let words = |n: i64| (0..14).map(|bit| if n >> bit & 1 == 0 { 'a' } else { 'b' }).collect::<String>();
    let mut run_counts = RunCounts::default();
    for n in 0..5 {
        let reason = |at: i64| format!("aborted: {}", words(n * 4000 + at));
        run_counts.merge(&run(4000, 4000, Skipped, reason));
        run_counts.merge(&run(4000, 4000, Failed, |at| if at % 2 == 0 { same(at) } else { words(at) }));
    }
    assert!(run_counts.reasons.0.len() <= 2 * REASONS_MAX, "{}", run_counts.reasons.0.len());
    assert!(run_counts.written().len() < 20_000, "{}", run_counts.written().len());
    let told = left_out(&run_counts, 40_000);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].pattern == "aborted: …" && told[0].customers > 19_000, "{told:?}");
    assert_eq!((told[1].pattern.as_str(), told[1].customers), ("no value", 10_000));
    assert!(told[0].in_public_words().ends_with("customers were skipped: aborted: …"));
}

#[test]
fn a_customer_counts_once_and_not_at_all_where_another_way_was_open() {
    let no = |reason: &str| reason.to_owned();
    let twice = chunk(&[(1, Skipped, no("no value")), (1, Skipped, no("no value")), (2, Sent, no(""))]);
    assert_eq!(told(&twice, 2), [(1, "no value".into())]);
    let by_mail =
        chunk(&[(1, Skipped, no("no consent: sms")), (1, Sent, no("")), (2, Skipped, no("no address"))]);
    assert_eq!(told(&by_mail, 2), [(1, "no address".into())]);
    let broken = chunk(&[(1, Skipped, no("no value")), (1, Sent, no(""))]);
    assert_eq!(told(&broken, 1), [(1, "no value".into())], "half of it is broken, for everybody");
    let failed = chunk(&[(1, Skipped, no("no consent: sms")), (1, Failed, no("550 no"))]);
    assert_eq!(told(&failed, 1).len(), 2);
}

#[test]
fn the_words_of_an_author_are_public_only_if_several_customers_have_them() {
    let alone = left_out(&run(1, 1, Skipped, |_| "aborted: Ann has moved".into()), 1);
    assert_eq!(alone[0].in_public_words(), "the only customer was skipped: aborted: …");
    assert_eq!(alone[0].in_words(), "the only customer was skipped: aborted: Ann has moved");
    let all = left_out(&run(5, 5, Skipped, |_| "aborted: no offer today".into()), 5);
    assert_eq!(all[0].in_public_words(), "all 5 customers were skipped: aborted: no offer today");
}

#[test]
fn counts_of_a_version_before_have_no_reasons() {
    let before = r#"{"journeys":{"messaged":1,"withoutMessage":0,"skipped":0,"cancelled":0,"expired":0},"deliveries":{}}"#;
    let read: RunCounts = serde_json::from_str(before).unwrap();
    assert!(read.reasons.is_empty());
    assert_eq!(read.written(), before);
}
