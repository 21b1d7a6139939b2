//! One customer, one call, one condition: the rows of the table of meanings and the traps beside them.

mod algebra;
mod bounds;
mod history;
mod names;
mod narrowing;
pub(in crate::domain) mod random;
mod table;
mod undecided;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;
use crate::domain::customer::{Customer, CustomerKey, Event};
use crate::domain::name::{CallId, TriggerName};
use crate::domain::value::{Kind, Members, Value, object_from_json};

pub(in crate::domain) const NOW: &str = "2026-11-01T12:00:00Z";

/// A scope with one trigger that declares what the tests use.
pub(in crate::domain) fn scope() -> Scope {
    let parameters = [
        ("alert", Kind::Text, "string"),
        ("postcodes", Kind::List, "list"),
        ("limit", Kind::Number, "number"),
        ("until", Kind::Timestamp, "timestamp"),
        ("match_id", Kind::Text, "string"),
        ("p", Kind::Text, "string"),
        ("q", Kind::Text, "string"),
        ("absent", Kind::Text, "string"),
        ("valid-until", Kind::Timestamp, "timestamp"),
    ];
    let parameters =
        parameters.into_iter().map(|(name, kind, word)| (name.to_owned(), Declared { kind, word }));
    Scope {
        place: Place::Customer,
        triggers: vec![TriggerScope {
            name: "weather-alert".into(),
            parameters: parameters.collect(),
            is_missing: false,
        }],
        local: Arc::default(),
    }
}

pub(in crate::domain) fn object(json: &Json) -> Arc<Members> {
    Arc::new(object_from_json(json.as_object().unwrap()).unwrap())
}

pub(in crate::domain) fn call(params: &Json) -> CallFacts {
    CallFacts {
        id: CallId::new("0199"),
        trigger: TriggerName::new("weather-alert"),
        received_at: NOW.parse().unwrap(),
        params: object(params),
        consent_defaults: Arc::new([("mail".to_owned(), true)].into()),
    }
}

pub(in crate::domain) fn customer(attributes: &Json) -> Customer {
    Customer {
        key: CustomerKey(1),
        ids: Arc::new([("registered".to_owned(), "ann".to_owned())].into()),
        attributes: object(attributes),
        consents: Arc::default(),
        events: Arc::from([]),
    }
}

/// A customer's events as (type, time, properties), in order.
pub(in crate::domain) fn with_events(customer: Customer, events: &[(&str, &str, Json)]) -> Customer {
    let events = events.iter().enumerate().map(|(id, (event_type, timestamp, properties))| Event {
        id: id as i64,
        event_type: Arc::from(*event_type),
        timestamp: timestamp.parse().unwrap(),
        properties: object(properties),
    });
    Customer { events: events.collect(), ..customer }
}

pub(in crate::domain) fn decide(source: &str, customer: &Customer, params: &Json) -> Truth {
    let condition = Condition::compile(source, &scope()).unwrap_or_else(|error| panic!("{source}: {error}"));
    condition.decide(Facts::of_call(&call(params), NOW.parse().unwrap()).with_customer(customer))
}

/// Checks conditions for one customer and no params: `Some(truth)`, or `None` for unknown.
pub(in crate::domain) fn check(attributes: &Json, cases: &[(&str, Option<bool>)]) {
    check_customer(&customer(attributes), &json!({}), cases);
}

pub(in crate::domain) fn check_customer(customer: &Customer, params: &Json, cases: &[(&str, Option<bool>)]) {
    for (source, expected) in cases {
        let truth = decide(source, customer, params);
        assert_eq!(truth.known(), *expected, "{source}: {truth:?}");
    }
}

pub(in crate::domain) fn problems(source: &str) -> Vec<ExpressionProblem> {
    match Condition::compile(source, &scope()) {
        Ok(condition) => condition.warnings().to_vec(),
        Err(error) => error.problems,
    }
}
