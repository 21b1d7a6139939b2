//! Customers and their events: what is written by a CRM, and read by audiences and journeys.
//!
//! The runtime and `track` know this trait; a database implements it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::domain::customer::{Customer, CustomerKey, Event, EventNeeds};
use crate::domain::render::AttributesSeen;
use crate::domain::value::{Changes, Members};

/// One line that creates or changes a customer. Attributes and consents not named stay as they are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CustomerWrite {
    /// The id a CRM knows the customer by; case-sensitive.
    pub registered: String,
    /// Further ids by kind; kept beside those already there.
    pub other_ids: BTreeMap<String, String>,
    /// New values by name; `None` removes the attribute. An object replaces the one that was there.
    pub attributes: Changes<String>,
    /// New parts of attributes that are objects, by their path from the attribute's name on; `None` removes the part. The
    /// other parts stay as they are. What is no object on the way becomes one.
    pub parts: Changes<Vec<String>>,
    /// Consents given (true) or withdrawn (false) by category; `None` forgets what was recorded.
    pub consents: BTreeMap<String, Option<bool>>,
}

/// One line that adds an event. A customer not known yet is created with its ids and nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct EventWrite {
    /// The id a CRM knows the customer by; case-sensitive.
    pub registered: String,
    /// Further ids by kind; kept beside those already there.
    pub other_ids: BTreeMap<String, String>,
    /// What happened, `policy_purchased`.
    pub event_type: String,
    /// When; kept to the microsecond, rounded down.
    pub timestamp: Timestamp,
    /// Properties by name.
    pub properties: Members,
}

/// Why one line was not kept; its neighbours were.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineRefused {
    /// Customers are never merged by a write: an id stays with the customer it was given to.
    #[error("the id {id:?} of kind {kind:?} belongs to customer {owner:?}; remove it from this line")]
    IdTaken {
        /// The kind of id.
        kind: String,
        /// The id.
        id: String,
        /// The `registered` id of the customer who has it.
        owner: String,
    },
    /// What a customer is after this line, or an event is, would be larger than one may be.
    #[error("the line would make a document of {bytes} bytes; {DOCUMENT_BYTES_MAX} is the most")]
    TooLarge {
        /// What it would be.
        bytes: usize,
    },
}

/// The most that a customer's attributes, or an event's properties, may take as JSON.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

impl LineRefused {
    /// Refuses a document that is too large.
    ///
    /// # Errors
    /// It is.
    pub fn check_size(document: &str) -> Result<(), Self> {
        match document.len() {
            bytes if bytes > DOCUMENT_BYTES_MAX => Err(LineRefused::TooLarge { bytes }),
            _ => Ok(()),
        }
    }
}

/// UTC microseconds, rounded down: how a time is kept.
pub(super) fn microseconds(timestamp: Timestamp) -> i64 {
    let rounded = timestamp.as_nanosecond().div_euclid(1_000);
    i64::try_from(rounded).expect("the years of a timestamp fit 64 bits of microseconds")
}

/// How many bytes of properties the newest events of a customer may have.
pub const LATEST_BYTES_MAX: usize = 1024 * 1024;

/// The newest events of a customer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LatestEvents {
    /// The newest first.
    pub events: Vec<Event>,
    /// Whether there are older ones.
    pub has_older: bool,
}

/// What became of one line.
pub type LineResult = Result<CustomerKey, LineRefused>;

/// Where customers and their events are kept.
#[async_trait]
pub trait Customers: Send + Sync {
    /// Creates or changes customers, line by line, in one commit. A line is kept whole or not at all.
    ///
    /// # Errors
    /// The store failed; then no line was kept.
    async fn upsert_customers(&self, lines: Vec<CustomerWrite>) -> Result<Vec<LineResult>, StoreError>;

    /// Adds events, line by line, in one commit.
    ///
    /// # Errors
    /// The store failed; then no line was kept.
    async fn insert_events(&self, lines: Vec<EventWrite>) -> Result<Vec<LineResult>, StoreError>;

    /// Reads customers with the events asked for, in the order of `keys`, which must not repeat
    /// themselves; keys without a customer are left out.
    ///
    /// # Errors
    /// The store failed.
    async fn load(&self, keys: &[CustomerKey], needs: &EventNeeds) -> Result<Vec<Customer>, StoreError>;

    /// The newest events of a customer, of all types, the newest first: at most `limit`, and none behind the one by
    /// which their properties have [`LATEST_BYTES_MAX`].
    ///
    /// # Errors
    /// The store failed.
    async fn latest_events(&self, customer: CustomerKey, limit: u32) -> Result<LatestEvents, StoreError>;

    /// The key of the customer with this `registered` id.
    ///
    /// # Errors
    /// The store failed.
    async fn find(&self, registered: &str) -> Result<Option<CustomerKey>, StoreError>;

    /// The event types that occur, in order; bounded by how many a CRM invents.
    ///
    /// # Errors
    /// The store failed.
    async fn event_types(&self) -> Result<BTreeSet<String>, StoreError>;

    /// What some customers have as attributes: those that came last, and those that came first. Bounded, whatever the base
    /// is.
    ///
    /// # Errors
    /// The store failed.
    async fn attributes_seen(&self) -> Result<AttributesSeen, StoreError>;

    /// How many customers there are.
    ///
    /// # Errors
    /// The store failed.
    async fn count_customers(&self) -> Result<u64, StoreError>;
}
