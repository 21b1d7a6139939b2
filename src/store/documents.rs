//! Documents as they are kept: JSON, members in the order in which they came, read straight into values without a tree
//! between.
//!
//! What was written came through the door, so a document that cannot be read is damaged.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::domain::value::{Members, Number, Value, object_to_json};

/// Writes values by name.
pub(super) fn encode(values: &Members) -> String {
    object_to_json(values).to_string()
}

/// Reads values by name.
pub(super) fn decode(text: &str) -> serde_json::Result<Members> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(MembersVisitor)
}

/// Writes ids or consents.
pub(super) fn encode_plain<T: serde::Serialize>(map: &BTreeMap<String, T>) -> String {
    serde_json::to_string(map).expect("maps of texts and booleans can be written as JSON")
}

/// Reads ids or consents as they were written.
pub(super) fn decode_plain<T: DeserializeOwned>(text: &str) -> serde_json::Result<BTreeMap<String, T>> {
    // Most customers have no other ids, and many no consents.
    if text == "{}" { Ok(BTreeMap::new()) } else { serde_json::from_str(text) }
}

/// Reads one value; null is `None`.
pub(super) struct OneValue;

impl<'de> DeserializeSeed<'de> for OneValue {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneValue {
    type Value = Option<Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::Boolean(boolean)))
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::integer(integer)))
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<Self::Value, E> {
        match i64::try_from(integer) {
            Ok(integer) => self.visit_i64(integer),
            Err(_) => self.visit_f64(integer as f64),
        }
    }

    fn visit_f64<E: Error>(self, double: f64) -> Result<Self::Value, E> {
        Number::from_f64(double).map(|number| Some(Value::Number(number))).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(OneValue)? {
            values.push(value.unwrap_or(Value::Null));
        }
        Ok(Some(Value::List(values.into())))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        Ok(Some(Value::Object(Arc::new(MembersVisitor.visit_map(object)?))))
    }
}

/// Reads an object's members; nulls are left out.
struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = object.next_key::<String>()? {
            if let Some(value) = object.next_value_seed(OneValue)? {
                members.push((name, value));
            }
        }
        Ok(members.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_keep_their_order() {
        let text = r#"{"zone":"A","hours":{"mon":8,"tue":9,"fri":7},"a":[{"y":1,"x":2}]}"#;
        assert_eq!(encode(&decode(text).unwrap()), text);
    }

    #[test]
    fn what_is_written_is_read_exactly() {
        let json = json!({
            "big": 9_007_199_254_740_993_i64, "small": i64::MIN, "long": 0.123_456_789_012_345_68,
            "tiny": 5e-324, "huge": 1.797_693_134_862_315_7e308, "whole": 2.0, "beyond": 12_345_678_901_234_567_890_u64,
            "text": "\u{10FFFF} \"x\\", "list": [1, null, [true, null]], "object": {"a": {"b": []}},
        });
        let values = crate::domain::value::object_from_json(json.as_object().unwrap()).unwrap();
        assert_eq!(decode(&encode(&values)).unwrap(), values);
        assert!(matches!(values["whole"], Value::Number(Number::Double(_))));
    }
}
