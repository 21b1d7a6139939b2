//! The reading of the tree that decides for one customer: true, false or unknown.
//!
//! What the store selects is only ever a superset of what is true here.

mod compare;
mod events;
mod members;
mod node;
mod term;

use std::borrow::Cow;
use std::ops::Range;

use super::facts::Facts;
use super::tree::{Node, Term};
use super::truth::{Reason, Truth};
use crate::domain::value::Value;

pub(crate) use compare::{compare, contains};
pub(crate) use events::Ask;

/// A part of a condition that was decided, with the values it looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The bytes of the source.
    pub span: Range<usize>,
    /// What it was.
    pub truth: Truth,
    /// The comparison with its values, `customer.age (17) >= 18`; or the reason why it is unknown.
    pub text: String,
}

/// What a term is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found<'a> {
    Value(Cow<'a, Value>),
    Missing(Reason),
    Unknown(Reason),
}

impl<'a> Found<'a> {
    pub(crate) fn owned(value: Value) -> Self {
        Found::Value(Cow::Owned(value))
    }

    /// The value, or why there is none.
    pub(crate) fn known(self) -> Result<Cow<'a, Value>, Reason> {
        match self {
            Found::Value(value) => Ok(value),
            Found::Missing(reason) | Found::Unknown(reason) => Err(reason),
        }
    }
}

/// Decides over one set of facts.
pub(crate) struct Evaluator<'a> {
    pub facts: Facts<'a>,
    /// Filled if someone wants to know why.
    trace: Option<Vec<Step>>,
}

/// Decides.
pub(crate) fn decide(node: &Node, facts: Facts<'_>) -> Truth {
    Evaluator { facts, trace: None }.node(node)
}

/// Decides and tells how; what the decision did not need is not in it.
pub(crate) fn explain(node: &Node, facts: Facts<'_>) -> (Truth, Vec<Step>) {
    let mut evaluator = Evaluator { facts, trace: Some(Vec::new()) };
    let truth = evaluator.node(node);
    (truth, evaluator.trace.unwrap_or_default())
}

/// Finds a term's value.
pub(crate) fn find<'a>(term: &'a Term, facts: Facts<'a>) -> Found<'a> {
    Evaluator { facts, trace: None }.term(term)
}
