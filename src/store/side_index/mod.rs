//! Side tables, as both databases have them: what each is on, how far it is, and how a value stands in one.

mod entry;

pub(super) use entry::{Entry, kind_number};

use serde::{Deserialize, Serialize};

use super::json_projection::at_path;
use crate::domain::selection::IndexNeed;
use crate::domain::value::{Members, Value};

/// A side index that every write keeps.
#[derive(Debug, Clone)]
pub(super) struct SideIndex {
    /// Its number in the side tables.
    pub id: i64,
    /// What it is on.
    pub need: IndexNeed,
    /// Whether selections may use it.
    pub complete: bool,
    /// What it already holds, up to this key.
    pub filled_to: i64,
    /// Whether a scenario needs it.
    pub needed: bool,
}

/// An event's place in its side tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventPlace {
    /// Whose.
    pub customer: i64,
    /// When, in UTC microseconds.
    pub time: i64,
    /// Which.
    pub event: i64,
}

/// An index's definition as the database holds it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Definition {
    Attribute(Vec<String>),
    EventProperty(String, String),
}

/// The definition as the database holds it.
pub(super) fn definition(need: &IndexNeed) -> String {
    let definition = match need {
        IndexNeed::Attribute { path } => Definition::Attribute(path.clone()),
        IndexNeed::EventProperty { event_type, property } => {
            Definition::EventProperty(event_type.clone(), property.clone())
        }
    };
    serde_json::to_string(&definition).expect("lists of texts can be written as JSON")
}

/// Reads a definition.
pub(super) fn need_of(definition: &str) -> serde_json::Result<IndexNeed> {
    Ok(match serde_json::from_str(definition)? {
        Definition::Attribute(path) => IndexNeed::Attribute { path },
        Definition::EventProperty(event_type, property) => IndexNeed::EventProperty { event_type, property },
    })
}

/// What a change of one customer's attributes changes in the indexes: of each, the value before and after.
pub(super) fn attribute_changes<'a>(
    indexes: &'a [SideIndex],
    before: &'a Members,
    after: &'a Members,
) -> impl Iterator<Item = (&'a SideIndex, Option<&'a Value>, Option<&'a Value>)> {
    indexes.iter().filter_map(move |index| {
        let IndexNeed::Attribute { path } = &index.need else { return None };
        let (old, new) = (at_path(before, path), at_path(after, path));
        (old != new).then_some((index, old, new))
    })
}

/// The indexes that a new event stands in, with its value in each.
pub(super) fn event_values<'a>(
    indexes: &'a [SideIndex],
    added_type: &'a str,
    properties: &'a Members,
) -> impl Iterator<Item = (&'a SideIndex, &'a Value)> {
    indexes.iter().filter_map(move |index| {
        let IndexNeed::EventProperty { event_type, property } = &index.need else { return None };
        Some((index, properties.get(property).filter(|_| event_type == added_type)?))
    })
}
