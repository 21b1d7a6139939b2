//! The tree that decides: what a condition is made of once its names are checked.
//!
//! It has two readings, a selection for the store and the evaluator, and nothing else decides.

use std::ops::Range;
use std::sync::Arc;

use jiff::SignedDuration;

use super::leaf::JinjaLeaf;
use crate::domain::selection::Comparison;
use crate::domain::value::{Kind, Value};

/// A part of a condition that is true, false or unknown.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Bytes of the source.
    pub span: Range<usize>,
    pub kind: NodeKind,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Constant(bool),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Compare(Arc<Term>, Comparison, Arc<Term>),
    /// The first is in the second.
    Within(Arc<Term>, Arc<Term>),
    Defined(Term),
    StartsWith(Term, Term),
    EndsWith(Term, Term),
    /// Test, then, else.
    If(Box<[Node; 3]>),
    /// A bare value.
    Truthy(Term),
}

/// A part of a condition that has a value, is missing, or cannot be told.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    /// Bytes of the source.
    pub span: Range<usize>,
    /// The source of it, for reasons.
    pub text: Arc<str>,
    pub kind: TermKind,
}

#[derive(Debug, Clone)]
pub(crate) enum TermKind {
    Literal(Value),
    Path(Path),
    Consent(String),
    /// One of the customer's own ids, by its kind.
    Id(Arc<str>),
    Call(CallField),
    Now,
    Default {
        of: Box<Term>,
        fallback: Box<Term>,
        /// Also in place of a value without Jinja's truth.
        replaces_falsy: bool,
    },
    Convert(Kind, Box<Term>),
    Events(Box<EventTerm>),
    List(Vec<Term>),
    If(Box<(Node, Term, Option<Term>)>),
    /// `a or b` between values: the first that has Jinja's truth, else the last.
    FirstTruthy(Box<[Term; 2]>),
    /// `a and b` between values: the first without Jinja's truth, else the last.
    FirstFalsy(Box<[Term; 2]>),
    /// A condition's truth as a boolean.
    Truth(Box<Node>),
    Jinja(Box<JinjaLeaf>),
}

/// Something known by name, and the way into it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub root: Root,
    pub steps: Vec<PathStep>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Customer,
    Params,
    Consents,
    Body,
    Headers,
    Query,
    Item,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PathStep {
    Name(Arc<str>),
    /// From the end if negative.
    Index(i64),
}

impl Path {
    /// The names, if no step is an index and there is one.
    pub fn names(&self) -> Option<Vec<String>> {
        if self.steps.is_empty() {
            return None;
        }
        self.steps
            .iter()
            .map(|step| match step {
                PathStep::Name(name) => Some(name.to_string()),
                PathStep::Index(_) => None,
            })
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallField {
    Id,
    Trigger,
    ReceivedAt,
}

/// A question about a customer's history.
#[derive(Debug, Clone)]
pub(crate) struct EventTerm {
    /// Never depends on the customer.
    pub event_type: Term,
    pub properties: Vec<(Arc<str>, Term)>,
    pub windows: Vec<Window>,
    pub aggregate: Aggregate,
}

#[derive(Debug, Clone)]
pub(crate) enum Window {
    /// The length before now, written in the source.
    Within(SignedDuration),
    /// The length before now, as a text.
    WithinText(Term),
    Since(Term),
    Before(Term),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Aggregate {
    Count,
    Sum(Arc<str>),
    Min(Arc<str>),
    Max(Arc<str>),
    Avg(Arc<str>),
    First(Vec<PathStep>),
    Last(Vec<PathStep>),
}
