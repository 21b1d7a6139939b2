//! Questions about a customer's history, as counts of events.

use super::leaf::Ask;
use super::{Narrowed, Wanted};
use crate::domain::expression::evaluate::{self, find};
use crate::domain::expression::facts::Facts;
use crate::domain::expression::tree::{Aggregate, EventTerm, PathStep};
use crate::domain::selection::{Comparison, EventCount, Selection};
use crate::domain::value::{Number, Value};

pub(super) fn read(events: &EventTerm, ask: &Ask<'_>, wanted: Wanted, facts: Facts<'_>) -> Narrowed {
    // A missing argument makes the whole unknown: true for nobody, and false for nobody.
    let Ok(which) = evaluate::Ask::settle(events, facts) else {
        return Narrowed::decided(false);
    };
    match ask {
        Ask::Compare(by, with) => match find(with, facts).known() {
            Ok(value) => {
                let by = if wanted == Wanted::True { *by } else { by.negated() };
                compared(&which, &events.aggregate, by, &value)
            }
            Err(_) => Narrowed::decided(false),
        },
        Ask::Truthy if events.aggregate == Aggregate::Count => some_or_none(&which, wanted),
        Ask::Defined => match &events.aggregate {
            Aggregate::First(steps) | Aggregate::Last(steps) if steps.is_empty() => {
                some_or_none(&which, wanted)
            }
            Aggregate::Count => Narrowed::decided(wanted == Wanted::True),
            Aggregate::Sum(_) => Narrowed::at_most(Selection::Everyone),
            _ => needing_one(&which, wanted),
        },
        Ask::Truthy => needing_one(&which, wanted),
        Ask::Within(_) | Ask::StartsWith(_) => match &events.aggregate {
            Aggregate::Count | Aggregate::Sum(_) => Narrowed::at_most(Selection::Everyone),
            _ => Narrowed::at_most(count(&which, Comparison::Greater, 0)),
        },
    }
}

fn count(which: &evaluate::Ask, comparison: Comparison, count: i64) -> Selection {
    Selection::Events(EventCount {
        event_type: which.event_type.to_string(),
        properties: which.properties.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
        from: which.from,
        before: which.before,
        comparison,
        count,
    })
}

fn some_or_none(which: &evaluate::Ask, wanted: Wanted) -> Narrowed {
    let comparison = if wanted == Wanted::True { Comparison::Greater } else { Comparison::Equal };
    Narrowed::exactly(count(which, comparison, 0))
}

/// True only with an event; false perhaps without one.
fn needing_one(which: &evaluate::Ask, wanted: Wanted) -> Narrowed {
    Narrowed::at_most(match wanted {
        Wanted::True => count(which, Comparison::Greater, 0),
        Wanted::False => Selection::Everyone,
    })
}

/// An aggregate compared with a value; `by` is what must be so.
fn compared(which: &evaluate::Ask, aggregate: &Aggregate, by: Comparison, value: &Value) -> Narrowed {
    match (aggregate, value) {
        (Aggregate::Count, Value::Number(number)) => counted(which, by, *number),
        (Aggregate::Sum(_), Value::Number(number)) => match by.accepts(Number::Integer(0).cmp(number)) {
            true => Narrowed::at_most(Selection::Everyone),
            false => Narrowed::at_most(count(which, Comparison::Greater, 0)),
        },
        (Aggregate::Avg(_), Value::Number(_)) => Narrowed::at_most(count(which, Comparison::Greater, 0)),
        (Aggregate::Min(property) | Aggregate::Max(property), Value::Number(_)) => {
            having(which, property, by, value)
        }
        (Aggregate::First(steps) | Aggregate::Last(steps), _) => match steps.as_slice() {
            [PathStep::Name(property)] => having(which, property, by, value),
            _ => Narrowed::at_most(count(which, Comparison::Greater, 0)),
        },
        _ => Narrowed::decided(false),
    }
}

/// One matching event has a property that compares so; if by equality, the store can look for that.
fn having(which: &evaluate::Ask, property: &std::sync::Arc<str>, by: Comparison, value: &Value) -> Narrowed {
    // An event without a property of these names has them from its own time and type.
    let own = matches!(property.as_ref(), "timestamp" | "type");
    if by != Comparison::Equal || own {
        return Narrowed::at_most(count(which, Comparison::Greater, 0));
    }
    let mut with = which.clone();
    with.properties.push((property.clone(), value.clone()));
    Narrowed::at_most(count(&with, Comparison::Greater, 0))
}

/// A count compared with a number, which need not be whole.
fn counted(which: &evaluate::Ask, by: Comparison, number: Number) -> Narrowed {
    let double = match number {
        Number::Integer(integer) => return Narrowed::exactly(count(which, by, integer)),
        Number::Double(double) => double,
    };
    // Casts saturate; a count is far from either end.
    if double.fract() == 0.0 {
        return Narrowed::exactly(count(which, by, double as i64));
    }
    match by {
        Comparison::Equal => Narrowed::decided(false),
        Comparison::NotEqual => Narrowed::decided(true),
        Comparison::Less | Comparison::LessOrEqual => {
            Narrowed::exactly(count(which, Comparison::LessOrEqual, double.floor() as i64))
        }
        Comparison::Greater | Comparison::GreaterOrEqual => {
            Narrowed::exactly(count(which, Comparison::GreaterOrEqual, double.ceil() as i64))
        }
    }
}
