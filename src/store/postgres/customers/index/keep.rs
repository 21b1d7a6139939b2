//! The rows of side tables that a write brings along, column by column, as arrays are bound.

use super::entry::Columns;
use crate::domain::value::Members;
use crate::store::side_index::{EventPlace, SideIndex, attribute_changes, event_values};

/// Rows to put into, and to take from, the side table of attributes.
#[derive(Debug, Default)]
pub(in crate::store::postgres::customers) struct AttributeRows {
    /// Whose.
    pub customers: Vec<i64>,
    /// In which index.
    pub indexes: Vec<i64>,
    /// What, column by column.
    pub kinds: Vec<i16>,
    /// See [`Columns`].
    pub texts: Vec<String>,
    /// See [`Columns`].
    pub numbers: Vec<String>,
    /// Whose rows are taken away.
    pub gone_customers: Vec<i64>,
    /// From which index.
    pub gone_indexes: Vec<i64>,
}

impl AttributeRows {
    /// Keeps the attribute indexes over a change of one customer's attributes.
    pub(in crate::store::postgres::customers) fn changed(
        &mut self,
        indexes: &[SideIndex],
        customer: i64,
        before: &Members,
        after: &Members,
    ) {
        for (index, _, new) in attribute_changes(indexes, before, after) {
            match new {
                Some(value) => self.put(index.id, customer, Columns::of(value)),
                None if index.complete => {
                    self.gone_customers.push(customer);
                    self.gone_indexes.push(index.id);
                }
                // Who fills it may have read the attribute already and not have added it yet.
                None => self.put(index.id, customer, Columns::removed()),
            }
        }
    }

    /// Adds a row.
    pub(super) fn put(&mut self, index: i64, customer: i64, columns: Columns) {
        self.customers.push(customer);
        self.indexes.push(index);
        self.kinds.push(columns.kind);
        self.texts.push(columns.text);
        self.numbers.push(columns.number);
    }
}

/// Rows to put into the side table of events.
#[derive(Debug, Default)]
pub(in crate::store::postgres::customers) struct EventRows {
    /// In which index.
    pub indexes: Vec<i64>,
    /// What, column by column.
    pub kinds: Vec<i16>,
    /// See [`Columns`].
    pub texts: Vec<String>,
    /// See [`Columns`].
    pub numbers: Vec<String>,
    /// When.
    pub times: Vec<i64>,
    /// Whose.
    pub customers: Vec<i64>,
    /// Which.
    pub events: Vec<i64>,
}

impl EventRows {
    /// Keeps the property indexes of the event's type over a new event.
    pub(in crate::store::postgres::customers) fn added(
        &mut self,
        indexes: &[SideIndex],
        added_type: &str,
        place: EventPlace,
        properties: &Members,
    ) {
        for (index, value) in event_values(indexes, added_type, properties) {
            self.put(index.id, place, Columns::of(value));
        }
    }

    /// Adds a row.
    pub(super) fn put(&mut self, index: i64, place: EventPlace, columns: Columns) {
        self.indexes.push(index);
        self.kinds.push(columns.kind);
        self.texts.push(columns.text);
        self.numbers.push(columns.number);
        self.times.push(place.time);
        self.customers.push(place.customer);
        self.events.push(place.event);
    }
}
