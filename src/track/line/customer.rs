//! A line that creates or changes a customer.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::fields::{beneath, by_trimmed_names, checked, ids, known_fields, object, trimmed, values};
use super::{LineError, NAME_BYTES_MAX};
use crate::domain::value::{Changes, Value};
use crate::store::customers::CustomerWrite;

/// Where a message goes to, unless its node says otherwise.
const ADDRESSES: [&str; 2] = ["email", "phone"];

/// Reads a customer's line. Null removes an attribute, or a part of one under `merge`, and forgets a consent.
///
/// # Errors
/// Names the field that is wrong and what was expected.
pub fn customer(line: Json) -> Result<CustomerWrite, LineError> {
    let mut fields = known_fields(line, "ids, attributes, merge, consents")?;
    let ids = ids(&mut fields)?;
    let (attributes, parts) = (attributes(&mut fields)?, parts(&mut fields)?);
    if let Some(name) =
        parts.keys().find_map(|path| path.first().filter(|name| attributes.contains_key(*name)))
    {
        return Err(LineError::Both { name: name.clone() });
    }
    Ok(CustomerWrite {
        registered: ids.registered,
        other_ids: ids.others,
        attributes,
        parts,
        consents: consents(&mut fields)?,
    })
}

fn attributes(fields: &mut Map<String, Json>) -> Result<Changes<String>, LineError> {
    let mut attributes = values(fields, "attributes")?;
    for name in ADDRESSES {
        if let Some(Some(Value::Text(address))) = attributes.get_mut(name)
            && trimmed(address) != &**address
        {
            *address = trimmed(address).into();
        }
    }
    Ok(attributes)
}

/// The parts of attributes that are changed (RFC 7396): every value that is no object, by the names that lead to it.
fn parts(fields: &mut Map<String, Json>) -> Result<Changes<Vec<String>>, LineError> {
    let mut parts = Changes::default();
    add_parts(object(fields, "merge")?, &mut vec![], &mut parts)?;
    Ok(parts)
}

fn add_parts(
    members: Map<String, Json>,
    path: &mut Vec<String>,
    parts: &mut Changes<Vec<String>>,
) -> Result<(), LineError> {
    let parent = path.iter().fold("merge".to_owned(), |place, name| format!("{place}.{name}"));
    for (name, json) in by_trimmed_names(members, &parent)? {
        let place = format!("{parent}.{name}");
        checked(&name, &place, NAME_BYTES_MAX)?;
        path.push(name);
        match json {
            Json::Object(members) => add_parts(members, path, parts)?,
            json => {
                let value = Value::from_json(&json).map_err(|refused| beneath(&place, refused))?;
                parts.insert(path.clone(), value);
            }
        }
        path.pop();
    }
    Ok(())
}

fn consents(fields: &mut Map<String, Json>) -> Result<BTreeMap<String, Option<bool>>, LineError> {
    let mut consents = BTreeMap::new();
    for (category, json) in by_trimmed_names(object(fields, "consents")?, "consents")? {
        let place = format!("consents.{category}");
        checked(&category, &place, NAME_BYTES_MAX)?;
        let consent = match json {
            Json::Null => None,
            Json::Bool(given) => Some(given),
            _ => return Err(LineError::Expected { place, expected: "true, false or null" }),
        };
        consents.insert(category, consent);
    }
    Ok(consents)
}

/// The line that means this, as the API takes it.
pub fn customer_to_json(write: &CustomerWrite) -> Json {
    let attributes: Map<String, Json> = write
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), value.as_ref().map_or(Json::Null, Value::to_json)))
        .collect();
    let mut line = json!({
        "ids": ids_to_json(&write.registered, &write.other_ids),
        "attributes": attributes,
        "consents": write.consents,
    });
    for (path, value) in &write.parts {
        let value = value.as_ref().map_or(Json::Null, Value::to_json);
        put(&mut line["merge"], path, value);
    }
    line
}

/// Puts a value at a path into an object, making the objects on the way.
pub(crate) fn put(object: &mut Json, path: &[String], value: Json) {
    match path {
        [] => *object = value,
        [first, rest @ ..] => {
            if !object.is_object() {
                *object = json!({});
            }
            put(&mut object[first], rest, value);
        }
    }
}

/// Ids as a line has them.
pub(super) fn ids_to_json(registered: &str, others: &BTreeMap<String, String>) -> Json {
    let mut ids: Map<String, Json> =
        others.iter().map(|(kind, id)| (kind.clone(), Json::from(id.as_str()))).collect();
    ids.insert("registered".to_owned(), registered.into());
    Json::Object(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: Json) -> String {
        customer(line).unwrap_err().to_string()
    }

    #[test]
    fn reads_back_what_it_writes() {
        let line = json!({"ids": {"registered": "ann", "cookie": "c"}, "attributes": {"a": null, "b": [1.5]},
            "consents": {"sms": true, "mail": null}});
        assert_eq!(customer_to_json(&customer(line.clone()).unwrap()), line);
    }

    #[test]
    fn white_space_around_names_ids_and_addresses_says_nothing() {
        let line = json!({"ids": {" registered": " C-1 ", "cookie\u{a0}": "\tc"},
            "attributes": {" email": " ann@example.org\n", "phone ": "+420603\u{feff}", "note": " x "},
            "merge": {"address ": {" city": "Olean"}}, "consents": {" mail ": true}});
        let write = customer_to_json(&customer(line).unwrap());
        assert_eq!(
            write,
            json!({"ids": {"registered": "C-1", "cookie": "c"},
            "attributes": {"email": "ann@example.org", "phone": "+420603", "note": " x "},
            "merge": {"address": {"city": "Olean"}}, "consents": {"mail": true}})
        );
        let twice = refused(json!({"ids": {"registered": "a"}, "attributes": {"email": 1, " email": 2}}));
        assert_eq!(twice, "attributes.email is there twice, once with white space around its name");
        assert!(refused(json!({"ids": {"registered": " \u{a0}"}})).contains("is empty"));
        assert!(refused(json!({"ids": {"registered": "a"}, "attributes": {" ": 1}})).contains("is empty"));
    }

    #[test]
    fn parts_are_changed_or_the_whole_is_replaced() {
        let line = json!({"ids": {"registered": "a"}, "attributes": {"tags": ["x"]}, "consents": {},
            "merge": {"address": {"city": "Olean", "zip": null, "at": {"x": [1]}}, "vip": true}});
        let write = customer(line.clone()).unwrap();
        assert_eq!(write.parts.len(), 4);
        assert_eq!(customer_to_json(&write), line);
        let both = json!({"ids": {"registered": "a"}, "attributes": {"b": {}}, "merge": {"b": {"c": 1}}});
        assert_eq!(refused(both), "attributes.b and merge.b are both there; leave one of them out");
        let nul = refused(json!({"ids": {"registered": "a"}, "merge": {"a": {"b": ["\u{0}"]}}}));
        assert!(nul.starts_with("merge.a.b[0] holds the character U+0000"), "{nul}");
    }

    #[test]
    fn names_what_is_wrong() {
        assert!(refused(json!({"ids": {}})).contains("ids.registered is missing"));
        assert!(
            refused(json!({"ids": {"registered": 7}})).contains("ids.registered must be a text; quote it")
        );
        let typo = refused(json!({"ids": {"registered": "a"}, "attribute": {}}));
        assert_eq!(typo, "unknown field \"attribute\"; a line has ids, attributes, merge, consents");
        let yes = refused(json!({"ids": {"registered": "a"}, "consents": {"sms": "yes"}}));
        assert_eq!(yes, "consents.sms must be true, false or null");
        let nul = refused(json!({"ids": {"registered": "a"}, "attributes": {"a": {"b": ["\u{0}"]}}}));
        assert!(nul.starts_with("attributes.a.b[0] holds the character U+0000"), "{nul}");
        assert!(refused(json!({"ids": {"registered": "a\u{0}"}})).contains("U+0000"));
        assert!(refused(json!({"ids": {"registered": ""}})).contains("is empty"));
        assert!(refused(json!([])).contains("expected an object"));
    }
}
