//! A body's way to params: parsed once, each element mapped and checked, every wrong parameter found.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::body::Media;
use crate::compile::{Expiry, Trigger};
use crate::domain::admission::{Refusal, WrongElement};
use crate::domain::params::{Parameter, Params, Raw, WrongParameter, form_fields};

/// One element that passed every check of its params.
#[derive(Debug)]
pub(super) struct Element {
    /// Its typed params.
    pub params: Params,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// What `deduplicate.by` gave, as a key.
    pub deduplication: Option<String>,
}

/// Reads a body. An empty one has no fields; whether that is enough, the parameters say.
pub(super) fn parse(body: &[u8], media: Media) -> Result<Json, Refusal> {
    match media {
        _ if body.is_empty() => Ok(Json::Object(serde_json::Map::new())),
        Media::Json => serde_json::from_slice(body)
            .map_err(|error| Refusal::Malformed(format!("the body is not JSON that can be read: {error}"))),
        Media::Form => Ok(form_fields(body)),
    }
}

/// Maps and checks a body that is one call.
pub(super) fn single(
    trigger: &Trigger,
    body: &Json,
    media: Media,
    now: Timestamp,
) -> Result<Element, Refusal> {
    let mut wrong = Vec::new();
    let params = params(trigger, body, media, &mut |parameter| {
        wrong.push(WrongElement { index: None, wrong: parameter });
    })?;
    if !wrong.is_empty() {
        return Err(Refusal::WrongParameters(wrong));
    }
    Ok(Element { params, expires_at: expires_at(trigger, now), deduplication: None })
}

fn params(
    trigger: &Trigger,
    body: &Json,
    media: Media,
    wrong: &mut dyn FnMut(WrongParameter),
) -> Result<Params, Refusal> {
    let Json::Object(fields) = body else {
        return Err(Refusal::WrongBody(
            "the body must be a JSON object: its fields are the parameters".into(),
        ));
    };
    let mut params = Params::new();
    for parameter in &trigger.parameters {
        match parameter.read(raw(parameter, fields, media)) {
            Ok(Some(value)) => {
                params.insert(parameter.name.as_ref().to_owned(), value);
            }
            Ok(None) => {}
            Err(error) => wrong(error),
        }
    }
    if trigger.refuses_unknown_fields {
        let declared = |name: &str| trigger.parameters.iter().any(|it| it.name.as_ref() == name);
        for name in fields.keys().filter(|name| !declared(name)) {
            wrong(WrongParameter {
                parameter: name.clone(),
                expected: "no such field: the trigger declares no parameter of this name".into(),
                found: "one".into(),
            });
        }
    }
    Ok(params)
}

fn raw<'a>(parameter: &Parameter, fields: &'a serde_json::Map<String, Json>, media: Media) -> Raw<'a> {
    match (fields.get(parameter.name.as_ref()), media) {
        (None, _) => Raw::Missing,
        (Some(json), Media::Json) => Raw::Json(json),
        (Some(json), Media::Form) => Raw::Form(json),
    }
}

fn expires_at(trigger: &Trigger, now: Timestamp) -> Option<Timestamp> {
    match trigger.expiry.as_ref()? {
        Expiry::After(length) => Some(now.checked_add(*length).unwrap_or(Timestamp::MAX)),
    }
}
