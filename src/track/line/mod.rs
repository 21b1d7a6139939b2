//! One line in: a customer's change or an event, checked so that the store can keep it.
//!
//! A line is `{"ids": {"registered": "ann"}, "attributes": {…}, "consents": {…}}` or
//! `{"ids": {…}, "type": "policy_purchased", "timestamp": …, "properties": {…}}`.
//!
//! White space around a name, an id or an address says nothing and is taken off: two customers would look the same, and a
//! mail server would refuse the address.

mod customer;
mod event;
mod fields;
mod scoped;

pub(super) use customer::put;
pub use customer::{customer, customer_to_json};
pub use event::{event, event_to_json};
pub(super) use fields::trimmed;
pub use scoped::{scoped_customer, scoped_event};

use crate::domain::credentials::ProofError;
use crate::domain::value::Unkeepable;

/// The longest name of an attribute, a property, an id's kind, a category or an event type, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// The longest id, in bytes.
pub const ID_BYTES_MAX: usize = 1024;

/// What is wrong with a line, named so that its sender can put it right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It is not JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// It is JSON, but no object.
    #[error("expected an object such as {{\"ids\": {{\"registered\": \"ann\"}}}}")]
    NotAnObject,
    /// A field that no line has.
    #[error("unknown field {name:?}; a line has {known}")]
    UnknownField {
        /// The field.
        name: String,
        /// The fields there are.
        known: &'static str,
    },
    /// No customer is named.
    #[error("ids.registered is missing; it is the id that names the customer")]
    NotRegistered,
    /// Something of another kind than expected.
    #[error("{place} must be {expected}")]
    Expected {
        /// Where.
        place: String,
        /// What is expected, with its article.
        expected: &'static str,
    },
    /// A name or an id that is empty or too long.
    #[error("{place} is empty or longer than {bytes_max} bytes")]
    Length {
        /// Where.
        place: String,
        /// The most bytes.
        bytes_max: usize,
    },
    /// Something that the key may not write.
    #[error("this key may not write {0}; its ApiKey lists under spec.track what it may")]
    NotListed(String),
    /// The customer is not proven.
    #[error(transparent)]
    Unproven(#[from] ProofError),
    /// A value that no database keeps.
    #[error("{0}")]
    Unkeepable(#[from] Unkeepable),
    /// A CSV line that is not one.
    #[error("not a line of this CSV file: {0}")]
    NotCsv(String),
    /// A CSV cell that is not of its column's type.
    #[error("{column} is `{cell}`; expected {expected}")]
    Cell {
        /// The column's header.
        column: String,
        /// What stands there.
        cell: String,
        /// What is expected there, with its article.
        expected: &'static str,
    },
    /// One name, written once with white space around it and once without.
    #[error("{place} is there twice, once with white space around its name")]
    Twice {
        /// Where.
        place: String,
    },
    /// An attribute that is to be replaced and to be changed.
    #[error("attributes.{name} and merge.{name} are both there; leave one of them out")]
    Both {
        /// The attribute.
        name: String,
    },
}
