//! Reads a JSON value, or an expression's value, as a declared type.
//!
//! Kinds never mix: a text `5` is not a number. `None` is null, which is missing; an error says what was found.

use crate::domain::value::{Number, Value};

use super::timestamp::{timestamp_from_json, timestamp_from_number, timestamp_from_text};
use super::{ParameterKind, wrong};

/// Beyond this a double no longer tells whole numbers apart, so none is taken for one.
const EXACT_DOUBLE_MAX: f64 = 9_007_199_254_740_992.0;

pub(super) fn from_json(kind: ParameterKind, json: &serde_json::Value) -> Option<Result<Value, String>> {
    if kind == ParameterKind::Timestamp && !json.is_null() {
        let read = timestamp_from_json(json).map(Value::Timestamp);
        return Some(read.map_err(|why| wrong::no_time(&wrong::describe_json(json), why)));
    }
    if let (ParameterKind::Number, serde_json::Value::Number(number)) = (kind, json)
        && !Number::holds_exactly(number)
    {
        return Some(Err(format!("{}, which has more digits than are kept", wrong::describe_json(json))));
    }
    match Value::from_json(json) {
        Ok(None) => None,
        Ok(Some(value)) => Some(of_kind(kind, value)),
        Err(error) => Some(Err(wrong::unkeepable(&error))),
    }
}

pub(super) fn from_value(kind: ParameterKind, value: &Value) -> Option<Result<Value, String>> {
    let read = match (kind, value) {
        (ParameterKind::Timestamp, Value::Text(text)) => timestamp_from_text(text),
        (ParameterKind::Timestamp, Value::Number(count)) => timestamp_from_number(*count),
        (ParameterKind::Timestamp, Value::Timestamp(moment)) => Ok(*moment),
        _ if holds_nul(value) => return Some(Err(wrong::NUL.to_owned())),
        _ => return Some(of_kind(kind, value.clone())),
    };
    Some(read.map(Value::Timestamp).map_err(|why| wrong::no_time(&wrong::describe(value), why)))
}

/// Expressions read what came in directly, so what cannot be kept is found here.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains('\0'),
        Value::List(elements) => elements.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Number(_) | Value::Boolean(_) | Value::Timestamp(_) | Value::Null => false,
    }
}

pub(super) fn of_kind(kind: ParameterKind, value: Value) -> Result<Value, String> {
    match (kind, &value) {
        (ParameterKind::String, Value::Text(_))
        | (ParameterKind::Number, Value::Number(_))
        | (ParameterKind::Integer, Value::Number(Number::Integer(_)))
        | (ParameterKind::Boolean, Value::Boolean(_))
        | (ParameterKind::List, Value::List(_))
        | (ParameterKind::Object, Value::Object(_)) => Ok(value),
        (ParameterKind::Integer, Value::Number(Number::Double(double))) => {
            whole(*double).ok_or_else(|| wrong::describe(&value))
        }
        _ => Err(wrong::describe(&value)),
    }
}

/// `5.0` is the whole number 5, as JSON Schema has it; `5.5` and what a double cannot tell apart are none.
fn whole(double: f64) -> Option<Value> {
    (double.trunc() == double && double.abs() < EXACT_DOUBLE_MAX).then(|| Value::integer(double as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(kind: ParameterKind, json: serde_json::Value) -> Option<Result<serde_json::Value, String>> {
        from_json(kind, &json).map(|read| read.map(|value| value.to_json()))
    }

    #[test]
    fn kinds_never_mix() {
        assert_eq!(read(ParameterKind::Number, json!("5")), Some(Err("the text `5`".into())));
        assert_eq!(read(ParameterKind::String, json!(5)), Some(Err("the number 5".into())));
        assert_eq!(read(ParameterKind::Boolean, json!(1)), Some(Err("the number 1".into())));
        assert_eq!(read(ParameterKind::List, json!({})), Some(Err("an object".into())));
        assert_eq!(read(ParameterKind::Object, json!(null)), None);
    }

    #[test]
    fn whole_numbers_are_exact() {
        assert_eq!(read(ParameterKind::Integer, json!(5.0)), Some(Ok(json!(5))));
        assert_eq!(read(ParameterKind::Integer, json!(i64::MAX)), Some(Ok(json!(i64::MAX))));
        for refused in [json!(5.5), json!(u64::MAX), json!(1e20), json!("5")] {
            assert!(read(ParameterKind::Integer, refused.clone()).is_some_and(|r| r.is_err()), "{refused}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused_at_the_door() {
        let found = read(ParameterKind::Object, json!({"a": ["\u{0}"]})).unwrap().unwrap_err();
        assert!(found.contains("U+0000"), "{found}");
    }
}
