//! Secrets and ConfigMaps: not our kinds, but read from the same folder and held to the API server's rules.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::path::child;
use super::schema::Violation;
use super::unknown;
use crate::compile::ObjectKind;

/// Everything the API server would refuse.
pub(super) fn validate(kind: ObjectKind, object: &Value, out: &mut Vec<Violation>) {
    let (texts, bytes, known): (_, _, &[&str]) = match kind {
        ObjectKind::Secret => (
            "stringData",
            "data",
            &["apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData"],
        ),
        _ => ("data", "binaryData", &["apiVersion", "kind", "metadata", "immutable", "data", "binaryData"]),
    };
    unknown::report(object, known, "", out);
    unknown::find_in_metadata(object, out);
    for (key, value) in entries(object, texts, out) {
        if !value.is_string() && !value.is_null() {
            out.push(Violation::blocking(child(texts, key), "must be a text; quote it"));
        }
    }
    for (key, value) in entries(object, bytes, out) {
        let decoded = value.as_str().map(|text| STANDARD.decode(text.replace(['\n', '\r'], "")));
        if !matches!(decoded, Some(Ok(_))) && !value.is_null() {
            out.push(Violation::blocking(
                child(bytes, key),
                "must be base64; plain text goes into stringData or data",
            ));
        }
    }
    for field in [texts, bytes] {
        let keys = object[field].as_object().into_iter().flat_map(|members| members.keys());
        for key in keys.filter(|key| !is_key(key)) {
            out.push(Violation::other(
                child(field, key),
                "a key consists of letters, digits, `-`, `_` and `.`",
            ));
        }
    }
}

fn entries<'a>(object: &'a Value, field: &str, out: &mut Vec<Violation>) -> Vec<(&'a String, &'a Value)> {
    match object.get(field) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(members)) => members.iter().collect(),
        Some(_) => {
            out.push(Violation::blocking(field, "must be keys with values"));
            Vec::new()
        }
    }
}

fn is_key(key: &str) -> bool {
    let letters = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    letters && (1..=253).contains(&key.len()) && key != "." && !key.starts_with("..")
}
