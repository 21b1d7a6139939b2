//! Which names a source may use, by the place where it stands.
//!
//! A `where` sees its own trigger; an audience, a condition and a content see every trigger listed, and the customer.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::local_defaults::LocalDefaults;
use crate::domain::value::Kind;

/// Where a source stands, which decides the names it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A trigger's `where`: `params`, `call`, `now`.
    Trigger,
    /// An audience, a condition or a content: also `customer`, `consents`, `ids` and `events`.
    Customer,
    /// `forEach`, and a parameter's `from` without it: `body`, `headers`, `query`, `now`.
    Request,
    /// A parameter's `from` with `forEach`: also `item`, the element.
    Element,
    /// `deduplicate.by` and `expires.at`: `params`, `now`.
    Admission,
}

impl Place {
    /// The names that stand for something here, functions apart.
    pub fn roots(self) -> &'static [&'static str] {
        match self {
            Place::Trigger => &["params", "call", "now"],
            Place::Customer => &["customer", "params", "consents", "ids", "call", "now"],
            Place::Request => &["body", "headers", "query", "now"],
            Place::Element => &["item", "body", "headers", "query", "now"],
            Place::Admission => &["params", "now"],
        }
    }

    /// The functions that can be called here.
    pub fn functions(self) -> &'static [&'static str] {
        match self {
            Place::Customer => &["events", "number", "timestamp", "text"],
            _ => &["number", "timestamp", "text"],
        }
    }
}

/// A declared parameter, as far as expressions care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The kind of its values.
    pub kind: Kind,
    /// The word of its declared type, `integer`; two triggers agree when these are equal.
    pub word: &'static str,
}

/// A trigger's name and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerScope {
    /// The trigger's name, what `call.trigger` is compared with.
    pub name: String,
    /// Its parameters by name.
    pub parameters: BTreeMap<String, Declared>,
    /// Whether it is not there, so that its parameters are not known: any name may be one.
    pub is_missing: bool,
}

/// The names a source may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Where the source stands.
    pub place: Place,
    /// The triggers a call may have come through: one for a `where`, all that are listed elsewhere.
    pub triggers: Vec<TriggerScope>,
    /// What the Runtime says of zone, language and region.
    pub local: Arc<LocalDefaults>,
}

impl Scope {
    /// A scope with no trigger.
    pub fn bare(place: Place) -> Self {
        Scope { place, triggers: Vec::new(), local: Arc::default() }
    }

    /// Every parameter's name, of any trigger.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.triggers.iter().flat_map(|trigger| trigger.parameters.keys().map(String::as_str))
    }

    /// Whether a trigger is missing that may declare any parameter.
    pub fn lacks_a_trigger(&self) -> bool {
        self.triggers.iter().any(|trigger| trigger.is_missing)
    }

    /// The names of the triggers.
    pub fn trigger_names(&self) -> impl Iterator<Item = &str> {
        self.triggers.iter().map(|trigger| trigger.name.as_str())
    }
}
