//! A customer as decisions see one: attributes, consents and the part of the history that was asked for.
//!
//! The store fills these in batches; conditions and contents read them and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::value::Members;

/// The store's own number for a customer: small, stable, ordered; never shown to providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomerKey(pub i64);

/// One customer, with the events that were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Customer {
    /// The store's number.
    pub key: CustomerKey,
    /// Ids by kind, `registered` among them; case-sensitive.
    pub ids: Arc<BTreeMap<String, String>>,
    /// Attributes by name; nulls are never kept.
    pub attributes: Arc<Members>,
    /// Consents that were given or withdrawn, by category; a category that is absent has its default.
    pub consents: Arc<BTreeMap<String, bool>>,
    /// Events of the kinds that were asked for, in the order of (timestamp, id).
    pub events: Arc<[Event]>,
}

impl Customer {
    /// The id a CRM knows the customer by.
    pub fn registered(&self) -> &str {
        self.ids.get("registered").map_or("", String::as_str)
    }
}

/// Something a customer did, or that happened to one.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The store's number; later events have greater ones. Ties in time go by it.
    pub id: i64,
    /// What happened, `policy_purchased`.
    pub event_type: Arc<str>,
    /// When, to the microsecond.
    pub timestamp: Timestamp,
    /// Properties by name.
    pub properties: Arc<Members>,
}

/// Which event types must be loaded with a customer, as a compiled scenario knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventNeeds {
    /// Types whose name is known when compiling; a name that depends on params is settled per run.
    pub types: BTreeSet<String>,
}
