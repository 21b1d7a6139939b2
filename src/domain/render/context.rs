//! The names a content sees, given to Jinja only when it asks for them.

use std::sync::Arc;

use jiff::Timestamp;
use minijinja::Value as Jinja;
use minijinja::value::{Enumerator, Object};

use super::events::EventsFunction;
use crate::domain::customer::Customer;
use crate::domain::expression::meter::{TIME, Timed};
use crate::domain::expression::{CallFacts, MapObject};
use crate::domain::jinja::Moment;
use crate::domain::permit::Consent;
use crate::domain::time_budget::TimeBudget;

/// Whom and what a text is rendered for. Cheap to make for each customer.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The call.
    pub call: Arc<CallFacts>,
    /// The customer.
    pub customer: Arc<Customer>,
    /// `now`: when the call was accepted, or the journey woke.
    pub now: Timestamp,
    /// How long writing the message may take.
    pub time: TimeBudget,
}

impl Subject {
    pub(super) fn root(&self) -> Jinja {
        Jinja::from_object(Root(self.clone()))
    }
}

/// The names at the top.
#[derive(Debug)]
struct Root(Subject);

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        let subject = &self.0;
        Some(match key {
            "customer" => Jinja::from_object(MapObject(Arc::clone(&subject.customer.attributes))),
            "params" => Jinja::from_object(MapObject(Arc::clone(&subject.call.params))),
            "consents" => Jinja::from_object(Consents(subject.clone())),
            "ids" => Jinja::from_object(Ids(Arc::clone(&subject.customer))),
            "call" => Jinja::from_object(Call(Arc::clone(&subject.call))),
            "now" => Jinja::from_object(Moment(subject.now)),
            TIME => Jinja::from_object(Timed(subject.time.clone())),
            "events" => Jinja::from_object(EventsFunction(subject.clone())),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// `consents.sms`: never missing.
#[derive(Debug)]
struct Consents(Subject);

impl Object for Consents {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        let consent = Consent::of(&self.0.customer, key, &self.0.call.consent_defaults);
        Some(Jinja::from(consent.is_given()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.0.call.consent_defaults.keys().chain(self.0.customer.consents.keys());
        let names: std::collections::BTreeSet<&String> = names.collect();
        Enumerator::Values(names.into_iter().map(Jinja::from).collect())
    }
}

/// `ids.registered`: the customer's own ids, by kind.
#[derive(Debug)]
struct Ids(Arc<Customer>);

impl Object for Ids {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        self.0.ids.get(key).map(Jinja::from)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.ids.keys().map(Jinja::from).collect())
    }
}

/// `call.id` and its kin.
#[derive(Debug)]
struct Call(Arc<CallFacts>);

impl Object for Call {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        Some(match key.as_str()? {
            "id" => Jinja::from(self.0.id.as_str()),
            "trigger" => Jinja::from(self.0.trigger.as_str()),
            "receivedAt" => Jinja::from_object(Moment(self.0.received_at)),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["id", "trigger", "receivedAt"])
    }
}
