//! Filters of lists and objects, with Jinja2's signatures; a missing value among the items is an error, not left out.

use minijinja::value::ValueKind;
use minijinja::{State, Value as Jinja};

use super::arguments::{bind, by_name, count, flag, invalid, missing};
use super::call_built_in;
use super::spelling::as_text;
use super::text_filters::needed;
use super::{Given, Result};

/// The items of a value, none of them missing; of an attribute of each, where one is named.
fn complete(state: &State<'_, '_>, value: &Jinja, attribute: Option<&Jinja>) -> Result<Vec<Jinja>> {
    let mut items = Vec::new();
    for item in value.try_iter()? {
        state.consume_fuel(1)?;
        let looked_at = match attribute.filter(|attribute| !attribute.is_none()) {
            Some(attribute) => attribute_of(&item, attribute)?,
            None => item.clone(),
        };
        if looked_at.is_undefined() {
            return Err(missing());
        }
        items.push(item);
    }
    Ok(items)
}

/// `a.b.0` of a value.
fn attribute_of(item: &Jinja, path: &Jinja) -> Result {
    let Some(path) = path.as_str() else { return item.get_item(path) };
    let mut value = item.clone();
    for step in path.split('.') {
        let key = step.parse::<i64>().map_or_else(|_| Jinja::from(step), Jinja::from);
        value = if value.is_undefined() { value } else { value.get_item(&key)? };
    }
    Ok(value)
}

pub(super) fn join(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, separator, attribute] = bind("join", ["value", "d", "attribute"], given)?;
    let value = needed("join", value)?;
    let mut texts = Vec::new();
    for item in complete(state, &value, attribute.as_ref())? {
        let item = match attribute.as_ref().filter(|attribute| !attribute.is_none()) {
            Some(attribute) => attribute_of(&item, attribute)?,
            None => item,
        };
        texts.push(as_text(state, &item)?);
    }
    let mut arguments = vec![Jinja::from(texts)];
    if let Some(separator) = separator.filter(|separator| !separator.is_none()) {
        arguments.push(as_text(state, &separator)?);
    }
    call_built_in(state, "join", &arguments)
}

pub(super) fn sort(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let names = ["reverse", "case_sensitive", "attribute"];
    let [value, reverse, case, attribute] = bind("sort", ["value", names[0], names[1], names[2]], given)?;
    let value = needed("sort", value)?;
    // Several attributes, `"a,b"`, are looked at by minijinja.
    let single = attribute.as_ref().filter(|it| it.as_str().is_none_or(|path| !path.contains(',')));
    let items = complete(state, &value, single)?;
    one_kind("sort", &items, single)?;
    let named = by_name(names, [reverse, case, attribute]);
    call_built_in(state, "sort", &[Jinja::from(items), named])
}

/// Texts and numbers have no order between them.
fn one_kind(filter: &str, items: &[Jinja], attribute: Option<&Jinja>) -> Result<()> {
    let mut kinds = Vec::new();
    for item in items {
        let looked_at = match attribute.filter(|attribute| !attribute.is_none()) {
            Some(attribute) => attribute_of(item, attribute)?,
            None => item.clone(),
        };
        let kind = match looked_at.kind() {
            ValueKind::Bool => ValueKind::Number,
            ValueKind::Iterable => ValueKind::Seq,
            kind => kind,
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    match kinds.as_slice() {
        [] | [_] => Ok(()),
        [first, second, ..] => Err(invalid(format!("`{filter}` cannot compare a {first} with a {second}"))),
    }
}

pub(super) fn unique(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, case, attribute] = bind("unique", ["value", "case_sensitive", "attribute"], given)?;
    let items = complete(state, &needed("unique", value)?, attribute.as_ref())?;
    let named = by_name(["case_sensitive", "attribute"], [case, attribute]);
    call_built_in(state, "unique", &[Jinja::from(items), named])
}

pub(super) fn min(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    extreme(state, "min", given)
}

pub(super) fn max(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    extreme(state, "max", given)
}

fn extreme(state: &mut State<'_, '_>, name: &str, given: Given<'_>) -> Result {
    let [value, case, attribute] = bind(name, ["value", "case_sensitive", "attribute"], given)?;
    let items = complete(state, &needed(name, value)?, attribute.as_ref())?;
    one_kind(name, &items, attribute.as_ref())?;
    let named = by_name(["case_sensitive", "attribute"], [case, attribute]);
    call_built_in(state, name, &[Jinja::from(items), named])
}

pub(super) fn sum(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, attribute, start] = bind("sum", ["iterable", "attribute", "start"], given)?;
    let items = complete(state, &needed("sum", value)?, attribute.as_ref())?;
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        values.push(match attribute.as_ref().filter(|attribute| !attribute.is_none()) {
            Some(attribute) => attribute_of(&item, attribute)?,
            None => item,
        });
    }
    call_built_in(state, "sum", &[Jinja::from(values), by_name(["start"], [start])])
}

pub(super) fn dictsort(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let names = ["case_sensitive", "by", "reverse"];
    let [value, case, by, reverse] = bind("dictsort", ["value", names[0], names[1], names[2]], given)?;
    let value = needed("dictsort", value)?;
    let by_what = by.as_ref().and_then(Jinja::as_str).unwrap_or("key");
    if !matches!(by_what, "key" | "value") {
        return Err(invalid(format!("`dictsort` sorts by \"key\" or \"value\", not by \"{by_what}\"")));
    }
    let length = value.len().unwrap_or(0);
    state.consume_fuel((length as u64) * u64::from(length.max(1).ilog2() + 1))?;
    call_built_in(state, "dictsort", &[value, by_name(names, [case, by, reverse])])
}

pub(super) fn groupby(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let names = ["attribute", "default", "case_sensitive"];
    let [value, attribute, default, case] = bind("groupby", ["value", names[0], names[1], names[2]], given)?;
    let value = needed("groupby", value)?;
    let looked_at = attribute.as_ref().filter(|_| default.is_none());
    let items = complete(state, &value, looked_at)?;
    let length = items.len();
    state.consume_fuel((length as u64) * u64::from(length.max(1).ilog2() + 1))?;
    call_built_in(state, "groupby", &[Jinja::from(items), by_name(names, [attribute, default, case])])
}

pub(super) fn batch(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, size, fill] = bind("batch", ["value", "linecount", "fill_with"], given)?;
    let mut arguments = vec![needed("batch", value)?, needed("batch", size)?];
    arguments.extend(fill);
    call_built_in(state, "batch", &arguments)
}

pub(super) fn slice(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, slices, fill] = bind("slice", ["value", "slices", "fill_with"], given)?;
    let mut arguments = vec![needed("slice", value)?, needed("slice", slices)?];
    arguments.extend(fill);
    call_built_in(state, "slice", &arguments)
}

/// `default`, Jinja's only filter that takes a missing value.
pub(super) fn default(_: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, otherwise, boolean] = bind("default", ["value", "default_value", "boolean"], given)?;
    let value = value.unwrap_or(Jinja::UNDEFINED);
    if value.is_undefined() || flag(boolean.as_ref(), false) && !value.is_true() {
        return Ok(otherwise.unwrap_or_else(|| Jinja::from("")));
    }
    Ok(value)
}

pub(super) fn boolean(_: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value] = bind("bool", ["value"], given)?;
    Ok(Jinja::from(needed("bool", value)?.is_true()))
}

/// `int`: what is no number is `default`, which is 0.
pub(super) fn int(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, default, base] = bind("int", ["value", "default", "base"], given)?;
    let mut value = needed("int", value)?;
    let default = default.unwrap_or_else(|| Jinja::from(0));
    if let Some(text) = value.as_str() {
        value = Jinja::from(text.trim().replace('_', ""));
    }
    if matches!(value.kind(), ValueKind::String | ValueKind::Number | ValueKind::Bool) {
        let base = count("base", base.as_ref(), 10)?;
        let is_finite = f64::try_from(value.clone()).map_or(true, f64::is_finite);
        let text = value.as_str().map(str::to_lowercase).unwrap_or_default();
        if !is_finite || ["inf", "nan"].iter().any(|word| text.contains(word)) {
            return Ok(default);
        }
        let named = by_name(["default", "base"], [Some(default), Some(Jinja::from(base))]);
        return call_built_in(state, "int", &[value, named]);
    }
    Ok(default)
}

/// `float`: what is no number is `default`, which is 0.
pub(super) fn float(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, default] = bind("float", ["value", "default"], given)?;
    let mut value = needed("float", value)?;
    let default = default.unwrap_or_else(|| Jinja::from(0.0));
    if let Some(text) = value.as_str() {
        value = Jinja::from(text.trim());
    }
    if matches!(value.kind(), ValueKind::String | ValueKind::Number | ValueKind::Bool) {
        return call_built_in(state, "float", &[value, by_name(["default"], [Some(default)])]);
    }
    Ok(default)
}

/// `round`, also of a text that is a number.
pub(super) fn round(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let names = ["precision", "method"];
    let [value, precision, method] = bind("round", ["value", names[0], names[1]], given)?;
    call_built_in(state, "round", &[needed("round", value)?, by_name(names, [precision, method])])
}
