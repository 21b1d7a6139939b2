//! The statements selections are answered by, in one place so that tests can ask SQLite how it runs each.
//!
//! The text is fixed; only values are bound. None sorts or limits: keys are sorted in process.

use crate::store::select::ranges::Range;

/// Reads the keys of an attribute's index; `?1` is the index, `?2` the kind.
macro_rules! attribute_keys {
    ($($condition:literal)?) => {
        concat!("SELECT customer FROM attribute_entry WHERE idx = ?1", $($condition)?)
    };
}

/// The statement that reads a range's keys.
pub(super) fn attribute_keys(range: &Range) -> &'static str {
    match range {
        Range::Whole => attribute_keys!(),
        Range::Kind(_) => attribute_keys!(" AND kind = ?2"),
        Range::Equal(..) => attribute_keys!(" AND kind = ?2 AND value = ?3"),
        Range::Below(..) => attribute_keys!(" AND kind = ?2 AND value < ?3"),
        Range::UpTo(..) => attribute_keys!(" AND kind = ?2 AND value <= ?3"),
        Range::Above(..) => attribute_keys!(" AND kind = ?2 AND value > ?3"),
        Range::From(..) => attribute_keys!(" AND kind = ?2 AND value >= ?3"),
        Range::Between(..) => attribute_keys!(" AND kind = ?2 AND value >= ?3 AND value < ?4"),
    }
}

/// Customers, and events, by the value of an event property, in a window of time.
pub(super) const EVENTS_BY_PROPERTY: &str = "SELECT customer, event FROM event_entry
     WHERE idx = ?1 AND kind = ?2 AND value = ?3 AND time >= ?4 AND time < ?5";

/// Customers, and events, by the event's type, in a window of time.
pub(super) const EVENTS_BY_TYPE: &str =
    "SELECT customer, id FROM event WHERE type = ?1 AND time >= ?2 AND time < ?3";

/// One event's properties.
pub(super) const PROPERTIES: &str = "SELECT properties FROM event WHERE id = ?1";

/// How many events of a type one customer has in a window of time.
pub(super) const COUNT_OF_CUSTOMER: &str =
    "SELECT count(*) FROM event WHERE customer = ?1 AND type = ?2 AND time >= ?3 AND time < ?4";

/// The properties of one customer's events of a type in a window of time.
pub(super) const PROPERTIES_OF_CUSTOMER: &str =
    "SELECT properties FROM event WHERE customer = ?1 AND type = ?2 AND time >= ?3 AND time < ?4";

/// What is checked of some customers.
pub(super) const FACTS_BY_KEY: &str = "SELECT customer.key, customer.attributes, customer.consents
     FROM json_each(?1) wanted CROSS JOIN customer ON customer.key = wanted.value";

/// What is checked of every customer.
pub(super) const FACTS_OF_ALL: &str = "SELECT key, attributes, consents FROM customer";

/// The same with their ids.
pub(super) const FACTS_AND_IDS_BY_KEY: &str =
    "SELECT customer.key, customer.attributes, customer.consents, customer.registered, customer.other_ids
     FROM json_each(?1) wanted CROSS JOIN customer ON customer.key = wanted.value";

/// The same of every customer.
pub(super) const FACTS_AND_IDS_OF_ALL: &str =
    "SELECT key, attributes, consents, registered, other_ids FROM customer";

/// Customers by the ids a CRM knows them by; `?1` is a list of ids.
pub(super) const BY_REGISTERED: &str = "SELECT customer.key
     FROM json_each(?1) wanted CROSS JOIN customer ON customer.registered = wanted.value";

/// Customers by other ids of a kind, which they have or had; `?1` is a list of ids.
pub(super) const BY_OTHER_ID: &str = "SELECT other_id.customer
     FROM json_each(?1) wanted CROSS JOIN other_id ON other_id.kind = ?2 AND other_id.id = wanted.value";

/// Every key, by way of the ids' index, which is the shortest.
pub(super) const ALL_KEYS: &str = "SELECT key FROM customer";
