//! A customer as the API shows one.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::domain::customer::Customer;
use crate::domain::value::object_to_json;
use crate::store::customers::LatestEvents;

/// `GET /api/v1/customers/{id}`: everything known of a customer.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct CustomerView {
    /// Ids by kind, `registered` among them.
    pub ids: BTreeMap<String, String>,
    /// Attributes by name.
    #[schema(value_type = Object)]
    pub attributes: Json,
    /// Consents that were given or withdrawn, by category.
    pub consents: BTreeMap<String, bool>,
    /// The latest events, the newest first: 100, or fewer if their properties have more than 1 MiB.
    pub events: Vec<EventView>,
    /// Whether there are older events than those shown.
    pub has_older_events: bool,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct EventView {
    /// What happened.
    pub r#type: String,
    /// When, in RFC 3339.
    #[schema(value_type = String)]
    pub timestamp: jiff::Timestamp,
    /// Properties by name.
    #[schema(value_type = Object)]
    pub properties: Json,
}

/// How many events a view shows.
pub const EVENTS_SHOWN_MAX: u32 = 100;

impl CustomerView {
    /// A customer with its newest events.
    pub fn new(customer: &Customer, latest: &LatestEvents) -> Self {
        let shown = latest.events.iter().map(|event| EventView {
            r#type: event.event_type.to_string(),
            timestamp: event.timestamp,
            properties: object_to_json(&event.properties),
        });
        CustomerView {
            ids: (*customer.ids).clone(),
            attributes: object_to_json(&customer.attributes),
            consents: (*customer.consents).clone(),
            events: shown.collect(),
            has_older_events: latest.has_older,
        }
    }
}
