//! The statements selections are answered by, in one place.
//!
//! The text is fixed; only values are bound. None sorts or limits, which would make PostgreSQL walk another index:
//! keys are sorted in process, and a portal gives no more rows than were asked for.

use crate::store::select::ranges::Range;
use crate::store::side_index::Entry;

/// Reads the keys of an attribute's index; `$1` is the index, `$2` the kind.
macro_rules! attribute_keys {
    ($condition:literal) => {
        concat!("SELECT customer FROM attribute_entry WHERE idx = $1 AND ", $condition)
    };
    (text $condition:literal) => {
        concat!("SELECT customer FROM attribute_entry WHERE idx = $1 AND kind = $2 AND text_value ", $condition)
    };
    (number $condition:literal) => {
        concat!(
            "SELECT customer FROM attribute_entry WHERE idx = $1 AND kind = $2 AND text_value = '' AND number_value ",
            $condition
        )
    };
}

/// The statement that reads a range's keys; those of equal values take an array of them.
pub(super) fn attribute_keys(range: &Range) -> &'static str {
    match range {
        Range::Whole => attribute_keys!("kind >= 0"),
        Range::Kind(_) => attribute_keys!("kind = $2"),
        Range::Equal(_, Entry::Text(_)) => attribute_keys!(text "= ANY ($3)"),
        Range::Below(_, Entry::Text(_)) => attribute_keys!(text "< $3"),
        Range::UpTo(_, Entry::Text(_)) => attribute_keys!(text "<= $3"),
        Range::Above(_, Entry::Text(_)) => attribute_keys!(text "> $3"),
        Range::From(_, Entry::Text(_)) => attribute_keys!(text ">= $3"),
        Range::Between(..) => attribute_keys!(text ">= $3 AND text_value < $4"),
        Range::Equal(..) => attribute_keys!(number "= ANY ($3::text[]::numeric[])"),
        Range::Below(..) => attribute_keys!(number "< $3::text::numeric"),
        Range::UpTo(..) => attribute_keys!(number "<= $3::text::numeric"),
        Range::Above(..) => attribute_keys!(number "> $3::text::numeric"),
        Range::From(..) => attribute_keys!(number ">= $3::text::numeric"),
    }
}

/// The numbers of event types.
pub(super) const TYPES: &str = "SELECT name, id FROM event_type WHERE name = ANY ($1)";

/// Customers by the value of an event property, in a window of time.
pub(super) const EVENTS_BY_PROPERTY: &str = "SELECT customer FROM event_entry
     WHERE idx = $1 AND kind = $2 AND text_value = $3 AND number_value = $4::text::numeric
     AND time >= $5 AND time < $6";

/// The same with the event's properties; `$7` is its type.
pub(super) const PROPERTIES_BY_PROPERTY: &str = "SELECT event.customer, event.properties
     FROM event_entry JOIN event ON event.customer = event_entry.customer AND event.time = event_entry.time
         AND event.id = event_entry.event AND event.type = $7
     WHERE idx = $1 AND kind = $2 AND text_value = $3 AND number_value = $4::text::numeric
     AND event_entry.time >= $5 AND event_entry.time < $6";

/// Customers by the type of an event, in a window of time; `id > 0` is the condition of the index.
pub(super) const EVENTS_BY_TYPE: &str =
    "SELECT customer FROM event WHERE type = $1 AND time >= $2 AND time < $3 AND id > 0";

/// The same with the event's properties.
pub(super) const PROPERTIES_BY_TYPE: &str =
    "SELECT customer, properties FROM event WHERE type = $1 AND time >= $2 AND time < $3 AND id > 0";

/// Some customers, once an event of a type in a window of time.
pub(super) const EVENTS_OF_CUSTOMERS: &str = "SELECT customer FROM event
     WHERE customer = ANY ($1) AND type = $2 AND time >= $3 AND time < $4";

/// The same with the event's properties.
pub(super) const PROPERTIES_OF_CUSTOMERS: &str = "SELECT customer, properties FROM event
     WHERE customer = ANY ($1) AND type = $2 AND time >= $3 AND time < $4";

/// What is checked of some customers.
pub(super) const FACTS_BY_KEY: &str = "SELECT key, attributes, consents FROM customer WHERE key = ANY ($1)";

/// What is checked of every customer.
pub(super) const FACTS_OF_ALL: &str = "SELECT key, attributes, consents FROM customer";

/// The same with their ids.
pub(super) const FACTS_AND_IDS_BY_KEY: &str =
    "SELECT key, attributes, consents, registered, other_ids FROM customer WHERE key = ANY ($1)";

/// The same of every customer.
pub(super) const FACTS_AND_IDS_OF_ALL: &str =
    "SELECT key, attributes, consents, registered, other_ids FROM customer";

/// Customers by ids of a kind, which they have or had.
pub(super) const BY_ID: &str = "SELECT customer FROM identity WHERE id = ANY ($1) AND kind = $2";

/// Every key, by way of their index.
pub(super) const ALL_KEYS: &str = "SELECT key FROM customer";
