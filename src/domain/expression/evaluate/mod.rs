//! The reading of the tree that decides for one customer: true, false or unknown.
//!
//! What the store selects is only ever a superset of what is true here.

mod compare;
mod events;
mod members;
mod node;
mod term;

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use super::facts::Facts;
use super::meter::weigh;
use super::tree::{Node, Term};
use super::truth::{Reason, TOO_MANY_STEPS, Truth};
use crate::domain::value::Value;

pub(crate) use compare::{compare, contains};
pub(crate) use events::Ask;

/// A part of a condition that was decided, with the values it looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedStep {
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

/// What one evaluation may cost, in units of a byte looked at; the leaves that Jinja evaluates count with their fuel.
/// It ends within a few tens of milliseconds.
const UNITS_MAX: u64 = 8 * 1024 * 1024;

/// What several evaluations may cost together, in units of a byte looked at.
#[derive(Debug)]
pub struct Steps(Cell<u64>);

impl Steps {
    /// So many units.
    pub fn new(units: u64) -> Self {
        Steps(Cell::new(units))
    }

    /// Whether nothing is left.
    pub fn are_used_up(&self) -> bool {
        self.0.get() == 0
    }
}

/// Decides over one set of facts.
pub(crate) struct Evaluator<'a> {
    pub facts: Facts<'a>,
    /// What it may still cost.
    left: u64,
    /// Filled if someone wants to know why.
    trace: Option<Vec<ExplainedStep>>,
}

/// Decides.
pub(crate) fn decide(node: &Node, facts: Facts<'_>) -> Truth {
    Evaluator::new(facts).node(node)
}

/// Decides and tells how; what the decision did not need is not in it.
pub(crate) fn explain(node: &Node, facts: Facts<'_>) -> (Truth, Vec<ExplainedStep>) {
    let mut evaluator = Evaluator { trace: Some(Vec::new()), ..Evaluator::new(facts) };
    let truth = evaluator.node(node);
    (truth, evaluator.trace.unwrap_or_default())
}

/// Finds a term's value with what is left of the steps that several evaluations share.
pub(crate) fn find_within<'a>(term: &'a Term, facts: Facts<'a>, steps: &Steps) -> Found<'a> {
    let allowed = steps.0.get().min(UNITS_MAX);
    let mut evaluator = Evaluator { left: allowed, ..Evaluator::new(facts) };
    let found = evaluator.term(term);
    steps.0.set(steps.0.get() - (allowed - evaluator.left));
    found
}

/// Finds a term's value.
pub(crate) fn find<'a>(term: &'a Term, facts: Facts<'a>) -> Found<'a> {
    Evaluator::new(facts).term(term)
}

impl<'a> Evaluator<'a> {
    fn new(facts: Facts<'a>) -> Self {
        Evaluator { facts, left: UNITS_MAX, trace: None }
    }

    /// Pays for work on a part of the source.
    fn pay(&mut self, what: &Arc<str>, units: u64) -> Result<(), Reason> {
        match self.left.checked_sub(units) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Reason::failed(what, TOO_MANY_STEPS))
            }
        }
    }

    /// Pays for a look at all of a value.
    fn pay_for(&mut self, what: &Arc<str>, value: &Value) -> Result<(), Reason> {
        let units = match value {
            Value::Text(text) => text.len() as u64,
            Value::Number(_) | Value::Boolean(_) | Value::Timestamp(_) | Value::Null => 1,
            Value::List(_) | Value::Object(_) => weigh(value, self.left).unwrap_or(u64::MAX),
        };
        self.pay(what, units)
    }
}
