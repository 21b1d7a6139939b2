//! What a line makes of a customer: a pure decision over documents as they are kept.
//!
//! Both databases ask it, so that a line means the same on each.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::customers::{CustomerWrite, LineRefused};
use super::documents::{decode, decode_plain, encode, encode_plain};
use crate::domain::value::{Members, Value};

/// A customer's documents as they are kept: JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Documents {
    /// Ids by kind, without `registered`.
    pub other_ids: String,
    /// Attributes.
    pub attributes: String,
    /// Consents.
    pub consents: String,
}

/// What a line changes.
#[derive(Debug)]
pub(super) struct Changed {
    /// The attributes before it.
    pub before: Members,
    /// The attributes after it.
    pub after: Members,
    /// The documents after it.
    pub documents: Documents,
}

/// A customer who was not there before the line.
pub(super) fn created(line: &CustomerWrite) -> Result<Changed, LineRefused> {
    let mut after = Members::default();
    lay_over(&mut after, line);
    let mut consents = BTreeMap::new();
    merge(&mut consents, &line.consents);
    let documents = Documents {
        other_ids: encode_plain(&line.other_ids),
        attributes: encode(&after),
        consents: encode_plain(&consents),
    };
    LineRefused::check_size(&documents.attributes)?;
    Ok(Changed { before: Members::default(), after, documents })
}

/// What a line makes of a customer who is there; nothing if all was so before.
pub(super) fn changed(
    documents: &Documents,
    line: &CustomerWrite,
) -> serde_json::Result<Result<Option<Changed>, LineRefused>> {
    let before = decode(&documents.attributes)?;
    let mut after = before.clone();
    lay_over(&mut after, line);
    let mut consents: BTreeMap<String, bool> = decode_plain(&documents.consents)?;
    merge(&mut consents, &line.consents);
    let mut other_ids: BTreeMap<String, String> = decode_plain(&documents.other_ids)?;
    other_ids.extend(line.other_ids.clone());
    let new = Documents {
        other_ids: encode_plain(&other_ids),
        attributes: encode(&after),
        consents: encode_plain(&consents),
    };
    if new == *documents {
        return Ok(Ok(None));
    }
    let checked = LineRefused::check_size(&new.attributes);
    Ok(checked.map(|()| Some(Changed { before, after, documents: new })))
}

/// Lays a line's attributes, and then its parts of attributes, over those that are there.
fn lay_over(attributes: &mut Members, line: &CustomerWrite) {
    for (name, change) in &line.attributes {
        change_part(attributes, std::slice::from_ref(name), change.as_ref());
    }
    for (path, change) in &line.parts {
        change_part(attributes, path, change.as_ref());
    }
}

/// Changes what a path leads to, as RFC 7396 has it; `None` removes, and makes no objects on its way.
fn change_part(values: &mut Members, path: &[String], change: Option<&Value>) {
    let Some((name, rest)) = path.split_first() else { return };
    match (rest, change) {
        ([], Some(value)) => {
            values.insert(name.clone(), value.clone());
        }
        ([], None) => {
            values.shift_remove(name);
        }
        (rest, change) => {
            if change.is_some() && !matches!(values.get(name), Some(Value::Object(_))) {
                values.insert(name.clone(), Value::Object(Arc::default()));
            }
            if let Some(Value::Object(members)) = values.get_mut(name) {
                change_part(Arc::make_mut(members), rest, change);
            }
        }
    }
}

/// Lays changes of consents over those that are there; `None` removes.
fn merge(consents: &mut BTreeMap<String, bool>, changes: &BTreeMap<String, Option<bool>>) {
    for (name, change) in changes {
        match change {
            Some(given) => consents.insert(name.clone(), *given),
            None => consents.remove(name),
        };
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::domain::value::object_from_json;

    fn changed_to(before: &Json, parts: &[(&[&str], Json)]) -> Json {
        let mut values = object_from_json(before.as_object().unwrap()).unwrap();
        let path = |path: &[&str]| path.iter().map(ToString::to_string).collect();
        let parts =
            parts.iter().map(|(names, value)| (path(names), Value::from_json(value).unwrap())).collect();
        lay_over(&mut values, &CustomerWrite { parts, ..CustomerWrite::default() });
        serde_json::from_str(&encode(&values)).unwrap()
    }

    #[test]
    fn a_part_is_changed_and_its_neighbours_stay() {
        let before = json!({"address": {"city": "Brno", "zip": "60200", "at": {"x": 1}}, "vip": true});
        for (parts, expected) in [
            (
                vec![(["address", "city"].as_slice(), json!("Olean"))],
                json!({"address": {"city": "Olean", "zip": "60200", "at": {"x": 1}}, "vip": true}),
            ),
            (
                vec![(["address", "zip"].as_slice(), json!(null)), (&["address", "at", "y"], json!(2))],
                json!({"address": {"city": "Brno", "at": {"x": 1, "y": 2}}, "vip": true}),
            ),
            (vec![(["vip", "since"].as_slice(), json!(null))], before.clone()),
            (vec![(["home", "city"].as_slice(), json!(null))], before.clone()),
            (
                vec![(["vip", "since"].as_slice(), json!(2024))],
                json!({"address": before["address"], "vip": {"since": 2024}}),
            ),
        ] {
            assert_eq!(changed_to(&before, &parts), expected, "{parts:?}");
        }
    }
}
