//! Reads the fields that lines are made of, naming the place of whatever is wrong.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{ID_BYTES_MAX, LineError, NAME_BYTES_MAX};
use crate::domain::value::{Changes, Unkeepable, Value};

/// The ids of a line, `registered` apart from the others.
pub(super) struct Ids {
    pub registered: String,
    pub others: BTreeMap<String, String>,
}

/// The line's object, with no field but the known ones.
pub(super) fn known_fields(line: Json, known: &'static str) -> Result<Map<String, Json>, LineError> {
    let Json::Object(fields) = line else { return Err(LineError::NotAnObject) };
    match fields.keys().find(|name| !known.split(", ").any(|it| it == name.as_str())) {
        Some(name) => Err(LineError::UnknownField { name: name.clone(), known }),
        None => Ok(fields),
    }
}

/// An object that may be left out, as its members.
pub(super) fn object(
    fields: &mut Map<String, Json>,
    name: &'static str,
) -> Result<Map<String, Json>, LineError> {
    match fields.remove(name) {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(members)) => Ok(members),
        Some(_) => Err(LineError::Expected { place: name.into(), expected: "an object" }),
    }
}

/// A text without the white space around it, nor what has no width there.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}'))
}

/// Members by their names without white space around them.
pub(super) fn by_trimmed_names(
    members: Map<String, Json>,
    place: &str,
) -> Result<Vec<(String, Json)>, LineError> {
    if members.keys().all(|name| trimmed(name) == name) {
        return Ok(members.into_iter().collect());
    }
    let mut named = Map::new();
    for (name, value) in members {
        let name = trimmed(&name).to_owned();
        if named.insert(name.clone(), value).is_some() {
            return Err(LineError::Twice { place: format!("{place}.{name}") });
        }
    }
    Ok(named.into_iter().collect())
}

/// The ids of a line.
pub(super) fn ids(fields: &mut Map<String, Json>) -> Result<Ids, LineError> {
    let mut others = BTreeMap::new();
    for (kind, id) in by_trimmed_names(object(fields, "ids")?, "ids")? {
        let place = format!("ids.{kind}");
        checked(&kind, &place, NAME_BYTES_MAX)?;
        match id {
            Json::Null => {}
            Json::String(id) => {
                let id = trimmed(&id);
                checked(id, &place, ID_BYTES_MAX)?;
                others.insert(kind, id.to_owned());
            }
            _ => return Err(LineError::Expected { place, expected: "a text; quote it" }),
        }
    }
    let registered = others.remove("registered").ok_or(LineError::NotRegistered)?;
    Ok(Ids { registered, others })
}

/// Values by name; null is `None`.
pub(super) fn values(
    fields: &mut Map<String, Json>,
    name: &'static str,
) -> Result<Changes<String>, LineError> {
    let mut values = Changes::default();
    for (member, json) in by_trimmed_names(object(fields, name)?, name)? {
        let place = format!("{name}.{member}");
        checked(&member, &place, NAME_BYTES_MAX)?;
        let value = Value::from_json(&json).map_err(|refused| beneath(&place, refused))?;
        values.insert(member, value);
    }
    Ok(values)
}

/// A name or id that can be kept.
pub(super) fn checked(text: &str, place: &str, bytes_max: usize) -> Result<(), LineError> {
    if text.is_empty() || text.len() > bytes_max {
        return Err(LineError::Length { place: place.to_owned(), bytes_max });
    }
    if text.contains('\0') {
        return Err(Unkeepable::NulCharacter { path: place.replace('\0', "\\u0000") }.into());
    }
    Ok(())
}

/// The same refusal with the whole place.
pub(super) fn beneath(place: &str, refused: Unkeepable) -> Unkeepable {
    let whole = |path: String| {
        let between = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        format!("{place}{between}{path}")
    };
    match refused {
        Unkeepable::NulCharacter { path } => Unkeepable::NulCharacter { path: whole(path) },
        Unkeepable::NumberOutOfRange { path } => Unkeepable::NumberOutOfRange { path: whole(path) },
    }
}
