//! Names that the compiler can know to be wrong, each with its bytes and a remedy.

use super::*;

fn first(source: &str) -> (String, String) {
    let problem = problems(source).into_iter().next().unwrap_or_else(|| panic!("{source} has no problem"));
    (source[problem.span.clone()].to_owned(), problem.to_string())
}

#[test]
fn unknown_names_are_errors_with_a_place_and_a_remedy() {
    let cases = [
        ("params.alrt == 'x'", "params.alrt", "did you mean `params.alert`?"),
        ("alert == 'x'", "alert", "did you mean `params.alert`?"),
        ("custmer.age > 1", "custmer", "did you mean `customer`?"),
        ("customer.age > 1 and snowstorm", "snowstorm", "a text is written in quotes"),
        ("customer.name | uper == 'X'", "customer.name | uper", "did you mean `upper`?"),
        ("customer.name is strng", "customer.name is strng", "did you mean `is string`?"),
        ("numbr(customer.x) > 1", "numbr(customer.x)", "did you mean `number`?"),
        ("abort('x')", "abort('x')", "contents only"),
        ("call.trigr == 'x'", "call.trigr", "did you mean `call.trigger`?"),
        ("call.trigger == 'nope'", "'nope'", "it listens to weather-alert"),
        ("event('x').count() > 0", "event('x')", "did you mean `events('x')`?"),
        ("event('x').within('3d').last().seat == 1", "event('x')", "did you mean `events('x')`?"),
        ("customer.x in [null]", "null", "`… is defined`"),
        ("customer.name.upper() == 'X'", "customer.name.upper()", "`… | upper`"),
        ("customer.age = 5", "=", "write `==`"),
        ("customer.loyalty-tier == 'gold'", "customer.loyalty-tier", "write `customer[\"loyalty-tier\"]`"),
        ("customer.a.b-c-d > 1", "customer.a.b-c-d", "write `customer.a[\"b-c-d\"]`"),
        ("events('buy', match-id=5).count() > 0", "=", "**{\"match-id\": …}"),
        ("", "", "empty"),
    ];
    for (source, span, remedy) in cases {
        let (found, text) = first(source);
        assert_eq!(found, span, "{source}: {text}");
        assert!(text.contains(remedy), "{source}: {text}");
    }
}

#[test]
fn comparing_filters_and_tests_are_errors() {
    for source in [
        "customer.l | select('lt', 5) | list",
        "customer.l | selectattr('a', 'equalto', 5) | list",
        "customer.l | sort | first == 1",
        "customer.l | min == 1",
        "customer.l | unique | length == 1",
        "customer.l | map('sort') | list",
        "customer.x is lt(5)",
        "customer.x is eq 5",
        "customer.x is in [5]",
        "customer.x is true",
    ] {
        let (_, text) = first(source);
        assert!(text.contains("compares") || text.contains("does not compare"), "{source}: {text}");
    }
    check(
        &json!({"l": ["a", 5]}),
        &[
            ("customer.l | select('string') | list | length == 1", Some(true)),
            ("customer.l | map('string') | join('-') == 'a-5'", Some(true)),
        ],
    );
}

#[test]
fn events_with_bad_arguments_are_errors() {
    let cases = [
        ("events('x')", "`.count() > 0`"),
        ("events('x').within('30d')", "`.count() > 0`"),
        ("events().count() > 0", "the type of the events first"),
        ("events(5).count() > 0", "is a text"),
        ("events(customer.kind).count() > 0", "cannot depend on the customer"),
        ("events('x', 5).count() > 0", "properties are named"),
        ("events('x').cuont() > 0", "did you mean `.count(…)`?"),
        ("events('x').sum() > 0", "`.sum(\"price\")`"),
        ("events('x').within('a year').count() > 0", "no length of time"),
        ("events('x').since('yesterday').count() > 0", "no moment"),
        ("events('x').count().within('3d') > 0", "put the windows before it"),
        ("events('x').count().seat == 1", "only `.first()` and `.last()`"),
    ];
    for (source, remedy) in cases {
        let (_, text) = first(source);
        assert!(text.contains(remedy), "{source}: {text}");
    }
}

#[test]
fn all_problems_are_found_at_once() {
    assert_eq!(problems("nope == 1 and customer.a == none or params.x > (1 | nope)").len(), 4);
}

#[test]
fn braces_around_the_whole_are_taken_off_and_spans_stay_right() {
    let (found, _) = first("  {{ params.alrt == 'x' }} ");
    assert_eq!(found, "params.alrt");
    check(
        &json!({"a": 1}),
        &[("{{ customer.a == 1 }}", Some(true)), ("{{- customer.a == 2 -}}", Some(false))],
    );
}

#[test]
fn hyphenated_params_are_read_and_subtractions_warned_of() {
    let ann = customer(&json!({}));
    let params = json!({"valid-until": "2026-01-01", "limit": 5});
    assert!(decide("params.valid-until is defined and params.limit == 5", &ann, &params).is_true());
    let warnings = problems("params.limit-1 > 3");
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].severity, Severity::Warning);
    let (found, _) = first("params.valid-until > now and nope");
    assert_eq!(found, "nope");
}
