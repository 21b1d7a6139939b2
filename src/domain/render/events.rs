//! `events(…)` in a content: the same questions as in a condition, and a loop over what matches.

use std::sync::{Arc, OnceLock};

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value as Jinja};

use super::context::Subject;
use crate::domain::expression::meter::in_time;
use crate::domain::expression::{
    Aggregate, EventsAsked, Facts, MapObject, from_jinja, parse_duration, parse_timestamp, to_jinja,
};
use crate::domain::value::Value;

/// `events` itself.
#[derive(Debug)]
pub(super) struct EventsFunction(pub Subject);

impl Object for EventsFunction {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Jinja]) -> Result<Jinja, Error> {
        look(state, &self.0)?;
        let (event_type, properties): (Arc<str>, Kwargs) = from_args(args)?;
        let mut asked = EventsAsked::of(event_type);
        for name in properties.args() {
            asked.properties.push((name.into(), known(name, &properties.get::<Jinja>(name)?)?));
        }
        Ok(Jinja::from_object(Events::new(self.0.clone(), asked)))
    }
}

/// Pays for a look at each event of the customer.
fn look(state: &State<'_, '_>, subject: &Subject) -> Result<(), Error> {
    in_time(state)?;
    state.consume_fuel(subject.customer.events.len() as u64 / EVENTS_PER_FUEL)
}

/// Whether a value is what `events(…)` gives.
pub(super) fn is_events(value: &Jinja) -> bool {
    value.downcast_object_ref::<Events>().is_some()
}

/// A missing argument makes the whole of it unknown, so the customer is skipped rather than told of other events.
fn known(name: &str, value: &Jinja) -> Result<Value, Error> {
    match from_jinja(value) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(invalid(format!("the argument `{name}` of events is missing"))),
        Err(error) => Err(invalid(error)),
    }
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}

/// How many events are looked at for one fuel.
const EVENTS_PER_FUEL: u64 = 8;

/// The events that match; a list of their properties.
#[derive(Debug)]
struct Events {
    subject: Subject,
    asked: EventsAsked,
    /// Made once, however often they are walked through.
    listed: OnceLock<Vec<Jinja>>,
}

impl Events {
    fn new(subject: Subject, asked: EventsAsked) -> Self {
        Events { subject, asked, listed: OnceLock::new() }
    }

    fn listed(&self) -> &[Jinja] {
        self.listed.get_or_init(|| {
            let properties = self.asked.properties_of_all(self.facts());
            properties.into_iter().map(|event| Jinja::from_object(MapObject(Arc::new(event)))).collect()
        })
    }

    fn facts(&self) -> Facts<'_> {
        Facts::of_call(&self.subject.call, self.subject.now).with_customer(&self.subject.customer)
    }

    fn windowed(&self, method: &str, argument: &Jinja) -> Result<Jinja, Error> {
        let mut asked = self.asked.clone();
        let value = known(method, argument)?;
        match (method, &value) {
            ("within", Value::Text(text)) => {
                let length =
                    parse_duration(text).ok_or_else(|| invalid(format!("`{text}` is no length of time")))?;
                asked.within(length, self.subject.now);
            }
            ("within", _) => return Err(invalid("a length of time is a text such as `365d`".into())),
            (_, Value::Timestamp(moment)) if method == "since" => asked.since(*moment),
            (_, Value::Timestamp(moment)) => asked.until(*moment),
            (_, Value::Text(text)) => {
                let moment =
                    parse_timestamp(text).ok_or_else(|| invalid(format!("`{text}` is no timestamp")))?;
                if method == "since" { asked.since(moment) } else { asked.until(moment) }
            }
            _ => return Err(invalid(format!("`.{method}` takes a timestamp"))),
        }
        Ok(Jinja::from_object(Events::new(self.subject.clone(), asked)))
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Jinja {
        self.asked.aggregate(aggregate, self.facts()).map_or(Jinja::UNDEFINED, |value| to_jinja(&value))
    }
}

impl Object for Events {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.listed().to_vec())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.listed().len())
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Jinja],
    ) -> Result<Jinja, Error> {
        look(state, &self.subject)?;
        let aggregate = match method {
            "within" | "since" | "before" => {
                let (argument,): (Jinja,) = from_args(args)?;
                return self.windowed(method, &argument);
            }
            "count" | "first" | "last" => {
                let () = from_args(args)?;
                match method {
                    "count" => Aggregate::Count,
                    "first" => Aggregate::First(Vec::new()),
                    _ => Aggregate::Last(Vec::new()),
                }
            }
            "sum" | "min" | "max" | "avg" => {
                let (property,): (Arc<str>,) = from_args(args)?;
                match method {
                    "sum" => Aggregate::Sum(property),
                    "min" => Aggregate::Min(property),
                    "max" => Aggregate::Max(property),
                    _ => Aggregate::Avg(property),
                }
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        Ok(self.aggregate(&aggregate))
    }
}
