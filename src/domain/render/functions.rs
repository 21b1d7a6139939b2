//! The functions of contents beside Jinja's own.

use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value as Jinja};

use super::json_body;
use super::template::Escaping;
use crate::domain::expression::{convert, from_jinja, to_jinja};
use crate::domain::jinja::{self, spelled};
use crate::domain::value::Kind;

/// The reason of an `abort("reason")`, on its way out of Jinja.
#[derive(Debug, thiserror::Error)]
#[error("aborted: {0}")]
pub(super) struct Abort(pub String);

pub(super) fn add(environment: &mut Environment<'static>, escaping: Escaping) {
    jinja::install(environment);
    environment.add_function("abort", |reason: String| -> Result<Jinja, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, "aborted").with_source(Abort(reason)))
    });
    environment.add_function("number", |value: Jinja| converted(Kind::Number, &value));
    environment.add_function("timestamp", |value: Jinja| converted(Kind::Timestamp, &value));
    environment.add_function("text", |value: Jinja| converted(Kind::Text, &value));
    if escaping == Escaping::Json {
        add_json(environment);
    }
}

/// The filter that takes out of a captured text what marks its values, in a JSON body.
pub(super) const PLAIN: &str = "plain";

/// What is safe in a JSON body is JSON; an escaped text is a text.
fn add_json(environment: &mut Environment<'static>) {
    environment.add_filter("safe", |state: &State<'_, '_>, value: &Jinja| match value.is_safe() {
        true => Ok(value.clone()),
        false => json_body::safe(&spelled(state, value)?),
    });
    environment.add_filter("tojson", |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
        let written = jinja::to_json(state, &given.into_values())?;
        Ok::<_, Error>(json_body::verbatim(written.as_str().unwrap_or_default()))
    });
    environment.add_filter(PLAIN, |value: &Jinja| match value.as_str() {
        Some(text) if value.is_safe() => Jinja::from(json_body::without_marks(text)),
        _ => value.clone(),
    });
    for name in ["length", "count", "int", "float"] {
        environment.add_filter(name, move |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
            let mut given = given.into_values();
            if let Some(text) = given.first_mut().filter(|value| value.is_safe()) {
                *text = Jinja::from(json_body::without_marks(text.as_str().unwrap_or_default()));
            }
            jinja::call(state, name, &given)
        });
    }
    for name in ["e", "escape", "forceescape"] {
        environment.add_filter(name, |state: &State<'_, '_>, value: &Jinja| {
            let text = json_body::without_marks(&spelled(state, value)?);
            Ok::<_, Error>(Jinja::from(jinja::html_escaped(&text)))
        });
    }
}

/// What does not convert is missing, as in conditions.
fn converted(to: Kind, value: &Jinja) -> Jinja {
    let value = from_jinja(value).ok().flatten();
    value.and_then(|value| convert(to, &value)).map_or(Jinja::UNDEFINED, |value| to_jinja(&value))
}
