//! What is wrong with a manifest, precisely enough to point at the character.
//!
//! A problem knows the object, the field and the place within its text; `manifests` turns that into file, line
//! and caret, the operator into a condition's message.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde_json::Value;

pub use crate::domain::expression::Severity;

/// A kind of object a problem can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    /// An endpoint's declaration.
    ApiTrigger,
    /// What is done about a call.
    Scenario,
    /// A provider's connection.
    Channel,
    /// A shared key.
    ApiKey,
    /// The runtime of a namespace.
    Runtime,
    /// Texts that messages are made from.
    ConfigMap,
    /// Credentials of the user's.
    Secret,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// An object within the namespace that is compiled.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its `metadata.name`.
    pub name: String,
}

/// One thing that is wrong, or looks wrong, with one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The object.
    pub object: ObjectName,
    /// The field as Kubernetes writes it: `spec.nodes[0].condition.if`, `data[snowstorm.txt]`.
    pub path: String,
    /// The bytes within that field's text that are meant; `None` for the field as a whole.
    pub span: Option<Range<usize>>,
    /// Whether the object can run.
    pub severity: Severity,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl Problem {
    /// The text of the field it is about, within the object as JSON.
    pub fn text_in<'a>(&self, object: &'a Value) -> Option<&'a str> {
        text_at(object, &self.path)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectName { kind, name } = &self.object;
        write!(formatter, "{kind} {name}: {}: {}", self.path, self.message)
    }
}

/// The text at a field path such as `spec.nodes[0].condition.if` or `data[snowstorm.txt]`.
fn text_at<'a>(object: &'a Value, path: &str) -> Option<&'a str> {
    let mut value = object;
    let mut rest = path;
    while !rest.is_empty() {
        let (step, behind) = if let Some(inner) = rest.strip_prefix('[') {
            inner.split_once(']')?
        } else {
            let field = rest.strip_prefix('.').unwrap_or(rest);
            field.split_at(field.find(['.', '[']).unwrap_or(field.len()))
        };
        value = match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            _ => value.get(step)?,
        };
        rest = behind;
    }
    value.as_str()
}

/// Collects all problems of a compilation, so that a person sees them at once.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
    /// The objects that have an error: a namespace may hold thousands.
    broken: HashSet<ObjectName>,
}

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        if problem.severity == Severity::Error {
            self.broken.insert(problem.object.clone());
        }
        self.found.push(problem);
    }

    /// Adds one, unless it was found before: two messages may use one text.
    pub fn push_once(&mut self, problem: Problem) {
        if !self.found.contains(&problem) {
            self.push(problem);
        }
    }

    /// Whether the object has an error so far and must be left out of the snapshot.
    pub fn has_errors(&self, object: &ObjectName) -> bool {
        self.broken.contains(object)
    }

    /// All of them, in the order they were found.
    pub fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}
