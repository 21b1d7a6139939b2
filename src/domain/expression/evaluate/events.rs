//! A customer's history: which events match, and what is made of them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use jiff::Timestamp;

use super::term::walk;
use super::{Found, find};
use crate::domain::customer::Event;
use crate::domain::expression::convert::{convert, parse_duration};
use crate::domain::expression::facts::Facts;
use crate::domain::expression::tree::{Aggregate, EventTerm, PathStep, Term, Window};
use crate::domain::expression::truth::Reason;
use crate::domain::value::{Kind, Members, Number, Value};

/// Which events, with every argument known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ask {
    pub event_type: Arc<str>,
    pub properties: Vec<(Arc<str>, Value)>,
    /// The first moment that counts.
    pub from: Option<Timestamp>,
    /// The first moment that no longer counts.
    pub before: Option<Timestamp>,
}

impl Ask {
    /// Finds the arguments; one that is missing makes the whole unknown, else an optional param that is absent
    /// would select everyone by `count() == 0`.
    pub fn settle(events: &EventTerm, facts: Facts<'_>) -> Result<Self, Reason> {
        let event_type = match find(&events.event_type, facts).known()?.into_owned() {
            Value::Text(text) => text,
            other => {
                return Err(Reason::unfit(&events.event_type.text, &other, "is no type of events"));
            }
        };
        let mut ask = Ask {
            event_type,
            properties: Vec::with_capacity(events.properties.len()),
            from: None,
            before: None,
        };
        for (name, term) in &events.properties {
            ask.properties.push((Arc::clone(name), find(term, facts).known()?.into_owned()));
        }
        for window in &events.windows {
            ask.narrow(window, facts)?;
        }
        Ok(ask)
    }

    fn narrow(&mut self, window: &Window, facts: Facts<'_>) -> Result<(), Reason> {
        match window {
            Window::Within(length) => self.within(*length, facts.now),
            Window::WithinText(term) => {
                let value = find(term, facts).known()?;
                let length = match value.as_ref() {
                    Value::Text(text) => parse_duration(text),
                    _ => None,
                };
                self.within(
                    length.ok_or_else(|| Reason::unfit(&term.text, &value, "is no length of time"))?,
                    facts.now,
                );
            }
            Window::Since(term) => self.since(moment(term, facts)?),
            Window::Before(term) => self.until(moment(term, facts)?),
        }
        Ok(())
    }

    /// `[now - length, now)`.
    pub fn within(&mut self, length: jiff::SignedDuration, now: Timestamp) {
        // What would begin before time is kept begins with it.
        self.since(now.checked_sub(length).unwrap_or(Timestamp::MIN));
        self.until(now);
    }

    /// From the moment on.
    pub fn since(&mut self, moment: Timestamp) {
        self.from = Some(self.from.map_or(moment, |from| from.max(moment)));
    }

    /// Until just before the moment.
    pub fn until(&mut self, moment: Timestamp) {
        self.before = Some(self.before.map_or(moment, |before| before.min(moment)));
    }

    /// Whether an event matches.
    pub fn accepts(&self, event: &Event) -> bool {
        event.event_type == self.event_type
            && self.from.is_none_or(|from| event.timestamp >= from)
            && self.before.is_none_or(|before| event.timestamp < before)
            && self.properties.iter().all(|(name, value)| event.properties.get(name.as_ref()) == Some(value))
    }
}

fn moment(term: &Term, facts: Facts<'_>) -> Result<Timestamp, Reason> {
    let value = find(term, facts).known()?;
    match convert(Kind::Timestamp, &value) {
        Some(Value::Timestamp(moment)) => Ok(moment),
        _ => Err(Reason::unfit(&term.text, &value, "is no moment")),
    }
}

impl Ask {
    /// Events of a type, whatever their properties and time.
    pub fn of(event_type: Arc<str>) -> Self {
        Ask { event_type, properties: Vec::new(), from: None, before: None }
    }

    /// What is asked of the matching events; `None` is missing.
    pub fn aggregate(&self, asked: &Aggregate, facts: Facts<'_>) -> Option<Value> {
        match aggregate(self, asked, facts, &self.event_type) {
            Found::Value(value) => Some(value.into_owned()),
            Found::Missing(_) | Found::Unknown(_) => None,
        }
    }

    /// The properties of each matching event, in order.
    pub fn properties_of_all(&self, facts: Facts<'_>) -> Vec<Members> {
        matching(self, facts).map(properties).collect()
    }
}

/// The matching events of the customer, in the order of (timestamp, id).
pub(crate) fn matching<'a>(ask: &'a Ask, facts: Facts<'a>) -> impl DoubleEndedIterator<Item = &'a Event> {
    let events: &[Event] = facts.customer.map_or(&[], |customer| &customer.events);
    events.iter().filter(|event| ask.accepts(event))
}

/// What is asked of the matching events.
pub(crate) fn aggregate<'a>(
    ask: &Ask,
    aggregate: &Aggregate,
    facts: Facts<'a>,
    text: &Arc<str>,
) -> Found<'a> {
    let missing = || Found::Missing(Reason::missing(text));
    let value = match aggregate {
        Aggregate::Count => {
            Some(Value::integer(i64::try_from(matching(ask, facts).count()).unwrap_or(i64::MAX)))
        }
        Aggregate::Sum(property) => sum(numbers(ask, facts, property)).map(Value::Number),
        Aggregate::Avg(property) => average(numbers(ask, facts, property)),
        Aggregate::Min(property) => extreme(numbers(ask, facts, property), Ordering::Less),
        Aggregate::Max(property) => extreme(numbers(ask, facts, property), Ordering::Greater),
        Aggregate::First(steps) => matching(ask, facts)
            .min_by_key(|event| (event.timestamp, event.id))
            .and_then(|event| part(event, steps)),
        Aggregate::Last(steps) => matching(ask, facts)
            .max_by_key(|event| (event.timestamp, event.id))
            .and_then(|event| part(event, steps)),
    };
    value.map_or_else(missing, Found::owned)
}

/// The numbers among a property's values; other kinds are passed over.
fn numbers(ask: &Ask, facts: Facts<'_>, property: &str) -> Vec<Number> {
    matching(ask, facts)
        .filter_map(|event| match event.properties.get(property) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        })
        .collect()
}

/// The sum; 0 of none. Whole numbers add up exactly while the sum fits 64 bits; `None` if it leaves every range.
fn sum(numbers: Vec<Number>) -> Option<Number> {
    let whole = numbers.iter().try_fold(0_i64, |sum, number| match number {
        Number::Integer(integer) => sum.checked_add(*integer),
        Number::Double(_) => None,
    });
    match whole {
        Some(sum) => Some(Number::Integer(sum)),
        None => Number::from_f64(numbers.into_iter().map(Number::to_f64).sum()).ok(),
    }
}

fn average(numbers: Vec<Number>) -> Option<Value> {
    if numbers.is_empty() {
        return None;
    }
    let count = numbers.len() as f64;
    Number::from_f64(sum(numbers)?.to_f64() / count).ok().map(Value::Number)
}

fn extreme(numbers: Vec<Number>, side: Ordering) -> Option<Value> {
    numbers
        .into_iter()
        .reduce(|best, number| if number.cmp(&best) == side { number } else { best })
        .map(Value::Number)
}

/// An event's properties, with its `timestamp` and `type` where no property has that name.
pub(crate) fn properties(event: &Event) -> Members {
    let mut properties = event.properties.as_ref().clone();
    properties.entry("timestamp".to_owned()).or_insert(Value::Timestamp(event.timestamp));
    properties.entry("type".to_owned()).or_insert_with(|| Value::Text(Arc::clone(&event.event_type)));
    properties
}

fn part(event: &Event, steps: &[PathStep]) -> Option<Value> {
    let Some((PathStep::Name(name), rest)) = steps.split_first() else {
        return steps.is_empty().then(|| Value::Object(Arc::new(properties(event))));
    };
    match (event.properties.get(name.as_ref()), name.as_ref()) {
        (Some(value), _) => walk(value, rest).map(Cow::into_owned),
        (None, "timestamp") if rest.is_empty() => Some(Value::Timestamp(event.timestamp)),
        (None, "type") if rest.is_empty() => Some(Value::Text(Arc::clone(&event.event_type))),
        (None, _) => None,
    }
}
