//! A count of events, with everything settled that the snapshot knows: the index to start from, and what is left
//! to be compared.

use jiff::Timestamp;

use super::Known;
use crate::domain::selection::{Comparison, EventCount, IndexNeed};
use crate::domain::value::Value;
use crate::store::customers::microseconds;
use crate::store::json_projection::JsonProjection;
use crate::store::side_index::{Entry, kind_number};

/// A count of events, ready to be read.
#[derive(Debug)]
pub(in crate::store) struct History {
    /// The type's number; none if no event of that type ever occurred.
    pub event_type: Option<i64>,
    /// The window in UTC microseconds, [from, before).
    pub from: i64,
    /// The window's end.
    pub before: i64,
    /// The property to start from, where there is an index.
    pub start: Option<Start>,
    /// What else must be equal, after `start`.
    pub others: Wanted,
    /// All properties, for counting one customer's.
    pub all: Wanted,
    comparison: Comparison,
    count: i64,
    name: String,
}

/// A value in the index of a property.
#[derive(Debug)]
pub(in crate::store) struct Start {
    /// The index's number.
    pub index: i64,
    /// The value's kind.
    pub kind: i64,
    /// The value.
    pub entry: Entry,
    property: String,
}

/// Properties that must be there and be equal.
#[derive(Debug)]
pub(in crate::store) struct Wanted {
    values: Vec<Value>,
    paths: JsonProjection,
}

impl History {
    /// Settles the type's number and the index to start from.
    pub(super) fn new(known: &Known, wanted: &EventCount) -> Self {
        let start = wanted.properties.iter().enumerate().find_map(|(place, (property, value))| {
            let index =
                is_found_by_index(known, value).then(|| index_on(known, wanted, property)).flatten()?;
            let (kind, entry) = (kind_number(value.kind()), Entry::of(value));
            Some((place, Start { index, kind, entry, property: property.clone() }))
        });
        let (start_at, start) = start.unzip();
        let properties = wanted.properties.iter();
        let others = properties.enumerate().filter(|(place, _)| start_at != Some(*place));
        History {
            event_type: known.types.get(&wanted.event_type).copied(),
            from: wanted.from.map_or(i64::MIN, rounded_up),
            before: wanted.before.map_or(i64::MAX, rounded_up),
            start,
            others: Wanted::new(others.map(|(_, property)| property)),
            all: Wanted::new(wanted.properties.iter()),
            comparison: wanted.comparison,
            count: wanted.count,
            name: wanted.event_type.clone(),
        }
    }

    /// Whether a customer with this many matching events is selected.
    pub(in crate::store) fn accepts(&self, count: i64) -> bool {
        self.comparison.accepts(count.cmp(&self.count))
    }

    /// What a person reads: the index it starts from.
    pub(super) fn words(&self) -> String {
        match &self.start {
            Some(start) => format!("index on events({:?}).{}", self.name, start.property),
            None => format!("the times of events({:?})", self.name),
        }
    }
}

impl Wanted {
    fn new<'a>(properties: impl Iterator<Item = &'a (String, Value)>) -> Self {
        let mut wanted = Wanted { values: Vec::new(), paths: JsonProjection::default() };
        for (name, value) in properties {
            wanted.paths.add(std::slice::from_ref(name));
            wanted.values.push(value.clone());
        }
        wanted
    }

    /// Whether nothing must be equal.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether an event's properties are as wanted.
    pub(in crate::store) fn equal(&self, properties: &str) -> serde_json::Result<bool> {
        let found = self.paths.read(properties)?;
        Ok(found.iter().zip(&self.values).all(|(found, wanted)| found.as_ref() == Some(wanted)))
    }
}

fn index_on(known: &Known, wanted: &EventCount, property: &str) -> Option<i64> {
    let need =
        IndexNeed::EventProperty { event_type: wanted.event_type.clone(), property: property.to_owned() };
    known.indexes.iter().find(|index| index.complete && index.need == need).map(|index| index.id)
}

/// Lists and objects stand in an index without their content, and long texts with their beginning.
fn is_found_by_index(known: &Known, value: &Value) -> bool {
    match value {
        Value::List(_) | Value::Object(_) => false,
        Value::Text(text) => known.text_chars_max.is_none_or(|most| text.chars().nth(most - 1).is_none()),
        _ => true,
    }
}

/// The first whole microsecond that is not before a moment: events stand at whole ones.
fn rounded_up(moment: Timestamp) -> i64 {
    let down = microseconds(moment);
    down + i64::from(i128::from(down) * 1_000 < moment.as_nanosecond())
}
