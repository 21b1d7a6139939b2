//! What is asked of a customer's events.

use super::*;

fn ann() -> Customer {
    let events = [
        ("buy", "2025-11-01T11:59:59.999999Z", json!({"price": 1, "seat": "A"})),
        ("buy", "2025-11-01T12:00:00Z", json!({"price": 2.5, "seat": "B"})),
        ("buy", "2026-10-31T12:00:00Z", json!({"price": "9", "seat": "C", "match-id": "m"})),
        ("buy", "2026-10-31T12:00:00Z", json!({"price": 4, "seat": "D"})),
        ("view", "2026-11-01T11:00:00Z", json!({})),
        ("buy", "2026-11-01T12:00:00Z", json!({"price": 100})),
    ];
    with_events(customer(&json!({"seat": "D"})), &events)
}

#[test]
fn counts_sums_and_ends_of_none_and_of_some() {
    check_customer(
        &ann(),
        &json!({}),
        &[
            ("events('buy').count() == 5", Some(true)),
            ("events('none').count() == 0", Some(true)),
            ("events('none').sum('price') == 0", Some(true)),
            ("events('none').min('price') == 0", None),
            ("events('none').avg('price') is defined", Some(false)),
            ("events('none').last() is defined", Some(false)),
            ("events('none').last().seat == 'A'", None),
            ("events('buy').before(now).sum('price') == 7.5", Some(true)),
            ("events('buy').before(now).avg('price') == 2.5", Some(true)),
            ("events('buy').min('price') == 1 and events('buy').max('price') == 100", Some(true)),
            ("events('buy').first().seat == 'A'", Some(true)),
            ("events('view').last().type == 'view'", Some(true)),
        ],
    );
}

#[test]
fn windows_are_from_inclusive_to_exclusive_and_within_ends_at_now() {
    check_customer(
        &ann(),
        &json!({"until": "2026-10-31T12:00:00Z"}),
        &[
            // The one a microsecond earlier, and the one at now, are outside.
            ("events('buy').within('365d').count() == 3", Some(true)),
            ("events('buy').since('2026-10-31T12:00:00Z').count() == 3", Some(true)),
            ("events('buy').before('2026-10-31T12:00:00Z').count() == 2", Some(true)),
            ("events('buy').since(timestamp(params.until)).before(now).count() == 2", Some(true)),
            // A text in place of a moment is read like the same literal.
            ("events('buy').since(params.until).count() == 3", Some(true)),
            ("events('buy').before(params.until).count() == 2", Some(true)),
            ("events('buy').since(params.alert).count() >= 0", None),
        ],
    );
}

#[test]
fn ties_in_time_go_by_id() {
    check_customer(&ann(), &json!({}), &[("events('buy').before(now).last().seat == 'D'", Some(true))]);
}

#[test]
fn a_missing_argument_makes_the_whole_unknown_rather_than_everyone() {
    check_customer(
        &ann(),
        &json!({}),
        &[
            ("events('buy', seat=params.match_id).count() == 0", None),
            ("not events('buy', seat=params.match_id).count() > 0", None),
            ("events('buy', seat=params.match_id).count()", None),
            ("events('buy', seat=params.match_id).last() is undefined", None),
            ("events('buy').since(params.until).count() == 0", None),
            ("events('buy').within(params.alert).count() == 0", None),
        ],
    );
}

#[test]
fn a_property_of_another_kind_does_not_match() {
    check_customer(
        &ann(),
        &json!({"match_id": "m"}),
        &[
            ("events('buy', price='9').count() == 1", Some(true)),
            ("events('buy', price=9).count() == 0", Some(true)),
            ("events('buy', price=4.0).count() == 1", Some(true)),
            ("events('buy', seat=customer.seat).count() == 1", Some(true)),
            ("events('buy', **{'match-id': params.match_id}).count() == 1", Some(true)),
        ],
    );
}

#[test]
fn the_types_to_load_are_known_and_those_of_params_settled_per_run() {
    let source = "events('buy').count() + events(params.alert).count() > 1";
    let condition = Condition::compile(source, &scope()).unwrap();
    let call = call(&json!({"alert": "view"}));
    let needs = condition.event_types().settle(Facts::of_call(&call, NOW.parse().unwrap()));
    assert_eq!(needs.types, ["buy".to_owned(), "view".to_owned()].into());
}
