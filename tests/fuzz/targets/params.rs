//! A call's params: an expression in the first line maps the JSON behind it, and each kind of parameter reads the result.

#![no_main]

use std::sync::{Arc, LazyLock};

use fanfare::domain::expression::{Expression, Facts, Place, RequestFacts, Scope};
use fanfare::domain::params::{DeclaredParameter, ParameterKind, Raw, form_fields};
use fanfare::domain::value::Value;
use libfuzzer_sys::fuzz_target;

const KINDS: [ParameterKind; 7] = [
    ParameterKind::String,
    ParameterKind::Number,
    ParameterKind::Integer,
    ParameterKind::Boolean,
    ParameterKind::Timestamp,
    ParameterKind::List,
    ParameterKind::Object,
];

static PARAMETERS: LazyLock<Vec<DeclaredParameter>> = LazyLock::new(|| {
    let of = |kind| DeclaredParameter {
        name: "p".into(),
        kind,
        required: true,
        default: None,
        allowed: None,
        pattern: None,
        minimum: None,
        maximum: None,
    };
    KINDS.into_iter().map(of).collect()
});

fuzz_target!(|data: &[u8]| {
    let Some(at) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (line, body) = (&data[..at], &data[at + 1..]);
    if let Some(fields) = form_fields(body) {
        PARAMETERS.iter().for_each(|parameter| drop(parameter.read(Raw::Form(&fields))));
    }
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) else { return };
    PARAMETERS.iter().for_each(|parameter| drop(parameter.read(Raw::Json(&json))));
    let (Ok(source), Ok(Some(body))) = (std::str::from_utf8(line), Value::from_json(&json)) else { return };
    let Ok(mapping) = Expression::compile(source, &Scope::bare(Place::Request)) else { return };
    let facts = RequestFacts { body: Some(body), headers: Arc::default(), query: Arc::default(), item: None };
    if let Ok(Some(value)) = mapping.evaluate(Facts::of_request(&facts, jiff::Timestamp::UNIX_EPOCH)) {
        PARAMETERS.iter().for_each(|parameter| drop(parameter.read(Raw::Value(&value))));
    }
});
