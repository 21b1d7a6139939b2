//! Random conditions and customers, small enough that their values meet.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{customer, with_events};
use crate::domain::customer::Customer;

/// Values that are alike but not the same: of other kinds, nearly equal, empty.
fn value() -> impl Strategy<Value = Json> {
    prop::sample::select(vec![
        json!(0),
        json!(1),
        json!(2),
        json!(1.0),
        json!(0.5),
        json!(9007199254740993_i64),
        json!(9007199254740992.0),
        json!(""),
        json!("a"),
        json!("ab"),
        json!("1"),
        json!("é"),
        json!(true),
        json!(false),
        json!([]),
        json!([1, "a"]),
        json!({"b": 1}),
        json!({"b": "a"}),
    ])
}

fn literal() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "0",
        "1",
        "2",
        "1.0",
        "0.5",
        "-1",
        "9007199254740993",
        "9007199254740992.0",
        "''",
        "'a'",
        "'ab'",
        "'1'",
        "'é'",
        "true",
        "false",
        "[]",
        "[1, 'a']",
        "params.p",
        "params.q",
        "params.absent",
        "now",
    ])
    .prop_map(str::to_owned)
}

fn subject() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "customer.x",
        "customer.y",
        "customer.x.b",
        "customer['y'].b",
        "customer.z",
        "(customer.x | default(1))",
        "(customer.y | default('a'))",
        "(customer.y | lower)",
        "(customer.x + 1)",
        "number(customer.y)",
        "text(customer.x)",
        "consents.sms",
        "consents.mail",
        "events('e').count()",
        "events('e', p=1).count()",
        "events('e', p=params.q).within('2d').count()",
        "events('e').sum('p')",
        "events('e').max('p')",
        "events('e').last().p",
        "events('e').avg('p')",
    ])
    .prop_map(str::to_owned)
}

fn operand() -> impl Strategy<Value = String> {
    prop_oneof![subject(), literal()]
}

fn leaf() -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let membership = prop::sample::select(vec!["in", "not in"]);
    let list = prop::collection::vec(literal(), 0..3).prop_map(|items| format!("[{}]", items.join(", ")));
    let of = prop_oneof![list, operand()];
    let test =
        prop::sample::select(vec!["is defined", "is not defined", "is startingwith('a')", "is number"]);
    prop_oneof![
        4 => (operand(), operator, operand()).prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
        2 => (operand(), membership, of).prop_map(|(item, membership, of)| format!("{item} {membership} {of}")),
        1 => (subject(), test).prop_map(|(subject, test)| format!("{subject} {test}")),
        1 => subject(),
        1 => (literal(), subject(), literal()).prop_map(|(low, of, high)| format!("{low} <= {of} < {high}")),
    ]
    .prop_filter("a constant or two kinds that never compare", |source| {
        super::Condition::compile(source, &super::scope()).is_ok()
    })
}

/// A random condition.
pub(in crate::domain) fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} and {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} or {right})")),
            inner.clone().prop_map(|inner| format!("(not {inner})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(then, test, otherwise)| format!("(({then}) if ({test}) else {otherwise})")),
        ]
    })
}

/// A random customer with a short history.
pub(super) fn person() -> impl Strategy<Value = Customer> {
    let times = [
        "2026-10-01T00:00:00Z",
        "2026-10-30T12:00:00Z",
        "2026-11-01T11:59:59.999999Z",
        "2026-11-01T12:00:00Z",
    ];
    let event = (
        prop::sample::select(vec!["e", "f"]),
        prop::sample::select(times.to_vec()),
        prop::option::of(value()),
    );
    let attribute = || prop::option::of(value());
    let consent = || prop::option::of(any::<bool>());
    (attribute(), attribute(), consent(), consent(), prop::collection::vec(event, 0..4)).prop_map(
        |(x, y, sms, mail, events)| {
            let mut person = customer(&json!({"x": x, "y": y}));
            let consents = [("sms", sms), ("mail", mail)];
            let given = consents.into_iter().filter_map(|(name, given)| Some((name.to_owned(), given?)));
            person.consents = std::sync::Arc::new(given.collect());
            let mut events: Vec<_> =
                events.into_iter().map(|(kind, at, p)| (kind, at, json!({"p": p}))).collect();
            events.sort_by_key(|(_, at, _)| *at);
            with_events(person, &events)
        },
    )
}

/// Random params: `p` is always there, `q` sometimes.
pub(super) fn params() -> impl Strategy<Value = Json> {
    (value(), prop::option::of(value())).prop_map(|(p, q)| json!({"p": p, "q": q}))
}
