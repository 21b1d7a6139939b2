//! Checks on candidates what no index answered: reads what is needed of each customer and decides exactly.
//!
//! The same `Test::accepts` that defines a selection decides here, so that no second reading can differ.

use std::collections::HashSet;
use std::sync::Arc;

use super::history::History;
use super::{Known, REGISTERED};
use crate::domain::selection::{ConsentStates, Selection, Test};
use crate::domain::value::{Number, Value};
use crate::store::documents::decode_plain;
use crate::store::json_projection::JsonProjection;

/// A selection, ready to be checked on many customers.
#[derive(Debug)]
pub(in crate::store) struct Check {
    condition: Condition,
    attributes: JsonProjection,
    ids: Vec<String>,
    consents: Vec<String>,
    /// The histories it counts.
    pub(in crate::store) histories: Vec<History>,
}

/// What was read of one customer, each value in its place.
#[derive(Debug, Default)]
pub(in crate::store) struct Facts {
    attributes: Vec<Option<Value>>,
    ids: Vec<Option<Value>>,
    consents: Vec<Option<bool>>,
}

/// A customer's ids, as they are kept.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct IdsKept<'a> {
    /// The id a CRM knows the customer by.
    pub registered: &'a str,
    /// The others: JSON by kind.
    pub others: &'a str,
}

#[derive(Debug)]
enum Condition {
    Always,
    Never,
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Attribute(usize, Decision),
    Id(usize, Decision),
    Consent(usize, ConsentStates),
    History(usize),
}

/// A test, with long lists brought into an order that is searched quickly.
#[derive(Debug)]
enum Decision {
    Plain(Test),
    Among(ValueSet),
    NotAmong(ValueSet),
}

/// The values of a list, by kind.
#[derive(Debug)]
struct ValueSet {
    texts: HashSet<Arc<str>>,
    numbers: Vec<Number>,
    others: Vec<Value>,
}

impl Check {
    /// Prepares the check that every one of these holds.
    pub(super) fn new(known: &Known, selections: &[&Selection]) -> Self {
        let mut check = Check {
            condition: Condition::Always,
            attributes: JsonProjection::default(),
            ids: Vec::new(),
            consents: Vec::new(),
            histories: Vec::new(),
        };
        let all = selections.iter().map(|selection| check.prepare(known, selection)).collect();
        check.condition = every(all);
        check
    }

    /// Whether nothing needs to be checked.
    pub(in crate::store) fn is_always(&self) -> bool {
        matches!(self.condition, Condition::Always)
    }

    /// Whether attributes, ids or consents are read.
    pub(in crate::store) fn reads_customers(&self) -> bool {
        !self.attributes.is_empty() || !self.consents.is_empty() || self.reads_ids()
    }

    /// Whether ids are read.
    pub(in crate::store) fn reads_ids(&self) -> bool {
        !self.ids.is_empty()
    }

    /// Reads of a customer's documents what is checked.
    pub(in crate::store) fn facts(
        &self,
        attributes: &str,
        consents: &str,
        ids: Option<IdsKept<'_>>,
    ) -> serde_json::Result<Facts> {
        let mut facts = Facts::default();
        if let Some(ids) = ids {
            let others = decode_plain::<String>(ids.others)?;
            facts.ids.extend(self.ids.iter().map(|kind| match kind.as_str() {
                REGISTERED => Some(Value::text(ids.registered)),
                kind => others.get(kind).map(|id| Value::text(id.as_str())),
            }));
        }
        if !self.attributes.is_empty() {
            facts.attributes = self.attributes.read(attributes)?;
        }
        if !self.consents.is_empty() {
            let recorded = decode_plain::<bool>(consents)?;
            facts.consents.extend(self.consents.iter().map(|category| recorded.get(category).copied()));
        }
        Ok(facts)
    }

    /// Decides; `history` answers for the history at a place, and is asked last.
    pub(in crate::store) fn holds<E>(
        &self,
        facts: &Facts,
        history: &mut dyn FnMut(usize) -> Result<bool, E>,
    ) -> Result<bool, E> {
        holds(&self.condition, facts, history)
    }

    fn prepare(&mut self, known: &Known, selection: &Selection) -> Condition {
        match selection {
            Selection::Everyone => Condition::Always,
            Selection::Nobody => Condition::Never,
            Selection::All(parts) => every(self.prepare_all(known, parts)),
            Selection::Any(parts) => some(self.prepare_all(known, parts)),
            Selection::Attribute { path, test } => {
                Condition::Attribute(self.attributes.add(path), decision(test))
            }
            Selection::Id { kind, test } => {
                self.ids.push(kind.clone());
                Condition::Id(self.ids.len() - 1, decision(test))
            }
            Selection::Consent { category, accepted } => {
                self.consents.push(category.clone());
                Condition::Consent(self.consents.len() - 1, *accepted)
            }
            Selection::Events(wanted) => {
                self.histories.push(History::new(known, wanted));
                Condition::History(self.histories.len() - 1)
            }
        }
    }

    fn prepare_all(&mut self, known: &Known, parts: &[Selection]) -> Vec<Condition> {
        parts.iter().map(|part| self.prepare(known, part)).collect()
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

fn holds<E>(
    condition: &Condition,
    facts: &Facts,
    history: &mut dyn FnMut(usize) -> Result<bool, E>,
) -> Result<bool, E> {
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
        Condition::Id(place, decision) => decision.accepts(facts.ids[*place].as_ref()),
        Condition::Consent(place, accepted) => accepted.accepts(facts.consents[*place]),
        Condition::History(place) => history(*place)?,
    })
}

fn decision(test: &Test) -> Decision {
    match test {
        Test::OneOf(values) => Decision::Among(ValueSet::new(values)),
        Test::NoneOf(values) => Decision::NotAmong(ValueSet::new(values)),
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

impl ValueSet {
    fn new(values: &[Value]) -> Self {
        let mut members = ValueSet { texts: HashSet::new(), numbers: Vec::new(), others: Vec::new() };
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
