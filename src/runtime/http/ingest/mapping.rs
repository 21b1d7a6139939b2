//! One element's params: each taken from where its `from` says, or from the field of its name, and checked.

use std::borrow::Cow;
use std::sync::Arc;

use http::request::Parts;
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::compile::{KnownFields, Trigger};
use crate::domain::admission::Refusal;
use crate::domain::body::Media;
use crate::domain::expression::{Expression, Facts, RequestFacts, Steps};
use crate::domain::params::{DeclaredParameter, Params, Raw, WrongParameter};
use crate::domain::value::{Members, Value};

/// Headers that hold what must never become a param, and with it a line of a log.
const SECRET_HEADERS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

/// Where fields of a parameter's own name stand.
pub(super) enum Source<'a> {
    /// The body of a request that is one call.
    Body(&'a serde_json::Map<String, Json>),
    /// The element of a request that is several.
    Item(&'a Value),
}

/// What maps the elements of one request.
pub(super) struct Mapper<'a> {
    pub trigger: &'a Trigger,
    pub media: Media,
    pub now: Timestamp,
    /// What the expressions of the request may still cost.
    pub steps: Steps,
}

/// What expressions see of a request; `None` if the trigger has none that look at it.
pub(super) fn facts(trigger: &Trigger, parts: &Parts, body: &Json) -> Result<Option<RequestFacts>, Refusal> {
    if trigger.for_each.is_none() && trigger.mapping.iter().all(Option::is_none) {
        return Ok(None);
    }
    let placed = trigger.for_each.as_ref().map(|_| with_places_kept(body));
    let body = Value::from_json(placed.as_ref().unwrap_or(body))
        .map_err(|error| Refusal::WrongBody(format!("body: {error}")))?;
    let mut headers = Members::default();
    for (name, value) in &parts.headers {
        if let (false, Ok(text)) = (SECRET_HEADERS.contains(&name.as_str()), value.to_str()) {
            headers.entry(name.as_str().to_owned()).or_insert_with(|| Value::text(text));
        }
    }
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let query = query.filter(|(name, _)| name != "access_token");
    let query = query.map(|(name, value)| (name.into_owned(), Value::text(value)));
    Ok(Some(RequestFacts { body, headers: Arc::new(headers), query: Arc::new(query.collect()), item: None }))
}

/// With `forEach` an element that is null keeps its place, as an object with nothing in it: it is refused by its own
/// index if a parameter is required, and the elements behind it keep theirs.
fn with_places_kept(json: &Json) -> Json {
    match json {
        Json::Array(items) => {
            items
                .iter()
                .map(|item| {
                    if item.is_null() { Json::Object(serde_json::Map::new()) } else { with_places_kept(item) }
                })
                .collect()
        }
        Json::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), with_places_kept(member))).collect()
        }
        other => other.clone(),
    }
}

impl Mapper<'_> {
    /// Reads every parameter, and tells `wrong` of each that is not as declared.
    pub fn params(
        &self,
        source: &Source<'_>,
        facts: Option<&RequestFacts>,
        wrong: &mut dyn FnMut(WrongParameter),
    ) -> Params {
        let mut params = Params::default();
        for (parameter, from) in self.trigger.parameters.iter().zip(&self.trigger.mapping) {
            let read = match (from, facts) {
                (Some(from), Some(facts)) => self.mapped(parameter, from, facts),
                _ => parameter.read(self.field(parameter, source)),
            };
            match read {
                Ok(Some(value)) => {
                    params.insert(parameter.name.as_ref().to_owned(), value);
                }
                Ok(None) => {}
                Err(error) => wrong(error),
            }
        }
        if self.trigger.refuses_unknown_fields {
            let names: Vec<Cow<'_, str>> = match source {
                Source::Body(fields) => fields.keys().map(Cow::from).collect(),
                Source::Item(Value::Object(members)) => members.keys().map(Cow::from).collect(),
                Source::Item(_) => Vec::new(),
            };
            unknown(&self.trigger.known_fields, names).for_each(wrong);
        }
        params
    }

    /// Tells `wrong` of each field around the elements that nothing reads, where such are refused.
    pub fn around(&self, body: Option<&Value>, wrong: &mut dyn FnMut(WrongParameter)) {
        if let (true, Some(Value::Object(members))) = (self.trigger.refuses_unknown_fields, body) {
            let names = members.keys().map(Cow::from).collect();
            unknown(&self.trigger.known_around, names).for_each(wrong);
        }
    }

    fn field<'s>(&self, parameter: &DeclaredParameter, source: &Source<'s>) -> Raw<'s> {
        match (source, self.media) {
            (Source::Body(fields), Media::Form) => {
                fields.get(&*parameter.name).map_or(Raw::Missing, Raw::Form)
            }
            (Source::Body(fields), _) => fields.get(&*parameter.name).map_or(Raw::Missing, Raw::Json),
            (Source::Item(Value::Object(members)), _) => {
                members.get(&*parameter.name).map_or(Raw::Missing, Raw::Value)
            }
            (Source::Item(_), _) => Raw::Missing,
        }
    }

    fn mapped(
        &self,
        parameter: &DeclaredParameter,
        from: &Expression,
        facts: &RequestFacts,
    ) -> Result<Option<Value>, WrongParameter> {
        match from.evaluate_within(Facts::of_request(facts, self.now), &self.steps) {
            Ok(None) => parameter.read(Raw::Missing),
            // A form holds texts only, so a text that a mapping took from it is read as the declared type too.
            Ok(Some(Value::Text(text))) if self.media == Media::Form => {
                parameter.read(Raw::Form(&Json::String(text.as_ref().to_owned())))
            }
            Ok(Some(value)) => parameter.read(Raw::Value(&value)),
            Err(reason) => Err(WrongParameter {
                parameter: parameter.name.as_ref().to_owned(),
                expected: parameter.kind.expected().to_owned(),
                found: format!("what `{}` cannot read: {reason}", from.source()),
            }),
        }
    }
}

fn unknown<'a>(
    known: &'a KnownFields,
    names: Vec<Cow<'a, str>>,
) -> impl Iterator<Item = WrongParameter> + 'a {
    let is_unknown = |name: &Cow<'_, str>| match known {
        KnownFields::Named(known) => !known.contains(name.as_ref()),
        KnownFields::All => false,
    };
    names.into_iter().filter(is_unknown).map(|name| WrongParameter {
        parameter: name.into_owned(),
        expected: "no such field: the trigger declares no parameter of this name".into(),
        found: "one".into(),
    })
}
