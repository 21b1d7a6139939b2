//! Parts of a condition that decide nothing: a constant, a whole map, what is always there.
//!
//! `customer.product == "car" or "home"` holds for everyone, which nobody means who writes it. Only `everyone: {}` means
//! everyone.

use minijinja::machinery::ast::{BinOpKind, Expr, UnaryOpKind};

use super::super::problem::ExpressionProblem;
use super::super::scope::Place;
use super::super::tree::{Aggregate, Node, NodeKind, Term, TermKind};
use super::{Compiler, Purpose};
use crate::domain::value::{Kind, Value};

impl Compiler<'_> {
    /// Reads a part on which the whole depends; one that is the same for all is refused.
    pub(super) fn deciding(&mut self, expr: &Expr<'_>) -> Option<Node> {
        let node = self.node(expr)?;
        match self.undeciding(&node).or_else(|| self.computed(expr)) {
            Some(problem) => self.refuse(problem),
            None => Some(node),
        }
    }

    /// What is added up or joined is there for everyone who has its parts.
    fn computed(&self, expr: &Expr<'_>) -> Option<ExpressionProblem> {
        let Expr::BinOp(op) = expr else { return None };
        let what = match op.op {
            BinOpKind::Concat => "a text that is joined",
            BinOpKind::Add
            | BinOpKind::Sub
            | BinOpKind::Mul
            | BinOpKind::Div
            | BinOpKind::FloorDiv
            | BinOpKind::Rem
            | BinOpKind::Pow => "a value that is computed",
            _ => return None,
        };
        let text = self.text(&self.span(expr));
        let problem =
            ExpressionProblem::error(self.span(expr), format!("`{text}` is {what}, which is no comparison"));
        Some(problem.remedy(format!("compare it: `{text} == …`")))
    }

    /// A side of a choice: `false` says that it does not hold there, unless a `not` makes everyone of it.
    pub(super) fn side(&mut self, expr: &Expr<'_>) -> Option<Node> {
        let is_false =
            matches!(expr, Expr::Const(constant) if constant.value == minijinja::Value::from(false));
        if is_false && !self.negated { self.node(expr) } else { self.deciding(expr) }
    }

    fn undeciding(&self, node: &Node) -> Option<ExpressionProblem> {
        let text = self.text(&node.span);
        let error = |message: String| ExpressionProblem::error(node.span.clone(), message);
        if !node.reads() {
            let problem = error(format!("`{text}` is the same for all, so it decides nothing"));
            return Some(problem.remedy(self.instead_of_a_constant(node)));
        }
        match &node.kind {
            NodeKind::Truthy(term) => self.undeciding_value(node, term, &text),
            NodeKind::Defined(term) if is_always_there(term) => {
                let problem = error(format!("`{}` is always there, so this holds for all", term.text));
                Some(problem.remedy(match &term.kind {
                    TermKind::Consent(_) => format!("a consent is true or false: write `{}`", term.text),
                    TermKind::Events(_) => format!("write `{} > 0`", term.text),
                    _ => "ask for a part of it, such as `customer.phone is defined`".to_owned(),
                }))
            }
            _ => None,
        }
    }

    fn undeciding_value(&self, node: &Node, term: &Term, text: &str) -> Option<ExpressionProblem> {
        let error = |message: String| ExpressionProblem::error(node.span.clone(), message);
        if let TermKind::Path(path) = &term.kind
            && path.steps.is_empty()
        {
            let problem = error(format!("`{text}` is all of them together, which is there for everyone"));
            return Some(problem.remedy(format!("name a part and compare it: `{text}.name == \"…\"`")));
        }
        if matches!(term.kind, TermKind::Now | TermKind::Call(_)) {
            let problem = error(format!("`{text}` is always there, so this holds for all"));
            return Some(problem.remedy(format!("compare it: `{text} == …`")));
        }
        let asks_for_an_event = matches!(&term.kind, TermKind::Events(events) if matches!(events.aggregate, Aggregate::First(_) | Aggregate::Last(_)));
        match self.kind_of(term) {
            Some(Kind::List) => {
                let problem = error(format!("`{text}` is a whole list, which is no comparison"));
                Some(problem.remedy(format!("write `customer.… in {text}`")))
            }
            Some(Kind::Object) if !asks_for_an_event => {
                let problem = error(format!("`{text}` is a whole object, which is no comparison"));
                Some(problem.remedy(format!("name a part and compare it: `{text}.name == \"…\"`")))
            }
            _ => None,
        }
    }

    /// What to write where a constant stands.
    fn instead_of_a_constant(&self, node: &Node) -> String {
        let literal = self.text(&node.span);
        if looks_like_a_condition(&literal) {
            return "it is one text, as it is quoted twice: take the inner quotes off".to_owned();
        }
        if let Some(meant) = &self.meant {
            return meant.clone();
        }
        match self.scope.place {
            Place::Trigger => "compare it with something, as in `params.line in [\"a\", \"b\"]`; for every call, leave `where` out",
            Place::Customer => {
                "compare it with something, as in `customer.product in [\"a\", \"b\"]`; only `everyone: {}` means everyone"
            }
            Place::Request | Place::Element | Place::Admission => "compare it with something, as in `… in [\"a\", \"b\"]`",
        }
        .to_owned()
    }

    /// What `x == "a" or "b"` means, to be said of each constant among the operands.
    pub(super) fn meant_by(&self, operands: &[&Expr<'_>], of: BinOpKind) -> Option<String> {
        let compared = operands.iter().find_map(|operand| match operand {
            Expr::BinOp(op) if matches!(op.op, BinOpKind::Eq | BinOpKind::Ne) => Some(op),
            _ => None,
        })?;
        let constants: Vec<&&Expr<'_>> =
            operands.iter().filter(|operand| is_text_or_number(operand)).collect();
        if constants.is_empty() {
            return None;
        }
        let negated = matches!(compared.op, BinOpKind::Ne) || matches!(of, BinOpKind::ScAnd);
        let subject = self.text(&self.span(&compared.left));
        let first = self.text(&self.span(&compared.right));
        let rest: Vec<String> =
            constants.iter().map(|constant| format!(", {}", self.text(&self.span(constant)))).collect();
        let operator = if negated && matches!(compared.op, BinOpKind::Ne) { "not in" } else { "in" };
        Some(format!("write `{subject} {operator} [{first}{}]`", rest.concat()))
    }

    /// In `{% if … %}` of a content: a text or a number among the operands of `and`, `or` and `not`.
    pub(super) fn check_test(&mut self, expr: &Expr<'_>) {
        match expr {
            Expr::BinOp(op) if matches!(op.op, BinOpKind::ScAnd | BinOpKind::ScOr) => {
                let mut operands = Vec::new();
                super::node::flatten(expr, op.op, &mut operands);
                let meant = self.meant_by(&operands, op.op);
                for operand in operands {
                    if is_text_or_number(operand) {
                        let text = self.text(&self.span(operand));
                        let message = format!("`{text}` is the same for all, so it decides nothing");
                        let remedy = "compare it with something, as in `customer.product in [\"a\", \"b\"]`";
                        let remedy = meant.clone().unwrap_or_else(|| remedy.to_owned());
                        self.problems
                            .push(ExpressionProblem::error(self.span(operand), message).remedy(remedy));
                    }
                    self.check_test(operand);
                }
            }
            Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Not) => self.check_test(&op.expr),
            _ => {}
        }
    }

    /// The first of `a or b` between values: a constant there makes the other useless.
    pub(super) fn check_first(&mut self, first: &Term) {
        if first.reads() || self.purpose == Purpose::Content {
            return;
        }
        let problem = ExpressionProblem::error(
            first.span.clone(),
            format!("`{}` is the same for all, so it decides nothing", first.text),
        );
        self.problems.push(problem.remedy(
            "a list stands in brackets, as in `customer.product in [\"a\", \"b\"]`; a default comes last",
        ));
    }
}

fn is_text_or_number(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Const(constant) => constant.value.as_str().is_some() || constant.value.is_number(),
        Expr::List(list) => list.items.iter().all(|item| matches!(item, Expr::Const(_))),
        _ => false,
    }
}

/// A text with an operator or a known name in it.
fn looks_like_a_condition(text: &str) -> bool {
    let quoted = text.starts_with(['"', '\'']);
    quoted
        && ["==", "!=", "<", ">", " in ", " is ", "customer.", "params.", "consents.", "events("]
            .iter()
            .any(|part| text.contains(part))
}

fn is_always_there(term: &Term) -> bool {
    match &term.kind {
        TermKind::Path(path) => path.steps.is_empty(),
        TermKind::Now | TermKind::Call(_) | TermKind::Consent(_) => true,
        TermKind::Events(events) => matches!(events.aggregate, Aggregate::Count | Aggregate::Sum(_)),
        TermKind::Literal(_) => true,
        TermKind::Default { fallback, .. } => matches!(
            fallback.kind,
            TermKind::Literal(Value::Text(_) | Value::Number(_) | Value::Boolean(_) | Value::List(_))
        ),
        _ => false,
    }
}
