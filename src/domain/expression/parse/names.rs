//! The filters, tests and functions that exist, and why others do not.

use crate::domain::jinja;

/// Filters that only make a value of a value; a condition may use these.
const PLAIN_FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "center",
    "chain",
    "count",
    "currency",
    "date",
    "datetime",
    "filesizeformat",
    "first",
    "float",
    "format",
    "format_time",
    "from_timestamp",
    "fromjson",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "number",
    "phone",
    "regex_replace",
    "regex_search",
    "replace",
    "reject",
    "rejectattr",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "split",
    "string",
    "striptags",
    "sum",
    "time",
    "title",
    "tojson",
    "trim",
    "truncate",
    "upper",
    "urlencode",
    "wordcount",
    "wordwrap",
    "zip",
];

/// Filters that compare, as Jinja does: a text `5` with a number 18. A condition must not depend on that.
const COMPARING_FILTERS: &[&str] = &["dictsort", "groupby", "max", "min", "sort", "unique"];

/// Filters for the text of a message only.
const TEXT_FILTERS: &[&str] = &["e", "escape", "forceescape", "pprint", "safe", "urlize", "xmlattr"];

/// Tests of a value by itself.
pub(super) const PLAIN_TESTS: &[&str] = &[
    "boolean",
    "divisibleby",
    "even",
    "float",
    "int",
    "integer",
    "iterable",
    "lower",
    "mapping",
    "number",
    "odd",
    "sequence",
    "string",
    "upper",
];

/// Tests that compare, with the operator that says the same and is decided by the table of kinds.
pub(super) const COMPARING_TESTS: &[(&str, &str)] = &[
    ("==", "=="),
    ("eq", "=="),
    ("equalto", "=="),
    ("sameas", "=="),
    ("!=", "!="),
    ("ne", "!="),
    ("<", "<"),
    ("lt", "<"),
    ("lessthan", "<"),
    ("<=", "<="),
    ("le", "<="),
    (">", ">"),
    ("gt", ">"),
    ("greaterthan", ">"),
    (">=", ">="),
    ("ge", ">="),
    ("in", "in"),
    ("true", "== true"),
    ("false", "== false"),
];

/// Every filter a content may use, beside `default` and `d`.
pub(crate) const CONTENT_FILTERS: &[&[&str]] =
    &[PLAIN_FILTERS, COMPARING_FILTERS, TEXT_FILTERS, &["default", "d"]];

/// Tests a content may use, beside those that compare.
pub(crate) const CONTENT_TESTS: &[&str] = &[
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "endingwith",
    "escaped",
    "even",
    "filter",
    "float",
    "int",
    "integer",
    "iterable",
    "lower",
    "mapping",
    "none",
    "number",
    "odd",
    "safe",
    "sequence",
    "startingwith",
    "string",
    "test",
    "undefined",
    "upper",
    "eq",
    "equalto",
    "sameas",
    "ne",
    "lt",
    "lessthan",
    "le",
    "gt",
    "greaterthan",
    "ge",
    "in",
    "true",
    "false",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
];

/// Every method that a value may have; `loop`, `caller` and macros of a namespace are among them.
pub(super) fn method_names() -> impl Iterator<Item = &'static str> {
    [jinja::VALUE_METHODS, jinja::TIME_METHODS, jinja::FUNCTION_METHODS].into_iter().flatten().copied()
}

/// What a filter is to a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterClass {
    Plain,
    /// `select` and its kin, which compare if their test does.
    Selecting,
    Comparing,
    ForText,
    Unknown,
}

pub(super) fn classify_filter(name: &str) -> FilterClass {
    match name {
        "select" | "reject" | "selectattr" | "rejectattr" => FilterClass::Selecting,
        _ if PLAIN_FILTERS.contains(&name) => FilterClass::Plain,
        _ if COMPARING_FILTERS.contains(&name) => FilterClass::Comparing,
        _ if TEXT_FILTERS.contains(&name) => FilterClass::ForText,
        _ => FilterClass::Unknown,
    }
}

/// Every filter's name, for finding the one that was meant.
pub(crate) fn filter_names() -> impl Iterator<Item = &'static str> {
    CONTENT_FILTERS.iter().flat_map(|names| names.iter().copied())
}

/// Every test's name, for finding the one that was meant.
pub(super) fn test_names() -> impl Iterator<Item = &'static str> {
    PLAIN_TESTS.iter().copied().chain(["defined", "undefined", "startingwith", "endingwith"])
}

/// The operator that replaces a comparing test.
pub(super) fn operator_for_test(name: &str) -> Option<&'static str> {
    COMPARING_TESTS.iter().find(|(test, _)| *test == name).map(|(_, operator)| *operator)
}
