//! What a filter was given: by position or by name, as Jinja's own signatures take it.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value as Jinja};

/// The arguments of a filter in the order of its signature; `None` is one that was not given.
///
/// # Errors
/// Names an argument that the filter does not take, or that was given twice.
pub(super) fn bind<const N: usize>(
    filter: &str,
    names: [&str; N],
    given: &[Jinja],
) -> Result<[Option<Jinja>; N], Error> {
    let mut bound: [Option<Jinja>; N] = std::array::from_fn(|_| None);
    let (positional, named) = match given.split_last() {
        Some((last, rest)) if last.is_kwargs() => (rest, Some(Kwargs::try_from(last.clone())?)),
        _ => (given, None),
    };
    if positional.len() > N {
        return Err(invalid(format!("`{filter}` takes {} arguments at most: {}", N, names.join(", "))));
    }
    for (slot, value) in bound.iter_mut().zip(positional) {
        *slot = Some(value.clone());
    }
    for name in named.iter().flat_map(Kwargs::args) {
        let Some(index) = names.iter().position(|known| *known == name) else {
            let known = names.join(", ");
            return Err(invalid(format!("`{filter}` takes no `{name}`; it takes: {known}")));
        };
        if bound[index].is_some() {
            return Err(invalid(format!("`{filter}` was given `{name}` twice")));
        }
        bound[index] = named.as_ref().map(|named| named.get::<Jinja>(name)).transpose()?;
    }
    Ok(bound)
}

/// Arguments for one of minijinja's own filters, which take some by name only.
pub(super) fn by_name<const N: usize>(names: [&str; N], values: [Option<Jinja>; N]) -> Jinja {
    let given = names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
    Jinja::from(given.collect::<Kwargs>())
}

/// A flag; left out or `none`, it is `otherwise`.
pub(super) fn flag(value: Option<&Jinja>, otherwise: bool) -> bool {
    value.filter(|value| !value.is_none()).map_or(otherwise, Jinja::is_true)
}

/// A whole number that is not negative.
pub(super) fn count(name: &str, value: Option<&Jinja>, otherwise: usize) -> Result<usize, Error> {
    match value.filter(|value| !value.is_none()) {
        None => Ok(otherwise),
        Some(value) => {
            let number = value.as_i64().and_then(|number| usize::try_from(number).ok());
            number.ok_or_else(|| invalid(format!("`{name}` is a whole number, not `{value}`")))
        }
    }
}

/// A text.
pub(super) fn text(name: &str, value: Option<&Jinja>, otherwise: &str) -> Result<String, Error> {
    match value.filter(|value| !value.is_none()) {
        None => Ok(otherwise.to_owned()),
        Some(value) => value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| invalid(format!("`{name}` is a text, not `{value}`"))),
    }
}

/// What cannot be done, with the reason.
pub(super) fn invalid(detail: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}

/// That a value is missing; the place says which.
pub(super) fn missing() -> Error {
    Error::from(ErrorKind::UndefinedError)
}

/// Refuses a missing value among the arguments, also one that was given by name.
pub(super) fn refuse_missing(given: &[Jinja]) -> Result<(), Error> {
    for value in given {
        if value.is_undefined() {
            return Err(missing());
        }
        if value.is_kwargs() && value.kind() == ValueKind::Map {
            let named = Kwargs::try_from(value.clone())?;
            for name in named.args() {
                if named.peek::<Jinja>(name)?.is_undefined() {
                    return Err(missing());
                }
            }
        }
    }
    Ok(())
}
