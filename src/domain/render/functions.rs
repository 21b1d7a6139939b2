//! The functions of contents beside Jinja's own.

use minijinja::{Environment, Error, ErrorKind, Value as Jinja};

use crate::domain::expression::{convert, from_jinja, to_jinja};
use crate::domain::value::Kind;

/// The reason of an `abort("reason")`, on its way out of Jinja.
#[derive(Debug, thiserror::Error)]
#[error("aborted: {0}")]
pub(super) struct Abort(pub String);

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_function("abort", |reason: String| -> Result<Jinja, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, "aborted").with_source(Abort(reason)))
    });
    environment.add_function("number", |value: Jinja| converted(Kind::Number, &value));
    environment.add_function("timestamp", |value: Jinja| converted(Kind::Timestamp, &value));
    environment.add_function("text", |value: Jinja| converted(Kind::Text, &value));
}

/// What does not convert is missing, as in conditions.
fn converted(to: Kind, value: &Jinja) -> Jinja {
    let value = from_jinja(value).ok().flatten();
    value.and_then(|value| convert(to, &value)).map_or(Jinja::UNDEFINED, |value| to_jinja(&value))
}
