//! What is known when a condition is decided or a text is rendered: the moment, the call, the customer.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::customer::Customer;
use crate::domain::name::{CallId, TriggerName};
use crate::domain::value::{Members, Value};

/// What every customer of a run shares.
#[derive(Debug, Clone, PartialEq)]
pub struct CallFacts {
    /// `call.id`
    pub id: CallId,
    /// `call.trigger`
    pub trigger: TriggerName,
    /// `call.receivedAt`
    pub received_at: Timestamp,
    /// `params`, after mapping, defaults and type checks; what is optional and absent is not in it.
    pub params: Arc<Members>,
    /// What a consent is when a customer never gave nor withdrew it; false for a category that is not here.
    pub consent_defaults: Arc<BTreeMap<String, bool>>,
}

/// The request a call came in, for a trigger's mapping.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestFacts {
    /// `body`; `None` for null.
    pub body: Option<Value>,
    /// `headers`, by lower-case name.
    pub headers: Arc<Members>,
    /// `query`, by name.
    pub query: Arc<Members>,
    /// `item`: the element, with `forEach`.
    pub item: Option<Value>,
}

/// All that a decision may look at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// `now`: when the call was accepted, or the journey woke.
    pub now: Timestamp,
    /// The call, but in a trigger's mapping.
    pub call: Option<&'a CallFacts>,
    /// The request, in a trigger's mapping only.
    pub request: Option<&'a RequestFacts>,
    /// The customer, but in a trigger's `where`.
    pub customer: Option<&'a Customer>,
}

impl<'a> Facts<'a> {
    /// What is known of a call at a moment, before any customer.
    pub fn of_call(call: &'a CallFacts, now: Timestamp) -> Self {
        Facts { now: whole_microseconds(now), call: Some(call), request: None, customer: None }
    }

    /// What is known of a request that is being mapped.
    pub fn of_request(request: &'a RequestFacts, now: Timestamp) -> Self {
        Facts { now: whole_microseconds(now), call: None, request: Some(request), customer: None }
    }

    /// The same, about one customer.
    #[must_use]
    pub fn with_customer(self, customer: &'a Customer) -> Self {
        Facts { customer: Some(customer), ..self }
    }
}

/// Timestamps count in microseconds, as the databases keep them; what is finer is cut off,
/// towards the past.
pub(crate) fn whole_microseconds(timestamp: Timestamp) -> Timestamp {
    let microseconds = i64::try_from(timestamp.as_nanosecond().div_euclid(1_000));
    microseconds
        .ok()
        .and_then(|microseconds| Timestamp::from_microsecond(microseconds).ok())
        .unwrap_or(timestamp)
}
