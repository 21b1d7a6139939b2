//! Deciding the parts of a condition by Kleene's logic, which is SQL's: the order of sides does not matter.

use std::fmt::Write as _;

use super::compare::{compare, contains};
use super::{Evaluator, ExplainedStep, Found};
use crate::domain::expression::tree::{Node, NodeKind, Term, TermKind};
use crate::domain::expression::truth::{Reason, Truth, shown};
use crate::domain::selection::Comparison;
use crate::domain::value::Value;

impl<'a> Evaluator<'a> {
    pub(super) fn node(&mut self, node: &'a Node) -> Truth {
        match &node.kind {
            NodeKind::Constant(truth) => Truth::from(*truth),
            NodeKind::All(nodes) => self.every(nodes),
            NodeKind::Any(nodes) => self.some(nodes),
            NodeKind::Not(inner) => !self.node(inner),
            NodeKind::If(parts) => self.choice(parts),
            NodeKind::Compare(left, by, right) => self.comparison(node, left, *by, right),
            NodeKind::Within(item, of) => self.within(node, item, of),
            NodeKind::Defined(term) => self.defined(node, term),
            NodeKind::StartsWith(of, with) => self.text_test(node, of, with, |of, with| of.starts_with(with)),
            NodeKind::EndsWith(of, with) => self.text_test(node, of, with, |of, with| of.ends_with(with)),
            NodeKind::Truthy(term) => self.truthy(node, term),
        }
    }

    fn every(&mut self, nodes: &'a [Node]) -> Truth {
        let mut all = Truth::True;
        for node in nodes {
            match self.node(node) {
                Truth::True => {}
                Truth::False => return Truth::False,
                Truth::Unknown(reason) if all.is_true() => all = Truth::Unknown(reason),
                Truth::Unknown(_) => {}
            }
        }
        all
    }

    fn some(&mut self, nodes: &'a [Node]) -> Truth {
        let mut any = Truth::False;
        for node in nodes {
            match self.node(node) {
                Truth::True => return Truth::True,
                Truth::False => {}
                Truth::Unknown(reason) if any == Truth::False => any = Truth::Unknown(reason),
                Truth::Unknown(_) => {}
            }
        }
        any
    }

    fn choice(&mut self, [test, then, otherwise]: &'a [Node; 3]) -> Truth {
        match self.node(test) {
            Truth::True => self.node(then),
            Truth::False => self.node(otherwise),
            unknown @ Truth::Unknown(_) => unknown,
        }
    }

    fn comparison(&mut self, node: &Node, left: &'a Term, by: Comparison, right: &'a Term) -> Truth {
        let (first, second) = (self.term(left), self.term(right));
        let truth = match (&first, &second) {
            (Found::Value(first), Found::Value(second)) => match self.pay_to_compare(left, first, second) {
                Ok(()) => compare((left, first), by, (right, second)),
                Err(reason) => Truth::Unknown(reason),
            },
            (Found::Unknown(reason), _) | (_, Found::Unknown(reason)) => Truth::Unknown(reason.clone()),
            (Found::Missing(reason), _) | (_, Found::Missing(reason)) => Truth::Unknown(reason.clone()),
        };
        self.note(node, &truth, &[(left, &first), (right, &second)]);
        truth
    }

    fn within(&mut self, node: &Node, item: &'a Term, of: &'a Term) -> Truth {
        let first = self.term(item);
        if let TermKind::List(elements) = &of.kind {
            let truth = self.among(&first, elements);
            self.note(node, &truth, &[(item, &first)]);
            return truth;
        }
        let second = self.term(of);
        let truth = match (&first, &second) {
            (Found::Value(first), Found::Value(second)) => match self.pay_to_search(of, first, second) {
                Ok(()) => contains((item, first), (of, second)),
                Err(reason) => Truth::Unknown(reason),
            },
            (Found::Unknown(reason), _) | (_, Found::Unknown(reason)) => Truth::Unknown(reason.clone()),
            (Found::Missing(reason), _) | (_, Found::Missing(reason)) => Truth::Unknown(reason.clone()),
        };
        self.note(node, &truth, &[(item, &first), (of, &second)]);
        truth
    }

    /// Two values are looked at no further than the shorter one goes.
    fn pay_to_compare(&mut self, what: &Term, first: &Value, second: &Value) -> Result<(), Reason> {
        match (first, second) {
            (Value::Text(first), Value::Text(second)) => {
                self.pay(&what.text, first.len().min(second.len()) as u64)
            }
            (first, second) if first.kind() == second.kind() => self.pay_for(&what.text, first),
            _ => Ok(()),
        }
    }

    /// A long list is put in order once, for all customers of a run; a text is searched each time.
    fn pay_to_search(&mut self, what: &Term, item: &Value, within: &Value) -> Result<(), Reason> {
        self.pay_for(&what.text, item)?;
        match within {
            Value::Text(text) => self.pay(&what.text, text.len() as u64),
            Value::List(list) => self.pay(&what.text, list.len() as u64),
            _ => Ok(()),
        }
    }

    /// `x in [a, b]` with elements that may be missing: true if one is equal, else unknown if one is missing.
    fn among(&mut self, found: &Found<'_>, elements: &'a [Term]) -> Truth {
        let value = match found {
            Found::Value(value) => value,
            Found::Missing(reason) | Found::Unknown(reason) => return Truth::Unknown(reason.clone()),
        };
        let mut truth = Truth::False;
        for element in elements {
            if let Err(reason) = self.pay_for(&element.text, value) {
                return Truth::Unknown(reason);
            }
            match self.term(element) {
                Found::Value(element) if *element == **value => return Truth::True,
                Found::Value(_) => {}
                Found::Missing(reason) | Found::Unknown(reason) => truth = Truth::Unknown(reason),
            }
        }
        truth
    }

    fn defined(&mut self, node: &Node, term: &'a Term) -> Truth {
        let found = self.term(term);
        let truth = match &found {
            Found::Value(_) => Truth::True,
            Found::Missing(_) => Truth::False,
            Found::Unknown(reason) => Truth::Unknown(reason.clone()),
        };
        self.note(node, &truth, &[(term, &found)]);
        truth
    }

    fn truthy(&mut self, node: &Node, term: &'a Term) -> Truth {
        let found = self.term(term);
        let truth = match &found {
            Found::Value(value) => value.is_truthy().into(),
            Found::Missing(_) => Truth::False,
            Found::Unknown(reason) => Truth::Unknown(reason.clone()),
        };
        self.note(node, &truth, &[(term, &found)]);
        truth
    }

    fn text_test(
        &mut self,
        node: &Node,
        of: &'a Term,
        with: &'a Term,
        test: fn(&str, &str) -> bool,
    ) -> Truth {
        let (first, second) = (self.term(of), self.term(with));
        let truth = match (&first, &second) {
            (Found::Value(first), Found::Value(second)) => match (first.as_ref(), second.as_ref()) {
                (Value::Text(first), Value::Text(second)) => test(first, second).into(),
                (Value::Text(_), other) => Truth::Unknown(Reason::unfit(&with.text, other, "is no text")),
                (other, _) => Truth::Unknown(Reason::unfit(&of.text, other, "is no text")),
            },
            (Found::Unknown(reason), _) | (_, Found::Unknown(reason)) => Truth::Unknown(reason.clone()),
            (Found::Missing(reason), _) | (_, Found::Missing(reason)) => Truth::Unknown(reason.clone()),
        };
        self.note(node, &truth, &[(of, &first), (with, &second)]);
        truth
    }

    /// Writes down what was decided, if someone wants to know.
    fn note(&mut self, node: &Node, truth: &Truth, looked_at: &[(&Term, &Found<'_>)]) {
        let Some(trace) = &mut self.trace else {
            return;
        };
        let mut text = String::new();
        for (term, found) in looked_at {
            let value = match found {
                Found::Value(_) if matches!(term.kind, TermKind::Literal(_)) => continue,
                Found::Value(value) => format!("{} is `{}`", term.text, shown(value)),
                Found::Missing(reason) | Found::Unknown(reason) => reason.to_string(),
            };
            let separator = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{separator}{value}");
        }
        trace.push(ExplainedStep { span: node.span.clone(), truth: truth.clone(), text });
    }
}
