//! A request's way to elements: parsed once, split where `forEach` says so, every wrong parameter of all found.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::mapping::{Mapper, Source};
use super::{ids, settle};
use crate::compile::Trigger;
use crate::domain::admission::{Refusal, WrongElement};
use crate::domain::body::{ContentType, Media, is_json_as_form, looks_like_json, to_utf8};
use crate::domain::expression::{Expression, Facts, RequestFacts, Steps, weigh};
use crate::domain::name::CallId;
use crate::domain::params::{Params, form_fields};
use crate::domain::value::Value;

/// How many calls one request may make.
const ELEMENTS_MAX: usize = 1_000;
/// How many wrong parameters one answer names; it must stay something that a person can read.
const WRONG_MAX: usize = 1_000;
/// What the params of one request may weigh together: the bytes of their texts and 32 for each element. A body of the
/// usual size fits many times over; what a `forEach` takes from the body again and again for each element does not.
const PARAMS_UNITS_MAX: u64 = 16 * 1024 * 1024;
/// What the expressions of one request may cost together, in units of a byte looked at: a few tenths of a second.
const REQUEST_UNITS_MAX: u64 = 128 * 1024 * 1024;

/// One element that passed every check of its own; without `forEach`, the request.
#[derive(Debug)]
pub(super) struct Element {
    /// The id of the call that comes of it.
    pub id: CallId,
    /// Its typed params.
    pub params: Arc<Params>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// The happening it reports, as a key.
    pub deduplication: Option<String>,
}

/// Reads a body, and says as what: JSON or a form. An empty one has no fields; whether that is enough, the parameters
/// say.
pub(super) fn parse(body: &[u8], content_type: ContentType) -> Result<(Json, Media), Refusal> {
    if body.is_empty() {
        return Ok((Json::Object(serde_json::Map::new()), Media::Json));
    }
    let text = to_utf8(body, content_type.charset).map_err(|error| Refusal::Malformed(error.to_string()))?;
    if content_type.media == Media::Form {
        if is_json_as_form(&text) {
            return Err(Refusal::WrongBody(JSON_AS_FORM.into()));
        }
        let fields =
            form_fields(&text).ok_or_else(|| Refusal::Malformed("the form is not in UTF-8".into()))?;
        return Ok((fields, Media::Form));
    }
    match serde_json::from_slice(&text) {
        Ok(json) => Ok((json, Media::Json)),
        Err(_) if content_type.media == Media::Unsaid && !looks_like_json(&text) => {
            let sent = "the body is no JSON, and its Content-Type does not say what it is";
            Err(Refusal::MediaType(sent.into()))
        }
        Err(error) => Err(Refusal::Malformed(format!("the body is not JSON that can be read: {error}"))),
    }
}

/// What curl's `--data` makes of JSON.
const JSON_AS_FORM: &str = "the body is JSON, but it was sent as a form; add the header `Content-Type: application/json` \
                            (with curl: -H 'Content-Type: application/json')";

/// Maps and checks a request. `facts` is there if the trigger has expressions that look at it.
pub(super) fn elements(
    trigger: &Trigger,
    body: &Json,
    media: Media,
    facts: Option<RequestFacts>,
    now: Timestamp,
) -> Result<Vec<Element>, Refusal> {
    let mapper = Mapper { trigger, media, now, steps: Steps::new(REQUEST_UNITS_MAX) };
    match (&trigger.for_each, facts) {
        (Some(for_each), Some(facts)) => several(&mapper, for_each, facts),
        (_, facts) => {
            let Json::Object(fields) = body else {
                let because = "the body must be a JSON object: its fields are the parameters";
                return Err(Refusal::WrongBody(because.into()));
            };
            let mut wrong = Vec::new();
            let params = mapper.params(&Source::Body(fields), facts.as_ref(), &mut |parameter| {
                wrong.push(WrongElement { index: None, wrong: parameter });
            });
            within(&params, PARAMS_UNITS_MAX, None)?;
            Ok(vec![settled(&mapper, None, params, wrong)?])
        }
    }
}

fn several(
    mapper: &Mapper<'_>,
    for_each: &Expression,
    mut facts: RequestFacts,
) -> Result<Vec<Element>, Refusal> {
    let items = items(for_each, &facts, mapper.now)?;
    let mut wrong = Vec::new();
    mapper.around(facts.body.as_ref(), &mut |parameter| {
        if wrong.len() < WRONG_MAX {
            wrong.push(WrongElement { index: None, wrong: parameter });
        }
    });
    let mut mapped = Vec::with_capacity(items.len());
    let mut left = PARAMS_UNITS_MAX;
    for (index, item) in items.iter().enumerate() {
        facts.item = Some(item.clone());
        let params = mapper.params(&Source::Item(item), Some(&facts), &mut |parameter| {
            if wrong.len() < WRONG_MAX {
                wrong.push(WrongElement { index: Some(index), wrong: parameter });
            }
        });
        // Once something is wrong nothing is kept, and it is enough to look.
        if wrong.is_empty() {
            left = within(&params, left, Some(index))?;
            mapped.push(params);
        }
    }
    if !wrong.is_empty() {
        return Err(Refusal::WrongParameters(wrong));
    }
    mapped
        .into_iter()
        .enumerate()
        .map(|(index, params)| settled(mapper, Some(index), params, Vec::new()))
        .collect()
}

fn items(for_each: &Expression, facts: &RequestFacts, now: Timestamp) -> Result<Arc<[Value]>, Refusal> {
    let found = for_each.evaluate(Facts::of_request(facts, now));
    let items = match found {
        Ok(Some(Value::List(items))) => items,
        Ok(Some(other)) => return Err(not_a_list(for_each, other.kind().word())),
        Ok(None) => return Err(not_a_list(for_each, "missing")),
        Err(reason) => return Err(not_a_list(for_each, &reason.to_string())),
    };
    if items.len() > ELEMENTS_MAX {
        let because = format!("one request makes at most {ELEMENTS_MAX} calls, this one {}", items.len());
        return Err(Refusal::WrongBody(because));
    }
    Ok(items)
}

/// What is left when these params were added to those of a request; the largest of them is named if it is too much.
fn within(params: &Params, left: u64, index: Option<usize>) -> Result<u64, Refusal> {
    let mut rest = left;
    for value in params.values() {
        rest = match weigh(value, rest) {
            Some(units) => rest - units,
            None => return Err(too_much(params, index)),
        };
    }
    Ok(rest)
}

fn too_much(params: &Params, index: Option<usize>) -> Refusal {
    let weight = |value: &Value| weigh(value, u64::MAX).unwrap_or(u64::MAX);
    let largest = params.iter().max_by_key(|(_, value)| weight(value)).map_or("", |(name, _)| name.as_str());
    let because = format!(
        "the params of one request may hold {} MiB together, and these hold more: take less of the body as `{largest}`",
        PARAMS_UNITS_MAX / (1024 * 1024)
    );
    Refusal::WrongBody(match index {
        Some(index) => format!("element {index}: {because}"),
        None => because,
    })
}

fn not_a_list(for_each: &Expression, found: &str) -> Refusal {
    Refusal::WrongBody(format!("`{}` must be a list, found: {found}", for_each.source()))
}

fn settled(
    mapper: &Mapper<'_>,
    index: Option<usize>,
    params: Params,
    wrong: Vec<WrongElement>,
) -> Result<Element, Refusal> {
    if !wrong.is_empty() {
        return Err(Refusal::WrongParameters(wrong));
    }
    let (id, params) = (ids::new_call_id(mapper.now), Arc::new(params));
    let (trigger, now) = (mapper.trigger, mapper.now);
    Ok(Element {
        expires_at: settle::expires_at(trigger, &id, &params, now).map_err(|found| at(index, &found))?,
        deduplication: settle::deduplication(trigger, &id, &params, now)
            .map_err(|found| at(index, &found))?,
        id,
        params,
    })
}

fn at(index: Option<usize>, found: &str) -> Refusal {
    Refusal::WrongBody(match index {
        Some(index) => format!("element {index}: {found}"),
        None => found.to_owned(),
    })
}
