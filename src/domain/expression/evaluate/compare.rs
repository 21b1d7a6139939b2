//! How values compare: only within one kind, by exact value; what does not compare is unknown.

use std::cmp::Ordering;

use super::members::holds;
use crate::domain::expression::tree::Term;
use crate::domain::expression::truth::{Reason, Seen, Truth};
use crate::domain::selection::Comparison;
use crate::domain::value::Value;

/// The order of two values of one kind that has an order.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Value::Number(left), Value::Number(right)) => Some(left.cmp(right)),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(right)),
        (Value::Timestamp(left), Value::Timestamp(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn seen(term: &Term, value: &Value) -> Seen {
    Seen { what: term.text.clone(), value: value.clone() }
}

/// Compares two values; the terms are for the reason.
pub(crate) fn compare(left: (&Term, &Value), by: Comparison, right: (&Term, &Value)) -> Truth {
    if left.1.kind() != right.1.kind() {
        return Truth::Unknown(Reason::KindsDiffer(Box::new((seen(left.0, left.1), seen(right.0, right.1)))));
    }
    match (order(left.1, right.1), by) {
        (Some(ordering), _) => by.accepts(ordering).into(),
        (None, Comparison::Equal) => (left.1 == right.1).into(),
        (None, Comparison::NotEqual) => (left.1 != right.1).into(),
        (None, _) => Truth::Unknown(Reason::unfit(&left.0.text, left.1, "has no order")),
    }
}

/// Whether the second holds the first: an equal element of a list, or a part of a text.
pub(crate) fn contains(item: (&Term, &Value), of: (&Term, &Value)) -> Truth {
    match (item.1, of.1) {
        (item, Value::List(list)) => holds(list, item).into(),
        (Value::Text(part), Value::Text(whole)) => whole.contains(part.as_ref()).into(),
        (_, Value::Text(_)) => {
            Truth::Unknown(Reason::KindsDiffer(Box::new((seen(item.0, item.1), seen(of.0, of.1)))))
        }
        _ => Truth::Unknown(Reason::unfit(&of.0.text, of.1, "holds no elements")),
    }
}
