//! What decides nothing, and comparisons that never hold: refused, or warned of, with what to write.

use super::*;

fn said(source: &str) -> (Severity, String) {
    let found = problems(source);
    let worst = found.iter().find(|problem| problem.severity == Severity::Error).or(found.first());
    let problem = worst.unwrap_or_else(|| panic!("{source} has no problem"));
    assert!(source.get(problem.span.clone()).is_some_and(|text| !text.is_empty()), "{source}: {problem:?}");
    (problem.severity, problem.to_string())
}

/// Conditions that are the same for all, and words of what to write.
const DECIDES_NOTHING: &[(&str, &str)] = &[
    ("customer.product == 'car' or 'home'", "write `customer.product in ['car', 'home']`"),
    ("customer.product == 'car' or 'home' or 'boat'", "write `customer.product in ['car', 'home', 'boat']`"),
    ("'home' or customer.product == 'car'", "write `customer.product in ['car', 'home']`"),
    ("customer.product != 'car' and 'home'", "write `customer.product not in ['car', 'home']`"),
    ("customer.age == 18 or 21", "write `customer.age in [18, 21]`"),
    ("customer.product == 'car' or ['home']", "decides nothing"),
    ("(customer.product == 'car') or ('home')", "in ['car', 'home']"),
    ("true", "only `everyone: {}` means everyone"),
    ("false", "decides nothing"),
    ("1", "only `everyone: {}`"),
    ("0", "decides nothing"),
    ("'x'", "decides nothing"),
    ("''", "decides nothing"),
    ("[]", "decides nothing"),
    ("['a']", "decides nothing"),
    ("{}", "decides nothing"),
    ("{'a': 1}", "decides nothing"),
    ("\"customer.vip == true\"", "take the inner quotes off"),
    ("'customer.vip'", "take the inner quotes off"),
    ("customer.vip and true", "decides nothing"),
    ("not 'x'", "decides nothing"),
    ("not (customer.vip or 'x')", "decides nothing"),
    ("1 == 1", "the same for all"),
    ("'a' in ['a']", "the same for all"),
    ("1 < 2 < 3", "the same for all"),
    ("customer.vip or 1 == 1", "the same for all"),
    ("not 1 == 2", "the same for all"),
    ("'a' | upper", "the same for all"),
    ("1 + 1", "the same for all"),
    ("'a' is string", "the same for all"),
    ("'x' | default('y')", "the same for all"),
    ("number('5')", "the same for all"),
    ("customer", "all of them together"),
    ("params", "all of them together"),
    ("consents", "all of them together"),
    ("customer.vip or customer", "all of them together"),
    ("not params", "all of them together"),
    ("params.postcodes", "write `customer.… in params.postcodes`"),
    ("customer.vip or params.postcodes", "whole list"),
    ("[customer.a, customer.b]", "whole list"),
    ("customer.name ~ \"x\"", "a text that is joined"),
    ("customer.vip and customer.age + 1", "a value that is computed"),
    ("not (customer.age % 2)", "a value that is computed"),
    ("now", "always there"),
    ("call.id", "always there"),
    ("call.trigger or customer.vip", "always there"),
    ("customer is defined", "always there"),
    ("consents.mail is defined", "write `consents.mail`"),
    ("events('e').count() is defined", "write `events('e').count() > 0`"),
    ("customer.a if 'x' else customer.b", "decides nothing"),
    ("customer.vip if call.trigger == 'weather-alert' else true", "decides nothing"),
    ("true if customer.vip else false", "decides nothing"),
    ("not (customer.vip if call.trigger == 'weather-alert' else false)", "decides nothing"),
    ("not (customer.vip if call.trigger == 'weather-alert')", "without `else`"),
    ("customer.product == ('car' or 'home')", "a list stands in brackets"),
    ("customer.product == ('car' if true else 'home')", "decides nothing"),
];

#[test]
fn a_constant_decides_nothing() {
    for (source, remedy) in DECIDES_NOTHING {
        let (severity, words) = said(source);
        assert_eq!(severity, Severity::Error, "{source}: {words}");
        assert!(words.contains(remedy), "{source}: {words}");
    }
}

#[test]
fn what_decides_is_taken() {
    for source in [
        "customer.vip",
        "not customer.vip",
        "customer.vip if call.trigger == 'weather-alert' else false",
        "customer.vip if call.trigger == 'weather-alert'",
        "events('e').last()",
        "events('e').count()",
        "params.alert and customer.vip",
        "customer.vip | default(true)",
        "customer.name or customer.phone",
        "now < timestamp('2027-01-01') and customer.vip",
        "customer.product == (customer.other or 'home')",
        "consents.mail or consents.sms == true",
        "customer.tags == [1, 2] or customer.x in params.postcodes",
    ] {
        let errors = problems(source).into_iter().filter(|problem| problem.severity == Severity::Error);
        assert_eq!(errors.count(), 0, "{source}: {:?}", problems(source));
    }
}

#[test]
fn kinds_that_never_compare_are_errors_where_they_are_known() {
    let cases = [
        ("params.alert > 3", "declare `params.alert` as a number, or write `number(params.alert)`"),
        ("params.limit == '3'", "write 3 without quotes"),
        ("'3' < params.limit", "write 3 without quotes"),
        ("params.limit == 'high'", "write a number"),
        ("params.until > '2026-01-01'", "write `timestamp('2026-01-01')`"),
        ("params.until == params.alert", "write `timestamp(params.alert)`"),
        ("params.until > 1700000000", "write `timestamp(1700000000)`"),
        ("now > '2026-01-01T00:00:00Z'", "write `timestamp("),
        ("now > 'tomorrow'", "a moment is written"),
        ("params.alert == params.postcodes", "write `params.alert in params.postcodes`"),
        ("params.postcodes == '60200'", "write `'60200' in params.postcodes`"),
        ("params.postcodes > params.postcodes", "has no order"),
        ("customer.home > [1]", "has no order"),
        ("customer.home in 5", "or `in [5]`"),
        ("customer.home in params.limit", "holds no elements"),
        ("customer.home in now", "holds no elements"),
        ("customer.home in {'a': 1}", "holds no elements"),
        ("customer.home in customer", "holds no elements"),
        ("customer.home in []", "the list is empty"),
        ("customer.home not in []", "the list is empty"),
        ("params.limit in ['3', '4']", "without quotes"),
        ("params.alert in [3, 4]", "in quotes"),
        ("params.limit in '345'", "is a text"),
        ("consents.mail == 'true'", "write true without quotes"),
        ("consents.mail == 1", "write `true` for 1"),
        ("events('e').count() == '1'", "write 1 without quotes"),
        ("call.receivedAt > 5", "write `timestamp(5)`"),
        ("number(customer.x) == '5'", "write 5 without quotes"),
        ("timestamp(customer.x) > '2026-01-01'", "write `timestamp('2026-01-01')`"),
        ("customer.tags | length == '5'", "write 5 without quotes"),
        ("customer.name | lower == 5", "a text"),
        ("ids.registered == 5", "a text"),
        ("1 <= params.alert < 5", "never true"),
        ("params.limit is startingwith('5')", "not a text"),
        ("params.postcodes.list", "has no `.list`"),
        ("params.postcodes.length > 3", "write `params.postcodes | length`"),
        ("params.limit.value > 3", "write `params.limit`"),
        ("params.limit[0] == 3", "write `params.limit`"),
        ("params.alert.name == 'x'", "has no `.name`"),
        ("events('e').within(params.limit).count() > 0", "a length of time is a text"),
        ("events('e').since(params.postcodes).count() > 0", "a moment is a timestamp"),
    ];
    for (source, remedy) in cases {
        let (severity, words) = said(source);
        assert_eq!(severity, Severity::Error, "{source}: {words}");
        assert!(words.contains(remedy), "{source}: {words}");
    }
}

#[test]
fn what_an_attribute_hardly_is_is_warned_of() {
    let cases = [
        ("customer.home == params.postcodes", "write `customer.home in params.postcodes`"),
        ("customer.home == ['a', 'b']", "write `customer.home in ['a', 'b']`"),
        ("customer.home in [params.postcodes]", "write `customer.home in params.postcodes`"),
        ("customer.until > now", "write `timestamp(customer.until) > now`"),
        ("params.until < customer.until", "write `timestamp(customer.until) > params.until`"),
        ("customer.age > '18'", "write `customer.age > 18`"),
        ("customer.vip == 'true'", "write `customer.vip == true`"),
        ("customer.product in 'car'", "write `customer.product == 'car'`"),
        ("customer.product in 'car, home'", "`in [\"car\", \"home\"]`"),
        ("events('buy', product=['car', 'home']).count() > 0", "ask for each"),
        ("events('buy', at=now).count() > 0", "windows of time"),
        ("events('buy').last().at > now", "write `timestamp("),
        ("customer.id == 'C-1'", "write `ids.registered`"),
    ];
    for (source, remedy) in cases {
        let (severity, words) = said(source);
        assert_eq!(severity, Severity::Warning, "{source}: {words}");
        assert!(words.contains(remedy), "{source}: {words}");
    }
    for source in [
        "events('buy').last().timestamp > now",
        "customer.code == '18'",
        "customer.day > '2026-01-01'",
        "'a' in customer.tags",
    ] {
        assert_eq!(problems(source), [], "{source}");
    }
}
