//! Checks on candidates what no index answered: reads what is needed of each customer and decides exactly.
//!
//! The same `Test::accepts` that defines a selection decides here, so that no second reading can differ.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::Connection;

use super::super::index::registry::SideIndex;
use super::super::pick::Paths;
use super::history::History;
use crate::domain::selection::{ConsentStates, Selection, Test};
use crate::domain::value::{Number, Value};

/// A selection, ready to be checked on many customers.
#[derive(Debug)]
pub(super) struct Check {
    condition: Condition,
    /// The attributes it reads.
    pub(super) attributes: Paths,
    /// The consents it reads.
    pub(super) consents: Vec<String>,
    /// The histories it counts.
    pub(super) histories: Vec<History>,
}

/// What was read of one customer, each value in its place.
pub(super) struct Facts {
    /// Attributes.
    pub attributes: Vec<Option<Value>>,
    /// Consents.
    pub consents: Vec<Option<bool>>,
}

#[derive(Debug)]
enum Condition {
    Always,
    Never,
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Attribute(usize, Decision),
    Consent(usize, ConsentStates),
    History(usize),
}

/// A test, with long lists brought into an order that is searched quickly.
#[derive(Debug)]
enum Decision {
    Plain(Test),
    Among(Members),
    NotAmong(Members),
}

/// The values of a list, by kind.
#[derive(Debug)]
struct Members {
    texts: HashSet<Arc<str>>,
    numbers: Vec<Number>,
    others: Vec<Value>,
}

impl Check {
    /// Prepares the check that every one of these holds.
    pub(super) fn new(
        connection: &Connection,
        indexes: &[SideIndex],
        selections: &[&Selection],
    ) -> rusqlite::Result<Self> {
        let mut check = Check {
            condition: Condition::Always,
            attributes: Paths::default(),
            consents: Vec::new(),
            histories: Vec::new(),
        };
        let mut all = Vec::with_capacity(selections.len());
        for selection in selections {
            all.push(check.prepare(connection, indexes, selection)?);
        }
        check.condition = every(all);
        Ok(check)
    }

    /// Whether nothing needs to be checked.
    pub(super) fn is_always(&self) -> bool {
        matches!(self.condition, Condition::Always)
    }

    /// Whether attributes or consents are read.
    pub(super) fn reads_customers(&self) -> bool {
        !self.attributes.is_empty() || !self.consents.is_empty()
    }

    /// Decides; `history` answers for the history at a place, and is asked last.
    pub(super) fn holds(
        &self,
        facts: &Facts,
        history: &mut dyn FnMut(usize) -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<bool> {
        holds(&self.condition, facts, history)
    }

    fn prepare(
        &mut self,
        connection: &Connection,
        indexes: &[SideIndex],
        selection: &Selection,
    ) -> rusqlite::Result<Condition> {
        Ok(match selection {
            Selection::Everyone => Condition::Always,
            Selection::Nobody => Condition::Never,
            Selection::All(parts) => every(self.prepare_all(connection, indexes, parts)?),
            Selection::Any(parts) => some(self.prepare_all(connection, indexes, parts)?),
            Selection::Attribute { path, test } => {
                Condition::Attribute(self.attributes.add(path), decision(test))
            }
            Selection::Consent { category, accepted } => {
                self.consents.push(category.clone());
                Condition::Consent(self.consents.len() - 1, *accepted)
            }
            Selection::Events(wanted) => {
                self.histories.push(History::new(connection, indexes, wanted)?);
                Condition::History(self.histories.len() - 1)
            }
        })
    }

    fn prepare_all(
        &mut self,
        connection: &Connection,
        indexes: &[SideIndex],
        parts: &[Selection],
    ) -> rusqlite::Result<Vec<Condition>> {
        parts.iter().map(|part| self.prepare(connection, indexes, part)).collect()
    }
}

fn every(mut parts: Vec<Condition>) -> Condition {
    parts.retain(|part| !matches!(part, Condition::Always));
    parts.sort_by_key(cost);
    match parts.first() {
        None => Condition::Always,
        _ if parts.iter().any(|part| matches!(part, Condition::Never)) => Condition::Never,
        _ => Condition::All(parts),
    }
}

fn some(mut parts: Vec<Condition>) -> Condition {
    parts.retain(|part| !matches!(part, Condition::Never));
    parts.sort_by_key(cost);
    match parts.first() {
        None => Condition::Never,
        _ if parts.iter().any(|part| matches!(part, Condition::Always)) => Condition::Always,
        _ => Condition::Any(parts),
    }
}

/// Cheap parts are asked first; histories cost a look into another table.
fn cost(condition: &Condition) -> usize {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(cost).max().unwrap_or(0),
        Condition::History(_) => 1,
        _ => 0,
    }
}

fn holds(
    condition: &Condition,
    facts: &Facts,
    history: &mut dyn FnMut(usize) -> rusqlite::Result<bool>,
) -> rusqlite::Result<bool> {
    Ok(match condition {
        Condition::Always => true,
        Condition::Never => false,
        Condition::All(parts) => {
            for part in parts {
                if !holds(part, facts, history)? {
                    return Ok(false);
                }
            }
            true
        }
        Condition::Any(parts) => {
            for part in parts {
                if holds(part, facts, history)? {
                    return Ok(true);
                }
            }
            false
        }
        Condition::Attribute(place, decision) => decision.accepts(facts.attributes[*place].as_ref()),
        Condition::Consent(place, accepted) => accepted.accepts(facts.consents[*place]),
        Condition::History(place) => history(*place)?,
    })
}

fn decision(test: &Test) -> Decision {
    match test {
        Test::OneOf(values) => Decision::Among(Members::new(values)),
        Test::NoneOf(values) => Decision::NotAmong(Members::new(values)),
        other => Decision::Plain(other.clone()),
    }
}

impl Decision {
    fn accepts(&self, value: Option<&Value>) -> bool {
        match self {
            Decision::Plain(test) => test.accepts(value),
            Decision::Among(members) => value.is_some_and(|value| members.contain(value)),
            Decision::NotAmong(members) => value.is_some_and(|value| !members.contain(value)),
        }
    }
}

impl Members {
    fn new(values: &[Value]) -> Self {
        let mut members = Members { texts: HashSet::new(), numbers: Vec::new(), others: Vec::new() };
        for value in values {
            match value {
                Value::Text(text) => drop(members.texts.insert(text.clone())),
                Value::Number(number) => members.numbers.push(*number),
                other => members.others.push(other.clone()),
            }
        }
        members.numbers.sort_unstable();
        members
    }

    fn contain(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => self.texts.contains(text),
            Value::Number(number) => self.numbers.binary_search(number).is_ok(),
            other => self.others.contains(other),
        }
    }
}
