//! A selection has too many customers, never too few, and no more than the condition where it says so.

use proptest::prelude::*;

use super::random::{condition, params, person};
use super::*;
use crate::domain::selection::{Comparison, EventCount, IndexNeed, Selection, Test};

/// What a store answers, said plainly.
fn selects(selection: &Selection, customer: &Customer) -> bool {
    match selection {
        Selection::Everyone => true,
        Selection::Nobody => false,
        Selection::All(parts) => parts.iter().all(|part| selects(part, customer)),
        Selection::Any(parts) => parts.iter().any(|part| selects(part, customer)),
        Selection::Attribute { path, test } => passes(lookup(customer, path), test),
        Selection::Id { kind, test } => {
            let id = customer.ids.get(kind).map(|id| Value::text(id.as_str()));
            passes(id.as_ref(), test)
        }
        Selection::Consent { category, accepted } => match customer.consents.get(category) {
            Some(true) => accepted.given,
            Some(false) => accepted.withdrawn,
            None => accepted.unrecorded,
        },
        Selection::Events(asked) => asked.comparison.accepts(count(asked, customer).cmp(&asked.count)),
    }
}

fn lookup<'c>(customer: &'c Customer, path: &[String]) -> Option<&'c Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(customer.attributes.get(first)?, |at, name| match at {
        Value::Object(object) => object.get(name),
        _ => None,
    })
}

fn passes(value: Option<&Value>, test: &Test) -> bool {
    let Some(value) = value else {
        return matches!(test, Test::Missing | Test::Falsy);
    };
    match test {
        Test::Defined => true,
        Test::Missing => false,
        Test::Compare(by, with) => value.kind() == with.kind() && compares(value, *by, with),
        Test::OneOf(values) => values.contains(value),
        Test::NoneOf(values) => !values.contains(value),
        Test::Prefix(prefix) => matches!(value, Value::Text(text) if text.starts_with(prefix.as_ref())),
        Test::Truthy => value.is_truthy(),
        Test::Falsy => !value.is_truthy(),
    }
}

fn compares(value: &Value, by: Comparison, with: &Value) -> bool {
    match (value, with) {
        (Value::Text(left), Value::Text(right)) => by.accepts(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => by.accepts(left.cmp(right)),
        (Value::Boolean(left), Value::Boolean(right)) => by.accepts(left.cmp(right)),
        (Value::Timestamp(left), Value::Timestamp(right)) => by.accepts(left.cmp(right)),
        _ => match by {
            Comparison::Equal => value == with,
            Comparison::NotEqual => value != with,
            _ => panic!("a store is never asked for an order of {value:?}"),
        },
    }
}

fn count(asked: &EventCount, customer: &Customer) -> i64 {
    let matches = customer.events.iter().filter(|event| {
        *event.event_type == *asked.event_type
            && asked.from.is_none_or(|from| event.timestamp >= from)
            && asked.before.is_none_or(|before| event.timestamp < before)
            && asked.properties.iter().all(|(name, value)| event.properties.get(name) == Some(value))
    });
    matches.count() as i64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn never_too_few_and_exact_where_it_says_so(source in condition(), person in person(), params in params()) {
        let condition = Condition::compile(&source, &scope()).unwrap();
        let call = call(&params);
        let facts = Facts::of_call(&call, NOW.parse().unwrap());
        let narrowed = condition.narrow(facts);
        let truth = condition.decide(facts.with_customer(&person));
        let selected = selects(&narrowed.selection, &person);
        prop_assert!(selected || !truth.is_true(), "too few: {:?}", narrowed);
        prop_assert!(!narrowed.exact || selected == truth.is_true(), "not exact: {:?} {:?}", narrowed, truth);
    }
}

fn narrowed(source: &str, params: &Json) -> Narrowed {
    let call = call(params);
    Condition::compile(source, &scope()).unwrap().narrow(Facts::of_call(&call, NOW.parse().unwrap()))
}

#[test]
fn an_audience_of_the_story_is_decided_by_the_store() {
    let source =
        "customer.postcode in params.postcodes and events('policy_purchased').within('365d').count() > 0";
    let narrowed = narrowed(source, &json!({"postcodes": ["60200"]}));
    assert!(narrowed.exact);
    let Selection::All(parts) = narrowed.selection else { panic!("two parts") };
    assert_eq!(
        parts[0],
        Selection::Attribute {
            path: vec!["postcode".into()],
            test: Test::OneOf(Arc::from([Value::text("60200")])),
        }
    );
    let Selection::Events(events) = &parts[1] else { panic!("events") };
    assert_eq!(
        (events.from, events.before),
        (Some("2025-11-01T12:00:00Z".parse().unwrap()), Some(NOW.parse().unwrap()))
    );
}

#[test]
fn polarity_makes_what_is_opaque_everyone_on_both_sides() {
    let opaque = "customer.name | lower == 'ann'";
    for source in [opaque.to_owned(), format!("not ({opaque})"), format!("not (not ({opaque}))")] {
        let narrowed = narrowed(&source, &json!({}));
        assert!(!narrowed.exact, "{source}");
        // Without a name it is unknown either way.
        let name = Selection::Attribute { path: vec!["name".into()], test: Test::Defined };
        assert_eq!(narrowed.selection, name, "{source}");
    }
}

#[test]
fn an_absent_param_selects_nobody_rather_than_everyone() {
    for source in [
        "customer.age < params.limit",
        "not customer.age < params.limit",
        "events('e', match_id=params.match_id).count() == 0",
        "not events('e', match_id=params.match_id).count() > 0",
        "customer.postcode not in params.postcodes",
    ] {
        assert_eq!(narrowed(source, &json!({})).selection, Selection::Nobody, "{source}");
    }
}

#[test]
fn sums_and_conversions_are_at_most_a_superset() {
    for source in ["events('e').sum('p') > 5", "events('e').avg('p') > 5", "number(customer.x) > 5"] {
        assert!(!narrowed(source, &json!({})).exact, "{source}");
    }
    assert_eq!(narrowed("events('e').sum('p') < 5", &json!({})).selection, Selection::Everyone);
}

#[test]
fn prefixes_are_pushed() {
    let prefix = Selection::Attribute { path: vec!["name".into()], test: Test::Prefix("ab".into()) };
    assert_eq!(narrowed("customer.name is startingwith('ab')", &json!({})).selection, prefix);
}

#[test]
fn says_which_indexes_it_needs_and_what_is_left() {
    let condition = |source: &str| Condition::compile(source, &scope()).unwrap();
    let attribute = |name: &str| IndexNeed::Attribute { path: vec![name.into()] };
    let both = condition("customer.city == 'X' and events('t', match_id=params.match_id).count() > 0");
    let property = IndexNeed::EventProperty { event_type: "t".into(), property: "match_id".into() };
    assert_eq!(both.index_needs(), [attribute("city"), property]);
    assert_eq!(
        condition("customer.a == 1 or customer.b == 2").index_needs(),
        [attribute("a"), attribute("b")]
    );
    assert_eq!(condition("customer.a == 1 or customer.b | lower == 'x'").index_needs(), []);
    assert_eq!(condition("customer.a != 1").index_needs(), []);
    assert_eq!(condition("not customer.a != 1").index_needs(), [attribute("a")]);
    let told = condition("customer.a == 1 and customer.b | lower == 'x'").push_down();
    assert_eq!(told.pushed, ["customer.a == 1"]);
    assert_eq!(told.finished, ["customer.b | lower == 'x'"]);
}
