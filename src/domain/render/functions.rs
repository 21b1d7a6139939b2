//! The functions of contents beside Jinja's own.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value as Jinja};

use crate::domain::expression::{convert, from_jinja, to_jinja};
use crate::domain::value::Kind;

/// Jinja's own filters pay so.
const BYTES_PER_FUEL: u64 = 64;

/// The reason of an `abort("reason")`, on its way out of Jinja.
#[derive(Debug, thiserror::Error)]
#[error("aborted: {0}")]
pub(super) struct Abort(pub String);

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_function("abort", |reason: String| -> Result<Jinja, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, "aborted").with_source(Abort(reason)))
    });
    environment.add_filter("tojson", to_json);
    environment.add_function("number", |value: Jinja| converted(Kind::Number, &value));
    environment.add_function("timestamp", |value: Jinja| converted(Kind::Timestamp, &value));
    environment.add_function("text", |value: Jinja| converted(Kind::Text, &value));
}

/// Jinja's own `tojson` writes `null` for what is missing, and a provider would be sent that.
fn to_json(
    state: &State<'_, '_>,
    value: &Jinja,
    indent: Option<Jinja>,
    args: Kwargs,
) -> Result<Jinja, Error> {
    if lacks_something(value) {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let written = minijinja::filters::tojson(value, indent, args)?;
    let bytes = written.as_str().map_or(0, str::len);
    state.consume_fuel(bytes as u64 / BYTES_PER_FUEL)?;
    Ok(written)
}

/// Whether a value, or a part of a list or an object that the template made, is missing.
fn lacks_something(value: &Jinja) -> bool {
    match value.kind() {
        ValueKind::Undefined => true,
        ValueKind::Seq => value.try_iter().is_ok_and(|mut items| items.any(|item| lacks_something(&item))),
        ValueKind::Map => value.try_iter().is_ok_and(|mut keys| {
            keys.any(|key| value.get_item(&key).is_ok_and(|member| lacks_something(&member)))
        }),
        _ => false,
    }
}

/// What does not convert is missing, as in conditions.
fn converted(to: Kind, value: &Jinja) -> Jinja {
    let value = from_jinja(value).ok().flatten();
    value.and_then(|value| convert(to, &value)).map_or(Jinja::UNDEFINED, |value| to_jinja(&value))
}
