//! The parts of a condition that are true, false or unknown.

use std::sync::Arc;

use minijinja::machinery::ast::{self, BinOpKind, CompareOpKind, Expr, UnaryOpKind};

use super::super::problem::{ExpressionProblem, nearest};
use super::super::tree::{Node, NodeKind, Term, TermKind};
use super::guards::{is_call_trigger, text};
use super::names::{PLAIN_TESTS, operator_for_test, test_names};
use super::{Compiler, Purpose, words};
use crate::domain::selection::Comparison;
use crate::domain::value::Value;

impl Compiler<'_> {
    /// Reads an expression as a condition.
    pub(crate) fn node(&mut self, expr: &Expr<'_>) -> Option<Node> {
        let kind = match expr {
            Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Not) => {
                if let Expr::Test(test) = &op.expr
                    && is_none_word(test.name)
                {
                    return self.refuse_none_test(expr, &test.expr, "defined");
                }
                self.negated = !self.negated;
                let inner = self.deciding(&op.expr);
                self.negated = !self.negated;
                NodeKind::Not(Box::new(inner?))
            }
            Expr::BinOp(op) => match (op.op, comparison(op.op)) {
                (BinOpKind::ScAnd, _) => self.all(expr)?,
                (BinOpKind::ScOr, _) => self.any(expr)?,
                (BinOpKind::In, _) => self.within(&op.left, &op.right)?,
                (_, Some(comparison)) => self.compare(&op.left, comparison, &op.right)?,
                (_, None) => NodeKind::Truthy(self.term(expr)?),
            },
            Expr::Compare(chain) => self.chain(chain)?,
            Expr::IfExpr(choice) => self.choice(choice)?,
            Expr::Test(test) => self.test(expr, test)?,
            _ => self.bare(expr)?,
        };
        Some(Node { span: self.span(expr), kind })
    }

    fn bare(&mut self, expr: &Expr<'_>) -> Option<NodeKind> {
        let term = self.term(expr)?;
        Some(match term.kind {
            TermKind::Literal(value) => NodeKind::Constant(value.is_truthy()),
            _ => NodeKind::Truthy(term),
        })
    }

    /// `a and b and c`: each side is read knowing what the others say of the trigger.
    fn all(&mut self, expr: &Expr<'_>) -> Option<NodeKind> {
        let outside = self.guards.clone();
        self.guards = outside.where_holds(expr, self.scope);
        let nodes = self.operands(expr, BinOpKind::ScAnd);
        self.guards = outside;
        Some(NodeKind::All(nodes?))
    }

    fn any(&mut self, expr: &Expr<'_>) -> Option<NodeKind> {
        Some(NodeKind::Any(self.operands(expr, BinOpKind::ScOr)?))
    }

    fn operands(&mut self, expr: &Expr<'_>, of: BinOpKind) -> Option<Vec<Node>> {
        let mut flat = Vec::new();
        flatten(expr, of, &mut flat);
        let meant = self.meant_by(&flat, of);
        let outside = std::mem::replace(&mut self.meant, meant);
        let nodes: Vec<Option<Node>> = flat.into_iter().map(|operand| self.deciding(operand)).collect();
        self.meant = outside;
        nodes.into_iter().collect()
    }

    fn choice(&mut self, choice: &ast::IfExpr<'_>) -> Option<NodeKind> {
        let outside = self.guards.clone();
        let test = self.deciding(&choice.test_expr);
        self.guards = outside.where_holds(&choice.test_expr, self.scope);
        let then = self.side(&choice.true_expr);
        self.guards = outside.where_fails(&choice.test_expr, self.scope);
        let otherwise = match &choice.false_expr {
            Some(expr) => self.side(expr),
            None if self.negated => {
                let problem = ExpressionProblem::error(
                    self.span(&choice.true_expr),
                    "under `not`, a choice without `else` holds for everyone who is not asked",
                );
                self.refuse(problem.remedy("write what holds otherwise: `b if a else c`"))
            }
            None => {
                then.as_ref().map(|then| Node { span: then.span.clone(), kind: NodeKind::Constant(false) })
            }
        };
        self.guards = outside;
        Some(NodeKind::If(Box::new([test?, then?, otherwise?])))
    }

    fn chain(&mut self, chain: &ast::Compare<'_>) -> Option<NodeKind> {
        let mut left = self.term(&chain.expr).map(Arc::new);
        let mut left_expr = &chain.expr;
        let mut nodes = Vec::with_capacity(chain.ops.len());
        for op in &chain.ops {
            let asked = absence_asked(matches!(op.op, CompareOpKind::Ne));
            let right = self.operand(&op.expr, left_expr, asked).map(Arc::new);
            if let (Some(left), Some(right)) = (&left, &right) {
                self.check_link(left, op.op, right);
                nodes.push(self.link(left, op.op, right));
            }
            left = right;
            left_expr = &op.expr;
        }
        (nodes.len() == chain.ops.len()).then_some(NodeKind::All(nodes))
    }

    fn check_link(&mut self, left: &Term, op: CompareOpKind, right: &Term) {
        let by = match op {
            CompareOpKind::Eq => Comparison::Equal,
            CompareOpKind::Ne => Comparison::NotEqual,
            CompareOpKind::Lt => Comparison::Less,
            CompareOpKind::Lte => Comparison::LessOrEqual,
            CompareOpKind::Gt => Comparison::Greater,
            CompareOpKind::Gte => Comparison::GreaterOrEqual,
            CompareOpKind::In | CompareOpKind::NotIn => return self.check_within(left, right),
        };
        self.check_comparison(left, by, right);
    }

    /// One comparison of a chain.
    fn link(&self, left: &Arc<Term>, op: CompareOpKind, right: &Arc<Term>) -> Node {
        let span = left.span.start..right.span.end.max(left.span.start);
        let (left, right) = (Arc::clone(left), Arc::clone(right));
        let kind = match op {
            CompareOpKind::Eq => NodeKind::Compare(left, Comparison::Equal, right),
            CompareOpKind::Ne => NodeKind::Compare(left, Comparison::NotEqual, right),
            CompareOpKind::Lt => NodeKind::Compare(left, Comparison::Less, right),
            CompareOpKind::Lte => NodeKind::Compare(left, Comparison::LessOrEqual, right),
            CompareOpKind::Gt => NodeKind::Compare(left, Comparison::Greater, right),
            CompareOpKind::Gte => NodeKind::Compare(left, Comparison::GreaterOrEqual, right),
            CompareOpKind::In => NodeKind::Within(left, right),
            CompareOpKind::NotIn => {
                NodeKind::Not(Box::new(Node { span: span.clone(), kind: NodeKind::Within(left, right) }))
            }
        };
        Node { span, kind }
    }

    fn compare(&mut self, left: &Expr<'_>, comparison: Comparison, right: &Expr<'_>) -> Option<NodeKind> {
        self.check_trigger_name(left, right);
        let asked = absence_asked(comparison == Comparison::NotEqual);
        let (first, second) = (self.operand(left, right, asked), self.operand(right, left, asked));
        let (first, second) = (first?, second?);
        self.check_comparison(&first, comparison, &second);
        Some(NodeKind::Compare(Arc::new(first), comparison, Arc::new(second)))
    }

    fn within(&mut self, item: &Expr<'_>, of: &Expr<'_>) -> Option<NodeKind> {
        let asked = absence_asked(false);
        let (item, of) = (self.operand(item, of, asked), self.operand(of, item, asked));
        let (item, of) = (item?, of?);
        self.check_within(&item, &of);
        Some(NodeKind::Within(Arc::new(item), Arc::new(of)))
    }

    /// One side of a comparison; `none` gets the remedy that means what was written.
    fn operand(&mut self, expr: &Expr<'_>, other: &Expr<'_>, asked: [&str; 2]) -> Option<Term> {
        if let Some(none) = none_word(expr) {
            let other = self.text(&self.span(other));
            let [meant, opposite] = asked;
            let problem = ExpressionProblem::error(
                self.span(expr),
                format!("nothing is ever equal to `{none}`: customers hold no nulls"),
            );
            return self
                .refuse(problem.remedy(format!(
                    "write `{other} is {meant}` (the opposite is `{other} is {opposite}`)"
                )));
        }
        self.term(expr)
    }

    fn check_trigger_name(&mut self, left: &Expr<'_>, right: &Expr<'_>) {
        for (subject, expr) in [(left, right), (right, left)] {
            if let Some(name) = text(expr).filter(|_| is_call_trigger(subject))
                && !self.scope.trigger_names().any(|known| known == name)
            {
                let problem = ExpressionProblem::error(
                    self.span(expr),
                    format!("this scenario has no trigger `{name}`"),
                );
                let known: Vec<&str> = self.scope.trigger_names().collect();
                let problem = match nearest(name, known.iter().copied()) {
                    Some(near) => problem.remedy(format!("did you mean `{near}`?")),
                    None => problem.remedy(format!("it listens to {}", known.join(", "))),
                };
                self.problems.push(problem);
            }
        }
    }

    fn test(&mut self, expr: &Expr<'_>, test: &ast::Test<'_>) -> Option<NodeKind> {
        let takes_one = matches!(test.name, "startingwith" | "endingwith" | "divisibleby");
        if !test.args.is_empty()
            && !takes_one
            && PLAIN_TESTS.iter().chain(&["defined", "undefined"]).any(|n| *n == test.name)
        {
            let problem =
                ExpressionProblem::error(self.span(expr), format!("the test `{}` takes nothing", test.name));
            return self.refuse(problem.remedy("put the test in parentheses if something follows it"));
        }
        match test.name {
            "defined" => Some(NodeKind::Defined(self.tolerant_term(&test.expr)?)),
            "undefined" => {
                let defined = NodeKind::Defined(self.tolerant_term(&test.expr)?);
                let span = self.span(expr);
                Some(NodeKind::Not(Box::new(Node { span, kind: defined })))
            }
            "startingwith" | "endingwith" => {
                let [ast::CallArg::Pos(with)] = test.args.as_slice() else {
                    let problem =
                        ExpressionProblem::error(self.span(expr), format!("`{}` takes one text", test.name));
                    return self.refuse(problem);
                };
                let (of, with) = (self.term(&test.expr)?, self.term(with)?);
                [&of, &with].into_iter().for_each(|term| self.check_text(term));
                Some(match test.name {
                    "startingwith" => NodeKind::StartsWith(of, with),
                    _ => NodeKind::EndsWith(of, with),
                })
            }
            name if is_none_word(name) => self.refuse_none_test(expr, &test.expr, "undefined"),
            name if PLAIN_TESTS.contains(&name) => Some(NodeKind::Truthy(self.leaf(expr)?)),
            name => self.refuse_test(expr, name),
        }
    }

    /// `x is none`, or `x is not none`: `meant` is the test that says the same of a missing value.
    fn refuse_none_test<T>(&mut self, expr: &Expr<'_>, of: &Expr<'_>, meant: &str) -> Option<T> {
        let of = self.text(&self.span(of));
        let problem =
            ExpressionProblem::error(self.span(expr), "customers hold no nulls, so nothing is ever `none`");
        self.refuse(problem.remedy(format!("write `{of} is {meant}`")))
    }

    fn refuse_test<T>(&mut self, expr: &Expr<'_>, name: &str) -> Option<T> {
        let span = self.span(expr);
        if let Some(operator) = operator_for_test(name) {
            let problem = ExpressionProblem::error(
                span,
                format!("the test `{name}` compares as Jinja does, a text with a number"),
            );
            return self.refuse(problem.remedy(format!("write `{operator}`")));
        }
        let problem = ExpressionProblem::error(span, format!("there is no test `{name}`"));
        if let Some(remedy) = words::remedy_for_test(name) {
            return self.refuse(problem.remedy(remedy));
        }
        let near = nearest(name, test_names());
        self.refuse(match near {
            Some(near) => problem.remedy(format!("did you mean `is {near}`?")),
            None => problem.remedy(format!("there are: {}", test_names().collect::<Vec<_>>().join(", "))),
        })
    }

    /// A condition where a value is wanted: its truth, as a boolean.
    pub(super) fn truth_term(&mut self, expr: &Expr<'_>) -> Option<Term> {
        let node = self.node(expr)?;
        let span = node.span.clone();
        let kind = match node.kind {
            NodeKind::Constant(truth) => TermKind::Literal(Value::Boolean(truth)),
            _ => TermKind::Truth(Box::new(node)),
        };
        Some(Term { text: self.text(&span), span, kind })
    }

    pub(super) fn decides(&self) -> bool {
        self.purpose == Purpose::Condition
    }
}

/// The operands of `a and b and c`, or of the same with `or`, in order.
pub(super) fn flatten<'e, 's>(expr: &'e Expr<'s>, of: BinOpKind, into: &mut Vec<&'e Expr<'s>>) {
    match expr {
        Expr::BinOp(op) if std::mem::discriminant(&op.op) == std::mem::discriminant(&of) => {
            flatten(&op.left, of, into);
            flatten(&op.right, of, into);
        }
        operand => into.push(operand),
    }
}

/// The test that `== none` means, or `!= none`, and its opposite.
fn absence_asked(differs: bool) -> [&'static str; 2] {
    if differs { ["defined", "undefined"] } else { ["undefined", "defined"] }
}

/// Whether this is how some language writes that nothing is there.
pub(super) fn is_none_word(name: &str) -> bool {
    ["none", "null", "nil"].iter().any(|word| name.eq_ignore_ascii_case(word))
}

fn none_word<'s>(expr: &Expr<'s>) -> Option<&'s str> {
    match expr {
        Expr::Const(constant) if constant.value.is_none() => Some("none"),
        Expr::Var(var) if is_none_word(var.id) => Some(var.id),
        _ => None,
    }
}

pub(super) fn comparison(op: BinOpKind) -> Option<Comparison> {
    match op {
        BinOpKind::Eq => Some(Comparison::Equal),
        BinOpKind::Ne => Some(Comparison::NotEqual),
        BinOpKind::Lt => Some(Comparison::Less),
        BinOpKind::Lte => Some(Comparison::LessOrEqual),
        BinOpKind::Gt => Some(Comparison::Greater),
        BinOpKind::Gte => Some(Comparison::GreaterOrEqual),
        _ => None,
    }
}
