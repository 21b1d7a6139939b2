//! A line that creates or changes a customer.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::fields::{checked, ids, known_fields, object, values};
use super::{LineError, NAME_BYTES_MAX};
use crate::domain::value::Value;
use crate::store::customers::CustomerWrite;

/// Reads a customer's line. Null removes an attribute, and forgets a consent.
///
/// # Errors
/// Names the field that is wrong and what was expected.
pub fn customer(line: Json) -> Result<CustomerWrite, LineError> {
    let mut fields = known_fields(line, "ids, attributes, consents")?;
    let ids = ids(&mut fields)?;
    Ok(CustomerWrite {
        registered: ids.registered,
        other_ids: ids.others,
        attributes: values(&mut fields, "attributes")?,
        consents: consents(&mut fields)?,
    })
}

fn consents(fields: &mut Map<String, Json>) -> Result<BTreeMap<String, Option<bool>>, LineError> {
    let mut consents = BTreeMap::new();
    for (category, json) in object(fields, "consents")? {
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
    json!({
        "ids": ids_to_json(&write.registered, &write.other_ids),
        "attributes": attributes,
        "consents": write.consents,
    })
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
    fn names_what_is_wrong() {
        assert!(refused(json!({"ids": {}})).contains("ids.registered is missing"));
        assert!(
            refused(json!({"ids": {"registered": 7}})).contains("ids.registered must be a text; quote it")
        );
        let typo = refused(json!({"ids": {"registered": "a"}, "attribute": {}}));
        assert_eq!(typo, "unknown field \"attribute\"; a line has ids, attributes, consents");
        let yes = refused(json!({"ids": {"registered": "a"}, "consents": {"sms": "yes"}}));
        assert_eq!(yes, "consents.sms must be true, false or null");
        let nul = refused(json!({"ids": {"registered": "a"}, "attributes": {"a": {"b": ["\u{0}"]}}}));
        assert!(nul.starts_with("attributes.a.b[0] holds the character U+0000"), "{nul}");
        assert!(refused(json!({"ids": {"registered": "a\u{0}"}})).contains("U+0000"));
        assert!(refused(json!({"ids": {"registered": ""}})).contains("is empty"));
        assert!(refused(json!([])).contains("expected an object"));
    }
}
