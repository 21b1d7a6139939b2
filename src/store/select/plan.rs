//! The way from a selection to its customers, by the indexes that are complete.
//!
//! Deciding only: what is read, and in which order, is `narrow`'s.

use std::cell::Cell;
use std::sync::Arc;

use super::history::History;
use super::ranges::{Range, ranges};
use super::{Known, REGISTERED};
use crate::domain::selection::{Comparison, IndexNeed, Selection, Test};
use crate::domain::value::Value;

/// A way that reads no more than indexes lead to, and ends at exactly what its selection accepts.
#[derive(Debug)]
pub(super) enum Way<'a> {
    /// Nobody can be selected.
    Nowhere,
    /// By an attribute's index.
    Attribute(AttributeLookup),
    /// By ids.
    Ids(IdLookup),
    /// By events.
    History(Box<History>),
    /// By all of several ways.
    Union(Vec<Way<'a>>),
    /// By the shortest of several ways; the other parts narrow what it leads to.
    Narrow(Narrow<'a>),
}

/// Parts of one attribute's index.
#[derive(Debug)]
pub(super) struct AttributeLookup {
    /// The index's number.
    pub index: i64,
    /// What a person calls the attribute, `customer.address.city`.
    pub name: String,
    /// The parts.
    pub ranges: Vec<Range>,
}

/// Ids of one kind.
#[derive(Debug)]
pub(super) struct IdLookup {
    /// The kind, `registered`.
    pub kind: String,
    /// The ids, in order.
    pub ids: Vec<Arc<str>>,
}

/// Parts that all must hold.
#[derive(Debug)]
pub(super) struct Narrow<'a> {
    /// The parts; at least one has a way.
    pub parts: Vec<Part<'a>>,
    /// The part that was the shortest way, once it was gone.
    pub taken: Cell<Option<usize>>,
}

/// One part of a condition.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// What must hold.
    pub selection: &'a Selection,
    /// The way to it, if there is one.
    pub way: Option<Way<'a>>,
    /// Whether the way ends at exactly what must hold.
    pub exact: bool,
}

/// Why there is no way but through every customer.
pub(super) type Reason = String;

/// What ways are made of.
pub(super) struct Planner<'a> {
    /// What the snapshot says of itself.
    pub known: &'a Known,
}

impl Planner<'_> {
    /// The way to a selection, or why there is none.
    pub(super) fn way<'a>(&self, selection: &'a Selection) -> Result<Way<'a>, Reason> {
        match selection {
            Selection::Nobody => Ok(Way::Nowhere),
            Selection::Everyone => Err("what decides is computed in process".into()),
            Selection::All(parts) => self.narrow(parts),
            Selection::Any(parts) => self.union(parts),
            Selection::Attribute { path, test } => self.attribute(selection, path, test),
            Selection::Id { kind, test } => by_ids(selection, kind, test),
            Selection::Consent { category, .. } => Err(format!("consents.{category} has no index")),
            Selection::Events(wanted) => {
                let history = History::new(self.known, wanted);
                if history.accepts(0) {
                    Err(format!("customers without events({:?}) are selected too", wanted.event_type))
                } else {
                    Ok(Way::History(Box::new(history)))
                }
            }
        }
    }

    fn attribute<'a>(
        &self,
        selection: &'a Selection,
        path: &[String],
        test: &Test,
    ) -> Result<Way<'a>, Reason> {
        let name = format!("customer.{}", path.join("."));
        let Some(ranges) = ranges(test, self.known.text_chars_max) else {
            return Err(format!("customers without {name} are selected too"));
        };
        if ranges.ranges.is_empty() {
            return Ok(Way::Nowhere);
        }
        let need = IndexNeed::Attribute { path: path.to_vec() };
        match self.known.indexes.iter().find(|index| index.need == need) {
            None => Err(format!("{name} has no index")),
            Some(index) if !index.complete => Err(format!("the index on {name} is being filled")),
            Some(index) => {
                let way = Way::Attribute(AttributeLookup { index: index.id, name, ranges: ranges.ranges });
                Ok(if ranges.exact { way } else { checked(selection, way) })
            }
        }
    }

    fn union<'a>(&self, parts: &'a [Selection]) -> Result<Way<'a>, Reason> {
        let mut ways = Vec::with_capacity(parts.len());
        for part in parts {
            match self.way(part)? {
                Way::Nowhere => {}
                way => ways.push(way),
            }
        }
        Ok(match ways.len() {
            0 => Way::Nowhere,
            1 => ways.remove(0),
            _ => Way::Union(ways),
        })
    }

    fn narrow<'a>(&self, selections: &'a [Selection]) -> Result<Way<'a>, Reason> {
        let mut parts = Vec::with_capacity(selections.len());
        let mut reasons = Vec::new();
        for selection in selections.iter().filter(|selection| **selection != Selection::Everyone) {
            let way = match self.way(selection) {
                Ok(Way::Nowhere) => return Ok(Way::Nowhere),
                Ok(way) => Some(way),
                Err(reason) => {
                    reasons.push(reason);
                    None
                }
            };
            parts.push(Part { selection, way, exact: true });
        }
        if parts.is_empty() {
            return self.way(&Selection::Everyone);
        }
        if parts.iter().all(|part| part.way.is_none()) {
            reasons.dedup();
            return Err(reasons.join(", and "));
        }
        Ok(Way::Narrow(Narrow { parts, taken: Cell::new(None) }))
    }
}

/// The way by ids that are named. Who had such an id once and has another now is found, too.
fn by_ids<'a>(selection: &'a Selection, kind: &str, test: &Test) -> Result<Way<'a>, Reason> {
    let values = match test {
        Test::Compare(Comparison::Equal, value) => std::slice::from_ref(value),
        Test::OneOf(values) => values,
        _ => return Err(format!("ids.{kind} leads to customers by == and in only")),
    };
    let texts = values.iter().filter_map(|value| match value {
        Value::Text(text) => Some(Arc::clone(text)),
        _ => None,
    });
    let mut ids: Vec<Arc<str>> = texts.collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Way::Nowhere);
    }
    let way = Way::Ids(IdLookup { kind: kind.to_owned(), ids });
    Ok(if kind == REGISTERED { way } else { checked(selection, way) })
}

/// A way that leads to more than its selection accepts, with the check that makes it exact.
fn checked<'a>(selection: &'a Selection, way: Way<'a>) -> Way<'a> {
    let parts = vec![Part { selection, way: Some(way), exact: false }];
    Way::Narrow(Narrow { parts, taken: Cell::new(None) })
}
