//! Counts a customer's matching events: from an index over all customers, or one customer at a time.

use rusqlite::Connection;

use super::super::events::{microseconds, type_number};
use super::super::index::entry::{Entry, kind_number};
use super::super::index::registry::SideIndex;
use super::super::pick::Paths;
use super::statements::{
    COUNT_OF_CUSTOMER, EVENTS_BY_PROPERTY, EVENTS_BY_TYPE, PROPERTIES, PROPERTIES_OF_CUSTOMER,
};
use super::{Budget, Found, keys};
use crate::domain::selection::{Comparison, EventCount, IndexNeed};
use crate::domain::value::Value;

/// A count of events, with everything settled that the store knows.
#[derive(Debug)]
pub(super) struct History {
    /// The type's number; none if no event of that type ever occurred.
    event_type: Option<i64>,
    /// The window in UTC microseconds, [from, before).
    from: i64,
    before: i64,
    /// The property to start from, where there is an index.
    start: Option<(i64, Value, String)>,
    /// What else must be equal, after `start`, and where it is read to.
    others: Vec<Value>,
    other_paths: Paths,
    /// All properties, for counting one customer's.
    all: Vec<Value>,
    all_paths: Paths,
    comparison: Comparison,
    count: i64,
    name: String,
}

impl History {
    /// Settles the type's number and the index to start from.
    pub(super) fn new(
        connection: &Connection,
        indexes: &[SideIndex],
        wanted: &EventCount,
    ) -> rusqlite::Result<Self> {
        let index = |property: &str| {
            let need = IndexNeed::EventProperty {
                event_type: wanted.event_type.clone(),
                property: property.to_owned(),
            };
            indexes.iter().find(|index| index.complete && index.need == need).map(|index| index.id)
        };
        let start_at = wanted.properties.iter().enumerate().find_map(|(place, (name, value))| {
            is_found_by_index(value).then(|| index(name)).flatten().map(|id| (place, id))
        });
        let start = start_at.map(|(place, id)| {
            let (name, value) = &wanted.properties[place];
            (id, value.clone(), name.clone())
        });
        let is_other = |place: &usize| start_at.is_none_or(|(start, _)| start != *place);
        let others: Vec<_> =
            (0..wanted.properties.len()).filter(is_other).map(|place| &wanted.properties[place]).collect();
        let paths = |names: &mut dyn Iterator<Item = &String>| {
            let mut paths = Paths::default();
            for name in names {
                paths.add(std::slice::from_ref(name));
            }
            paths
        };
        Ok(History {
            event_type: type_number(connection, &wanted.event_type)?,
            from: wanted.from.map_or(i64::MIN, rounded_up),
            before: wanted.before.map_or(i64::MAX, rounded_up),
            other_paths: paths(&mut others.iter().map(|(name, _)| name)),
            others: others.into_iter().map(|(_, value)| value.clone()).collect(),
            all_paths: paths(&mut wanted.properties.iter().map(|(name, _)| name)),
            all: wanted.properties.iter().map(|(_, value)| value.clone()).collect(),
            start,
            comparison: wanted.comparison,
            count: wanted.count,
            name: wanted.event_type.clone(),
        })
    }

    /// Whether a customer with this many matching events is selected.
    pub(super) fn accepts(&self, count: i64) -> bool {
        self.comparison.accepts(count.cmp(&self.count))
    }

    /// Reads the keys of customers that are selected, in order; none if that exceeds the budget. Only of use where
    /// a customer without such events is not selected.
    pub(super) fn keys(&self, connection: &Connection, budget: Budget) -> Found<Vec<i64>> {
        let Some(counts) = self.counts(connection, budget)? else { return Ok(None) };
        Ok(Some(counts.into_iter().filter(|(_, count)| self.accepts(*count)).map(|(key, _)| key).collect()))
    }

    /// Counts the matching events of every customer who has one; none if that exceeds the budget.
    pub(super) fn counts(&self, connection: &Connection, budget: Budget) -> Found<Vec<(i64, i64)>> {
        let Some(event_type) = self.event_type else { return Ok(Some(Vec::new())) };
        let mut statement;
        let mut rows = match &self.start {
            Some((index, value, _)) => {
                statement = connection.prepare_cached(EVENTS_BY_PROPERTY)?;
                let kind = kind_number(value.kind());
                statement.query((index, kind, Entry::of(value), self.from, self.before))?
            }
            None => {
                statement = connection.prepare_cached(EVENTS_BY_TYPE)?;
                statement.query((event_type, self.from, self.before))?
            }
        };
        let (mut customers, mut read) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            read += 1;
            if read > budget.0 {
                return Ok(None);
            }
            if self.others_match(connection, row.get(1)?)? {
                customers.push(row.get(0)?);
            }
        }
        Ok(Some(keys::occurrences(customers)))
    }

    fn others_match(&self, connection: &Connection, event: i64) -> rusqlite::Result<bool> {
        if self.others.is_empty() {
            return Ok(true);
        }
        let mut statement = connection.prepare_cached(PROPERTIES)?;
        statement.query_row([event], |row| equal(&self.other_paths, &self.others, row.get_ref(0)?.as_str()?))
    }

    /// Whether one customer's matching events are as many as asked for.
    pub(super) fn holds(&self, connection: &Connection, customer: i64) -> rusqlite::Result<bool> {
        let Some(event_type) = self.event_type else { return Ok(self.accepts(0)) };
        let window = (customer, event_type, self.from, self.before);
        if self.all.is_empty() {
            let mut statement = connection.prepare_cached(COUNT_OF_CUSTOMER)?;
            return Ok(self.accepts(statement.query_row(window, |row| row.get(0))?));
        }
        let mut statement = connection.prepare_cached(PROPERTIES_OF_CUSTOMER)?;
        let mut rows = statement.query(window)?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += i64::from(equal(&self.all_paths, &self.all, row.get_ref(0)?.as_str()?)?);
        }
        Ok(self.accepts(count))
    }

    /// What a person reads: the index it starts from.
    pub(super) fn words(&self) -> String {
        match &self.start {
            Some((_, _, property)) => format!("index on events({:?}).{property}", self.name),
            None => format!("the times of events({:?})", self.name),
        }
    }
}

/// Lists and objects stand in an index without their content.
fn is_found_by_index(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Object(_))
}

fn equal(paths: &Paths, wanted: &[Value], properties: &str) -> rusqlite::Result<bool> {
    let found = paths.read(properties)?;
    Ok(found.iter().zip(wanted).all(|(found, wanted)| found.as_ref() == Some(wanted)))
}

/// The first whole microsecond that is not before a moment: events stand at whole ones.
fn rounded_up(moment: jiff::Timestamp) -> i64 {
    let down = microseconds(moment);
    down + i64::from(i128::from(down) * 1_000 < moment.as_nanosecond())
}
