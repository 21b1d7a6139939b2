//! A call's declared parameters: what may come in, and the typed values that come of it.
//!
//! Every wrong parameter is found and named at once, so that a caller corrects a payload in one go.

mod allowed;
mod form;
mod read;
mod rules;
mod timestamp;
mod wrong;

pub use allowed::Allowed;
pub use form::fields as form_fields;
pub use timestamp::{NotATimestamp, timestamp_from_json, timestamp_from_text};
pub use wrong::WrongParameter;

use std::sync::Arc;

use super::selection::Comparison;
use super::value::{Members, Number, Value};

/// Typed params by name; a parameter that a call did not bring and that has no default is absent.
pub type Params = Members;

/// The type of a parameter, in the words of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterKind {
    /// A text.
    String,
    /// A number with or without decimals.
    Number,
    /// A whole number of 64 bits.
    Integer,
    /// True or false.
    Boolean,
    /// A moment: RFC 3339 with an offset, a date, or Unix seconds or milliseconds, as a text or a number.
    Timestamp,
    /// Values in order, of any kinds.
    List,
    /// Values by name, of any kinds.
    Object,
}

impl ParameterKind {
    /// What a caller is told that was expected.
    pub fn expected(self) -> &'static str {
        match self {
            ParameterKind::String => "a text",
            ParameterKind::Number => "a number",
            ParameterKind::Integer => "a whole number of 64 bits",
            ParameterKind::Boolean => "true or false",
            ParameterKind::Timestamp => {
                "a time by RFC 3339 with an offset, such as 2026-01-31T18:00:00Z, or Unix seconds or milliseconds"
            }
            ParameterKind::List => "a list",
            ParameterKind::Object => "an object",
        }
    }
}

/// A regular expression with the text it was made from.
#[derive(Debug, Clone)]
pub struct Pattern(pub(super) regex::Regex);

impl Pattern {
    /// Compiles a pattern within what is left of the bytes that several may have compiled, and takes from them what it
    /// has, rounded up: a manifest cannot exhaust memory, by one pattern or by many.
    ///
    /// # Errors
    /// What is wrong with it, in the words of the compiler.
    pub fn new(text: &str, bytes_left: &mut usize) -> Result<Self, String> {
        let mut bytes = PATTERN_BYTES_FIRST.min(*bytes_left);
        loop {
            let built = regex::RegexBuilder::new(text)
                .size_limit(bytes)
                .dfa_size_limit(PATTERN_CACHE_BYTES_MAX)
                .nest_limit(PATTERN_DEPTH_MAX)
                .build();
            match built {
                Ok(pattern) => {
                    *bytes_left -= bytes;
                    return Ok(Pattern(pattern));
                }
                Err(regex::Error::CompiledTooBig(_)) if bytes < PATTERN_BYTES_MAX.min(*bytes_left) => {
                    bytes = (bytes * 4).min(PATTERN_BYTES_MAX).min(*bytes_left);
                }
                Err(regex::Error::CompiledTooBig(_)) => return Err(too_big(*bytes_left)),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

fn too_big(bytes_left: usize) -> String {
    match bytes_left < PATTERN_BYTES_MAX {
        true => format!(
            "the patterns of one trigger have more than {PATTERNS_BYTES_MAX} bytes compiled; write shorter ones"
        ),
        false => {
            format!("it has more than {PATTERN_BYTES_MAX} bytes compiled; count less, as in `{{1,1000}}`")
        }
    }
}

/// How many bytes one pattern may have, compiled.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// How many the patterns of one trigger may have together.
pub const PATTERNS_BYTES_MAX: usize = 2 << 20;
/// What nearly every pattern needs.
const PATTERN_BYTES_FIRST: usize = 16 * 1024;
/// What a pattern may keep while it is matched.
const PATTERN_CACHE_BYTES_MAX: usize = 128 * 1024;
/// How deep groups of a pattern may nest.
const PATTERN_DEPTH_MAX: u32 = 50;

/// One declared parameter.
#[derive(Debug, Clone)]
pub struct DeclaredParameter {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub kind: ParameterKind,
    /// Whether a call without it is refused. One with a default is never missing.
    pub required: bool,
    /// The value when a call brings none.
    pub default: Option<Value>,
    /// The values that are allowed; for a list, those its elements may have.
    pub allowed: Option<Allowed>,
    /// What a text must match somewhere.
    pub pattern: Option<Pattern>,
    /// The smallest number allowed.
    pub minimum: Option<Number>,
    /// The largest number allowed.
    pub maximum: Option<Number>,
}

/// What was found for one parameter.
#[derive(Debug, Clone, Copy)]
pub enum Raw<'a> {
    /// Nothing, or null.
    Missing,
    /// A JSON value.
    Json(&'a serde_json::Value),
    /// A form's field: a text that is read as the declared type.
    Form(&'a serde_json::Value),
    /// A value that an expression gave.
    Value(&'a Value),
}

impl DeclaredParameter {
    /// Reads and checks one value; `None` when it is absent and may be.
    ///
    /// # Errors
    /// Names the parameter, what was expected and what was found.
    pub fn read(&self, raw: Raw<'_>) -> Result<Option<Value>, WrongParameter> {
        let value = match raw {
            Raw::Missing => None,
            Raw::Json(json) => read::from_json(self.kind, json),
            Raw::Form(json) => form::from_form(self.kind, json),
            Raw::Value(value) => read::from_value(self.kind, value),
        };
        let value = match value {
            Some(read) => Some(read.map_err(|found| self.wrong(self.kind.expected().to_owned(), found))?),
            None => None,
        };
        match value {
            Some(value) => self.check(value).map(Some),
            None if self.default.is_some() => Ok(self.default.clone()),
            None if self.required => Err(self.wrong(self.kind.expected().to_owned(), "nothing".to_owned())),
            None => Ok(None),
        }
    }

    fn check(&self, value: Value) -> Result<Value, WrongParameter> {
        match rules::broken(self, &value) {
            None => Ok(value),
            Some(expected) => Err(self.wrong(expected, wrong::describe(&value))),
        }
    }

    fn wrong(&self, expected: String, found: String) -> WrongParameter {
        WrongParameter { parameter: self.name.as_ref().to_owned(), expected, found }
    }
}

/// Restores the kinds that JSON cannot keep: what was declared a timestamp becomes one again.
///
/// `stored` is what [`params_to_json`] wrote for the same declarations.
pub fn params_from_stored(
    parameters: &[DeclaredParameter],
    stored: &serde_json::Map<String, serde_json::Value>,
) -> Params {
    let mut params = Params::default();
    for (name, json) in stored {
        let declared = parameters.iter().find(|parameter| parameter.name.as_ref() == name);
        let kind = declared.map(|parameter| parameter.kind);
        let value = kind.and_then(|kind| read::from_json(kind, json)).and_then(Result::ok);
        if let Some(value) = value.or_else(|| Value::from_json(json).ok().flatten()) {
            params.insert(name.clone(), value);
        }
    }
    params
}

/// The canonical JSON of params: sorted by name, timestamps as RFC 3339.
pub fn params_to_json(params: &Params) -> String {
    super::value::object_to_json(params).to_string()
}

/// Whether `minimum` allows the number, by exact value.
fn at_least(number: Number, minimum: Option<Number>) -> bool {
    minimum.is_none_or(|minimum| Comparison::GreaterOrEqual.accepts(number.cmp(&minimum)))
}

/// Whether `maximum` allows the number, by exact value.
fn at_most(number: Number, maximum: Option<Number>) -> bool {
    maximum.is_none_or(|maximum| Comparison::LessOrEqual.accepts(number.cmp(&maximum)))
}

#[cfg(test)]
mod tests;
