//! Forms: every value is a text, and a text is read as the type its parameter declares.
//!
//! | type | what is read |
//! |---|---|
//! | string | the text as it is, the empty one too |
//! | number, integer | a number in decimal digits; leading zeros and white space around it count for nothing |
//! | boolean | `true` or `false` |
//! | timestamp | as everywhere: RFC 3339 with an offset, a date, Unix seconds or milliseconds |
//! | list | the field once for each element, all texts |
//! | object | JSON |
//!
//! A field that is left empty is missing for every type but string, as browsers send fields that were not filled in.

use serde_json::Value as Json;

use crate::domain::value::{Value, number_from_text};

use super::{ParameterKind, read, wrong};

/// Reads a form as the object of its fields; a field that comes several times becomes a list. `None` if it is not in
/// UTF-8: a text with characters replaced is not what was sent.
pub fn fields(body: &[u8]) -> Option<Json> {
    std::str::from_utf8(&decoded(body)).ok()?;
    let mut fields = serde_json::Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        let value = Json::String(value.into_owned());
        match fields.get_mut(name.as_ref()) {
            None => {
                fields.insert(name.into_owned(), value);
            }
            Some(Json::Array(values)) => values.push(value),
            Some(first) => *first = Json::Array(vec![first.take(), value]),
        }
    }
    Some(Json::Object(fields))
}

/// The bytes behind the percent signs. What separates fields is ASCII, so the whole is UTF-8 if each field is.
fn decoded(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|byte| (*byte as char).to_digit(16));
        let (byte, taken) = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => ((high * 16 + low) as u8, 3),
            _ => (*first, 1),
        };
        bytes.push(byte);
        rest = &rest[taken..];
    }
    bytes
}

pub(super) fn from_form(kind: ParameterKind, field: &Json) -> Option<Result<Value, String>> {
    let Json::String(text) = field else {
        return read::from_json(kind, field);
    };
    if text.is_empty() && kind != ParameterKind::String {
        return None;
    }
    match kind {
        ParameterKind::String => read::from_json(kind, field),
        ParameterKind::List => read::from_json(kind, &Json::Array(vec![field.clone()])),
        ParameterKind::Timestamp => match number_from_text(text) {
            // In a form every number is a text, so that a short one is no date without hyphens.
            Some(count) => read::from_value(kind, &Value::Number(count)),
            None => read::from_json(kind, field),
        },
        ParameterKind::Number | ParameterKind::Integer => Some(match number_from_text(text) {
            Some(number) => read::of_kind(kind, Value::Number(number)),
            None => Err(format!("the text `{}`", wrong::shortened(text))),
        }),
        ParameterKind::Boolean | ParameterKind::Object => {
            let shown = || format!("the text `{}`", wrong::shortened(text));
            match serde_json::from_str(text) {
                Ok(Json::Null) | Err(_) => Some(Err(shown())),
                Ok(json) => read::from_json(kind, &json).map(|read| read.map_err(|_| shown())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(kind: ParameterKind, body: &str) -> Option<Result<Json, String>> {
        let form = fields(body.as_bytes()).unwrap();
        from_form(kind, &form["v"]).map(|read| read.map(|value| value.to_json()))
    }

    #[test]
    fn texts_are_read_as_the_declared_type() {
        assert_eq!(read(ParameterKind::String, "v=01+%C3%A4"), Some(Ok(json!("01 ä"))));
        assert_eq!(read(ParameterKind::Integer, "v=42"), Some(Ok(json!(42))));
        assert_eq!(read(ParameterKind::Number, "v=4.25"), Some(Ok(json!(4.25))));
        assert_eq!(read(ParameterKind::Boolean, "v=true"), Some(Ok(json!(true))));
        assert_eq!(read(ParameterKind::Timestamp, "v=0"), Some(Ok(json!("1970-01-01T00:00:00Z"))));
        assert_eq!(read(ParameterKind::List, "v=60200&v=60300"), Some(Ok(json!(["60200", "60300"]))));
        assert_eq!(read(ParameterKind::List, "v=60200"), Some(Ok(json!(["60200"]))));
        assert_eq!(read(ParameterKind::Object, "v=%7B%22a%22%3A1%7D"), Some(Ok(json!({"a": 1}))));
    }

    #[test]
    fn what_is_not_utf8_is_no_form() {
        for body in [&b"v=%ff"[..], b"v=\xff", b"%C3=1", b"v=%C3&w=%A4"] {
            assert_eq!(fields(body), None, "{body:?}");
        }
        assert_eq!(fields(b"v=%zz%&w=%EF%BF%BD"), Some(json!({"v": "%zz%", "w": "\u{fffd}"})));
    }

    #[test]
    fn other_texts_are_refused_and_empty_fields_are_missing() {
        assert_eq!(read(ParameterKind::Integer, "v=4x"), Some(Err("the text `4x`".into())));
        assert_eq!(read(ParameterKind::Boolean, "v=yes"), Some(Err("the text `yes`".into())));
        assert_eq!(read(ParameterKind::Number, "v="), None);
        assert_eq!(read(ParameterKind::String, "v="), Some(Ok(json!(""))));
    }
}
