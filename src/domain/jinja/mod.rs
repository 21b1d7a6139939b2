//! What Jinja's users expect beside what minijinja brings, for contents and conditions alike: one spelling of values,
//! Jinja2's filters with Jinja2's signatures, Python's methods.
//!
//! A missing value is an error in every filter but `default`. Each costs fuel for what it touches.

mod arguments;
mod functions;
mod html;
mod list_filters;
mod local_filters;
mod methods;
mod moment;
mod operators;
mod reading_filters;
mod spelling;
mod text_filters;
mod walk;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value as Jinja, filters};

pub(crate) use functions::FUNCTION_METHODS;
pub(crate) use html::escaped as html_escaped;
pub(crate) use local_filters::{LOCAL, local_value};
pub(crate) use methods::VALUE_METHODS;
pub(crate) use moment::{Moment, TIME_METHODS};
pub(crate) use operators::{Rewriter, WRITTEN, filter_of};
pub(crate) use spelling::{json, quoted, spelled};
pub(crate) use walk::{each_expression, each_part};

type Result<T = Jinja> = std::result::Result<T, Error>;
/// What a filter is given: its value, the arguments, and those by name as the last.
type Given<'g> = &'g [Jinja];
type Filter = fn(&mut State<'_, '_>, Given<'_>) -> Result;

/// Filters that take the place of minijinja's, or that it lacks.
const FILTERS: &[(&str, Filter)] = &[
    ("batch", list_filters::batch),
    ("bool", list_filters::boolean),
    ("capitalize", text_filters::capitalize),
    ("center", text_filters::center),
    ("currency", local_filters::currency),
    ("date", local_filters::date),
    ("datetime", local_filters::datetime),
    ("dictsort", list_filters::dictsort),
    ("e", text_filters::escape),
    ("escape", text_filters::escape),
    ("filesizeformat", text_filters::filesizeformat),
    ("float", list_filters::float),
    ("forceescape", text_filters::force_escape),
    ("format", text_filters::format),
    ("format_time", local_filters::format_time),
    ("from_timestamp", local_filters::from_timestamp),
    ("fromjson", reading_filters::fromjson),
    ("groupby", list_filters::groupby),
    ("indent", text_filters::indent),
    ("int", list_filters::int),
    ("join", list_filters::join),
    ("lines", text_filters::lines),
    ("lower", text_filters::lower),
    ("max", list_filters::max),
    ("min", list_filters::min),
    ("minus", operators::minus),
    ("number", local_filters::number),
    ("phone", local_filters::phone),
    ("plus", operators::plus),
    ("pprint", text_filters::pprint),
    ("regex_replace", reading_filters::regex_replace),
    ("regex_search", reading_filters::regex_search),
    ("remainder", operators::remainder),
    ("replace", text_filters::replace),
    ("round", list_filters::round),
    ("safe", text_filters::safe),
    ("slice", list_filters::slice),
    ("sort", list_filters::sort),
    ("split", text_filters::split),
    ("string", text_filters::string),
    ("striptags", text_filters::striptags),
    ("sum", list_filters::sum),
    ("time", local_filters::time),
    ("title", text_filters::title),
    ("tojson", text_filters::tojson),
    ("trim", text_filters::trim),
    ("truncate", text_filters::truncate),
    ("unique", list_filters::unique),
    ("upper", text_filters::upper),
    ("urlencode", text_filters::urlencode),
    ("urlize", html::urlize),
    ("wordcount", text_filters::wordcount),
    ("wordwrap", text_filters::wordwrap),
    ("written", operators::written),
    ("xmlattr", html::xmlattr),
];

/// minijinja's own filters.
static BUILT_IN: LazyLock<BTreeMap<&'static str, Jinja>> = LazyLock::new(|| {
    BTreeMap::from([
        ("abs", Jinja::from_function(filters::abs)),
        ("attr", Jinja::from_function(filters::attr)),
        ("batch", Jinja::from_function(filters::batch)),
        ("capitalize", Jinja::from_function(filters::capitalize)),
        ("chain", Jinja::from_function(filters::chain)),
        ("count", Jinja::from_function(filters::length)),
        ("dictsort", Jinja::from_function(filters::dictsort)),
        ("first", Jinja::from_function(filters::first)),
        ("float", Jinja::from_function(filters::float)),
        ("format", Jinja::from_function(filters::format)),
        ("groupby", Jinja::from_function(filters::groupby)),
        ("int", Jinja::from_function(filters::int)),
        ("items", Jinja::from_function(filters::items)),
        ("join", Jinja::from_function(filters::join)),
        ("last", Jinja::from_function(filters::last)),
        ("length", Jinja::from_function(filters::length)),
        ("lines", Jinja::from_function(filters::lines)),
        ("list", Jinja::from_function(filters::list)),
        ("lower", Jinja::from_function(filters::lower)),
        ("map", Jinja::from_function(filters::map)),
        ("max", Jinja::from_function(filters::max)),
        ("min", Jinja::from_function(filters::min)),
        ("reject", Jinja::from_function(filters::reject)),
        ("rejectattr", Jinja::from_function(filters::rejectattr)),
        ("replace", Jinja::from_function(filters::replace)),
        ("reverse", Jinja::from_function(filters::reverse)),
        ("round", Jinja::from_function(filters::round)),
        ("select", Jinja::from_function(filters::select)),
        ("selectattr", Jinja::from_function(filters::selectattr)),
        ("slice", Jinja::from_function(filters::slice)),
        ("sort", Jinja::from_function(filters::sort)),
        ("split", Jinja::from_function(filters::split)),
        ("sum", Jinja::from_function(filters::sum)),
        ("title", Jinja::from_function(filters::title)),
        ("trim", Jinja::from_function(filters::trim)),
        ("unique", Jinja::from_function(filters::unique)),
        ("upper", Jinja::from_function(filters::upper)),
        ("urlencode", Jinja::from_function(filters::urlencode)),
        ("zip", Jinja::from_function(filters::zip)),
    ])
});

/// Calls one of minijinja's own filters.
fn call_built_in(state: &mut State<'_, '_>, name: &str, given: Given<'_>) -> Result {
    match BUILT_IN.get(name) {
        Some(filter) => filter.call(state, given),
        None => Err(arguments::invalid(format!("there is no filter `{name}`"))),
    }
}

/// In a condition a text that is no number is an error, so that it does not decide: as 0 it would select by
/// `not customer.n | int`.
pub(crate) fn install_for_conditions(environment: &mut Environment<'static>) {
    install(environment);
    for name in ["float", "int"] {
        environment.add_filter(name, move |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
            call_built_in(state, name, &given.into_values())
        });
    }
}

/// One of this module's filters, or of minijinja's, by name.
///
/// # Errors
/// As the filter.
pub(crate) fn call(state: &mut State<'_, '_>, name: &str, given: Given<'_>) -> Result {
    arguments::refuse_missing(given)?;
    match FILTERS.iter().find(|(known, _)| *known == name) {
        Some((_, filter)) => filter(state, given),
        None => call_built_in(state, name, given),
    }
}

/// The filter `tojson`.
///
/// # Errors
/// A value that is missing, also inside of another.
pub(crate) fn to_json(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    call(state, "tojson", given)
}

/// Adds all of it to an environment.
pub(crate) fn install(environment: &mut Environment<'static>) {
    for (name, filter) in BUILT_IN.iter() {
        environment.add_filter(*name, |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
            let given = given.into_values();
            arguments::refuse_missing(&given)?;
            filter.call(state, &given)
        });
    }
    for (name, filter) in FILTERS {
        environment.add_filter(*name, |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
            let given = given.into_values();
            arguments::refuse_missing(&given)?;
            filter(state, &given)
        });
    }
    for name in ["default", "d"] {
        environment.add_filter(name, |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
            list_filters::default(state, &given.into_values())
        });
    }
    for (name, function) in [
        ("cycler", functions::cycler as Filter),
        ("joiner", functions::joiner),
        ("timedelta", moment::timedelta),
    ] {
        environment.add_function(name, move |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
            let given = given.into_values();
            arguments::refuse_missing(&given)?;
            function(state, &given)
        });
    }
    environment.add_test("callable", |value: &Jinja| {
        value.as_object().is_some() && value.kind() == minijinja::value::ValueKind::Plain
    });
    environment.set_unknown_method_callback(methods::call);
}
