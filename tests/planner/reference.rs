//! What a selection means, read as plainly as its words, without looking at how the store does it.

use std::cmp::Ordering;

use fanfare::domain::customer::{Customer, Event};
use fanfare::domain::selection::{Comparison, EventCount, Selection, Test};
use fanfare::domain::value::{Number, Value};

/// Whether the customer is selected.
pub fn selects(selection: &Selection, customer: &Customer) -> bool {
    match selection {
        Selection::Everyone => true,
        Selection::Nobody => false,
        Selection::All(parts) => parts.iter().all(|part| selects(part, customer)),
        Selection::Any(parts) => parts.iter().any(|part| selects(part, customer)),
        Selection::Attribute { path, test } => passes(test, attribute(customer, path)),
        Selection::Id { kind, test } => {
            let id = customer.ids.get(kind).map(|id| Value::text(id.as_str()));
            passes(test, id.as_ref())
        }
        Selection::Consent { category, accepted } => match customer.consents.get(category) {
            Some(true) => accepted.given,
            Some(false) => accepted.withdrawn,
            None => accepted.unrecorded,
        },
        Selection::Events(wanted) => {
            let count = customer.events.iter().filter(|event| is_counted(wanted, event)).count();
            holds(wanted.comparison, i64::try_from(count).unwrap().cmp(&wanted.count))
        }
    }
}

fn attribute<'a>(customer: &'a Customer, path: &[String]) -> Option<&'a Value> {
    let mut value = customer.attributes.get(&path[0])?;
    for name in &path[1..] {
        let Value::Object(object) = value else { return None };
        value = object.get(name)?;
    }
    Some(value)
}

fn is_counted(wanted: &EventCount, event: &Event) -> bool {
    *event.event_type == *wanted.event_type
        && wanted.from.is_none_or(|from| event.timestamp >= from)
        && wanted.before.is_none_or(|before| event.timestamp < before)
        && wanted.properties.iter().all(|(name, value)| {
            event.properties.get(name).is_some_and(|property| order(property, value) == Some(Ordering::Equal))
        })
}

fn passes(test: &Test, value: Option<&Value>) -> bool {
    match (test, value) {
        (Test::Defined, value) => value.is_some(),
        (Test::Missing, value) => value.is_none(),
        (Test::Truthy, value) => value.is_some_and(is_true),
        (Test::Falsy, value) => !value.is_some_and(is_true),
        (_, None) => false,
        (Test::Compare(comparison, with), Some(value)) => {
            if value.kind() != with.kind() {
                return false;
            }
            if matches!(with, Value::List(_) | Value::Object(_)) {
                let equal = order(value, with) == Some(Ordering::Equal);
                return *comparison == if equal { Comparison::Equal } else { Comparison::NotEqual };
            }
            order(value, with).is_some_and(|ordering| holds(*comparison, ordering))
        }
        (Test::OneOf(values), Some(value)) => {
            values.iter().any(|with| order(value, with) == Some(Ordering::Equal))
        }
        (Test::NoneOf(values), Some(value)) => {
            values.iter().all(|with| order(value, with) != Some(Ordering::Equal))
        }
        (Test::Prefix(prefix), Some(value)) => match value {
            Value::Text(text) => {
                text.chars().zip(prefix.chars()).all(|(a, b)| a == b) && text.len() >= prefix.len()
            }
            _ => false,
        },
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Boolean(boolean) => *boolean,
        Value::Number(Number::Integer(integer)) => *integer != 0,
        Value::Number(Number::Double(double)) => *double != 0.0,
        Value::Text(text) => !text.is_empty(),
        Value::List(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Timestamp(_) => true,
        Value::Null => false,
    }
}

fn holds(comparison: Comparison, ordering: Ordering) -> bool {
    match comparison {
        Comparison::Equal => ordering == Ordering::Equal,
        Comparison::NotEqual => ordering != Ordering::Equal,
        Comparison::Less => ordering == Ordering::Less,
        Comparison::LessOrEqual => ordering != Ordering::Greater,
        Comparison::Greater => ordering == Ordering::Greater,
        Comparison::GreaterOrEqual => ordering != Ordering::Less,
    }
}

/// The order of values of one kind; lists and objects are equal or have none.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.chars().cmp(right.chars())),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(right)),
        (Value::Timestamp(left), Value::Timestamp(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => Some(exact_order(*left, *right)),
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::List(left), Value::List(right)) => {
            let same = |(left, right)| order(left, right) == Some(Ordering::Equal);
            (left.len() == right.len() && left.iter().zip(right.iter()).all(same)).then_some(Ordering::Equal)
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |((a, left), (b, right)): ((&String, _), (&String, _))| {
                a == b && order(left, right) == Some(Ordering::Equal)
            };
            (left.len() == right.len() && left.iter().zip(right.iter()).all(same)).then_some(Ordering::Equal)
        }
        _ => None,
    }
}

/// Doubles of the range of an i64 are whole multiples of 2^-1074; splitting off the fraction keeps both exact.
fn exact_order(left: Number, right: Number) -> Ordering {
    let parts = |number: Number| match number {
        Number::Integer(integer) => (i128::from(integer), 0.0),
        // Beyond 2^100 only the order among doubles matters, and the cast keeps every i64 apart from them.
        Number::Double(double) => (double.trunc().clamp(-1e38, 1e38) as i128, double.fract()),
    };
    match (left, right) {
        (Number::Double(left), Number::Double(right)) => left.partial_cmp(&right).unwrap(),
        _ => {
            let ((left, left_rest), (right, right_rest)) = (parts(left), parts(right));
            left.cmp(&right).then(left_rest.partial_cmp(&right_rest).unwrap())
        }
    }
}
