//! The parts of a source that have a value: names, paths into them, literals, conversions.

use std::sync::Arc;

use minijinja::machinery::ast::{self, BinOpKind, Expr, UnaryOpKind};

use super::super::convert::from_jinja;
use super::super::problem::{ExpressionProblem, nearest};
use super::super::tree::{CallField, Path, PathStep, Root, Term, TermKind};
use super::Compiler;
use super::node::comparison;
use crate::domain::value::{Kind, Value};

/// Whether a path may lead to a param that not every trigger declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// It is caught by `is defined` or `default(…)`.
    Caught,
    Uncaught,
}

impl Compiler<'_> {
    /// Reads an expression as a value.
    pub(crate) fn term(&mut self, expr: &Expr<'_>) -> Option<Term> {
        self.term_with(expr, Absence::Uncaught)
    }

    /// Reads an expression whose absence is caught.
    pub(super) fn tolerant_term(&mut self, expr: &Expr<'_>) -> Option<Term> {
        self.term_with(expr, Absence::Caught)
    }

    fn term_with(&mut self, expr: &Expr<'_>, absence: Absence) -> Option<Term> {
        let kind = match expr {
            Expr::Const(constant) => TermKind::Literal(self.literal(expr, &constant.value)?),
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => self.path(expr, absence)?,
            Expr::Call(call) => self.call(expr, call)?,
            Expr::Filter(filter) if matches!(filter.name, "default" | "d") => self.default(expr, filter)?,
            Expr::List(list) => self.list(&list.items)?,
            Expr::Tuple(tuple) => self.list(&tuple.items)?,
            Expr::IfExpr(choice) => self.value_choice(choice)?,
            Expr::Compare(_) | Expr::Test(_) => return self.truth_term(expr),
            Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Not) => return self.truth_term(expr),
            Expr::UnaryOp(op) => match negative(&op.expr) {
                Some(value) => TermKind::Literal(value),
                None => return self.leaf_term(expr),
            },
            Expr::BinOp(op) if matches!(op.op, BinOpKind::In) || comparison(op.op).is_some() => {
                return self.truth_term(expr);
            }
            Expr::BinOp(op) if matches!(op.op, BinOpKind::ScOr) => {
                TermKind::FirstTruthy(self.pair(&op.left, &op.right)?)
            }
            Expr::BinOp(op) if matches!(op.op, BinOpKind::ScAnd) => {
                TermKind::FirstFalsy(self.pair(&op.left, &op.right)?)
            }
            Expr::BinOp(_) | Expr::Filter(_) | Expr::Slice(_) | Expr::Map(_) => return self.leaf_term(expr),
        };
        Some(self.made(expr, kind))
    }

    pub(super) fn made(&self, expr: &Expr<'_>, kind: TermKind) -> Term {
        let span = self.span(expr);
        Term { text: self.text(&span), span, kind }
    }

    fn pair(&mut self, left: &Expr<'_>, right: &Expr<'_>) -> Option<Box<[Term; 2]>> {
        let (left, right) = (self.tolerant_term(left), self.term(right));
        left.iter().for_each(|first| self.check_first(first));
        Some(Box::new([left?, right?]))
    }

    fn literal(&mut self, expr: &Expr<'_>, value: &minijinja::Value) -> Option<Value> {
        let span = self.span(expr);
        match from_jinja(value) {
            Ok(Some(Value::Text(text))) if text.contains('\0') => self.refuse(ExpressionProblem::error(
                span,
                "a text holds no U+0000, so nothing is ever equal to this",
            )),
            Ok(Some(value)) => Some(value),
            Ok(None) => self.refuse(
                ExpressionProblem::error(span, "`none` is no value: what is not there is missing")
                    .remedy("use `is defined`, `is undefined` or `default(…)`"),
            ),
            Err(error) => self.refuse(ExpressionProblem::error(span, error)),
        }
    }

    fn list(&mut self, items: &[Expr<'_>]) -> Option<TermKind> {
        let terms: Vec<Option<Term>> = items.iter().map(|item| self.term(item)).collect();
        let terms: Vec<Term> = terms.into_iter().collect::<Option<_>>()?;
        let literals: Option<Vec<Value>> = terms
            .iter()
            .map(|term| match &term.kind {
                TermKind::Literal(value) => Some(value.clone()),
                _ => None,
            })
            .collect();
        Some(match literals {
            Some(values) => TermKind::Literal(Value::List(values.into())),
            None => TermKind::List(terms),
        })
    }

    fn value_choice(&mut self, choice: &ast::IfExpr<'_>) -> Option<TermKind> {
        let outside = self.guards.clone();
        let test = self.deciding(&choice.test_expr);
        self.guards = outside.where_holds(&choice.test_expr, self.scope);
        let then = self.term(&choice.true_expr);
        self.guards = outside.where_fails(&choice.test_expr, self.scope);
        let otherwise = choice.false_expr.as_ref().map(|expr| self.term(expr));
        self.guards = outside;
        let otherwise = match otherwise {
            Some(term) => Some(term?),
            None => None,
        };
        Some(TermKind::If(Box::new((test?, then?, otherwise))))
    }

    fn default(&mut self, expr: &Expr<'_>, filter: &ast::Filter<'_>) -> Option<TermKind> {
        let (fallback, falsy) = match filter.args.as_slice() {
            [ast::CallArg::Pos(fallback)] => (fallback, None),
            [
                ast::CallArg::Pos(fallback),
                ast::CallArg::Pos(falsy) | ast::CallArg::Kwarg("boolean", falsy),
            ] => (fallback, Some(falsy)),
            _ => {
                let problem =
                    ExpressionProblem::error(self.span(expr), "`default` takes the value to use instead");
                return self.refuse(problem.remedy("write `default(0)` or `default(\"\")`"));
            }
        };
        let of = filter.expr.as_ref()?;
        let (of, fallback) = (self.tolerant_term(of), self.term(fallback));
        let replaces_falsy = match falsy {
            Some(Expr::Const(constant)) => constant.value.is_true(),
            Some(other) => {
                let span = self.span(other);
                return self.refuse(ExpressionProblem::error(
                    span,
                    "whether `default` replaces falsy values is true or false",
                ));
            }
            None => false,
        };
        Some(TermKind::Default { of: Box::new(of?), fallback: Box::new(fallback?), replaces_falsy })
    }

    fn call(&mut self, expr: &Expr<'_>, call: &ast::Call<'_>) -> Option<TermKind> {
        if let Some(kind) = self.events_term(expr) {
            return kind;
        }
        let Expr::Var(function) = &call.expr else {
            return self.refuse_method(expr, call);
        };
        let to = match function.id {
            "number" => Kind::Number,
            "timestamp" => Kind::Timestamp,
            "text" => Kind::Text,
            "range" | "dict" => return Some(self.leaf_term(expr)?.kind),
            name => return self.refuse_function(expr, name),
        };
        let [ast::CallArg::Pos(argument)] = call.args.as_slice() else {
            let problem =
                ExpressionProblem::error(self.span(expr), format!("`{}` takes one value", function.id));
            return self.refuse(problem);
        };
        Some(TermKind::Convert(to, Box::new(self.tolerant_term(argument)?)))
    }

    fn path(&mut self, expr: &Expr<'_>, absence: Absence) -> Option<TermKind> {
        let Some((base, steps)) = unwind(expr) else {
            return Some(self.leaf_term(expr)?.kind);
        };
        let Expr::Var(var) = base else {
            return match self.events_path(base, steps.clone()) {
                Some(kind) => kind,
                None => Some(self.leaf_term(expr)?.kind),
            };
        };
        if !self.scope.place.roots().contains(&var.id) {
            return self.refuse_root(base, var.id);
        }
        let root = match var.id {
            "now" if steps.is_empty() => return Some(TermKind::Now),
            "call" => return self.call_field(expr, &steps),
            "consents" if steps.len() == 1 => match &steps[0] {
                PathStep::Name(name) => return Some(TermKind::Consent(name.to_string())),
                PathStep::Index(_) => Root::Consents,
            },
            "params" => {
                self.check_param(expr, &steps, absence)?;
                Root::Params
            }
            "ids" => return self.id(expr, &steps),
            "customer" => Root::Customer,
            "consents" => Root::Consents,
            "body" => Root::Body,
            "headers" => Root::Headers,
            "query" => Root::Query,
            "item" => Root::Item,
            _ => {
                let problem = ExpressionProblem::error(self.span(expr), format!("`{}` has no parts", var.id));
                return self.refuse(problem);
            }
        };
        if root == Root::Customer {
            self.warn_of_id(expr, &steps);
            self.warn_of_length(expr, &steps);
        }
        let steps = if root == Root::Headers { lower_case(steps) } else { steps };
        Some(TermKind::Path(Path { root, steps }))
    }

    /// `ids.registered`: one of the customer's own ids.
    pub(super) fn id(&mut self, expr: &Expr<'_>, steps: &[PathStep]) -> Option<TermKind> {
        match steps {
            [PathStep::Name(kind)] => Some(TermKind::Id(Arc::clone(kind))),
            _ => {
                let problem = ExpressionProblem::error(self.span(expr), "`ids` is not a value by itself");
                self.refuse(problem.remedy("name the kind of id, as in `ids.registered`"))
            }
        }
    }

    /// Whether an attribute's name is how people ask for an id, and how it is asked for here.
    pub(super) fn warn_of_id(&mut self, expr: &Expr<'_>, steps: &[PathStep]) {
        let meant = match steps {
            [PathStep::Name(name)]
                if matches!(name.as_ref(), "id" | "ids" | "customer_id" | "customer_ids") =>
            {
                "registered"
            }
            [PathStep::Name(name), PathStep::Name(kind), ..]
                if matches!(name.as_ref(), "id" | "ids" | "customer_ids") =>
            {
                kind.as_ref()
            }
            _ => return,
        };
        let message =
            format!("this is an attribute, and not one of the customer's ids; those are `ids.{meant}`");
        let problem = ExpressionProblem::warning(self.span(expr), message);
        self.problems.push(problem.remedy(format!("write `ids.{meant}`, unless an attribute is meant")));
    }

    /// `customer.tags.length`, which is an attribute of an attribute.
    fn warn_of_length(&mut self, expr: &Expr<'_>, steps: &[PathStep]) {
        let Some((PathStep::Name(last), [_, ..])) = steps.split_last() else { return };
        if !matches!(last.as_ref(), "length" | "size" | "count") {
            return;
        }
        let span = self.span(expr);
        let text = self.text(&span);
        let of = text.strip_suffix(last.as_ref()).map_or("…", |of| of.trim_end_matches('.'));
        let problem = ExpressionProblem::warning(span, format!("`{last}` is read as an attribute here"));
        self.problems.push(problem.remedy(format!("write `{of} | length`, unless an attribute is meant")));
    }

    pub(super) fn call_field(&mut self, expr: &Expr<'_>, steps: &[PathStep]) -> Option<TermKind> {
        let names = ["id", "trigger", "receivedAt"];
        let problem = match steps {
            [PathStep::Name(name)] => match name.as_ref() {
                "id" => return Some(TermKind::Call(CallField::Id)),
                "trigger" => return Some(TermKind::Call(CallField::Trigger)),
                "receivedAt" => return Some(TermKind::Call(CallField::ReceivedAt)),
                name => {
                    let problem =
                        ExpressionProblem::error(self.span(expr), format!("a call has no `{name}`"));
                    match nearest(name, names) {
                        Some(near) => problem.remedy(format!("did you mean `call.{near}`?")),
                        None => problem.remedy("it has `call.id`, `call.trigger` and `call.receivedAt`"),
                    }
                }
            },
            _ => ExpressionProblem::error(self.span(expr), "`call` is not a value by itself")
                .remedy("use `call.id`, `call.trigger` or `call.receivedAt`"),
        };
        self.refuse(problem)
    }

    /// A param must be declared by every trigger that is possible here, alike.
    pub(super) fn check_param(
        &mut self,
        expr: &Expr<'_>,
        steps: &[PathStep],
        absence: Absence,
    ) -> Option<()> {
        let Some(PathStep::Name(name)) = steps.first() else {
            return Some(());
        };
        let possible = self.guards.triggers.clone();
        let triggers = || possible.iter().map(|index| &self.scope.triggers[*index]);
        if triggers().any(|trigger| trigger.is_missing) {
            return Some(());
        }
        let mut words: Vec<&str> = triggers()
            .filter_map(|trigger| trigger.parameters.get(name.as_ref()))
            .map(|declared| declared.word)
            .collect();
        let declared = words.len();
        words.dedup();
        let span = self.span(expr);
        if words.len() == 1 {
            self.check_way(span.clone(), name, &steps[1..])?;
        }
        if declared == 0 {
            let problem = ExpressionProblem::error(span, format!("no parameter `{name}` is declared"));
            let near = nearest(name, self.scope.parameter_names().filter(|known| *known != name.as_ref()));
            return self.refuse(match near {
                Some(near) => problem.remedy(format!("did you mean `params.{near}`?")),
                None => problem.remedy("declare it in the trigger's `parameters`"),
            });
        }
        if words.len() > 1 {
            let problem = ExpressionProblem::error(
                span,
                format!("the triggers declare `{name}` as {}", words.join(" and as ")),
            );
            return self.refuse(problem.remedy("declare it alike, or guard it by `call.trigger == \"…\"`"));
        }
        let guarded = absence == Absence::Caught || self.guards.present.iter().any(|known| **known == **name);
        if declared < possible.len() && !guarded {
            let without: Vec<String> = triggers()
                .filter(|trigger| !trigger.parameters.contains_key(name.as_ref()))
                .map(|trigger| format!("`{}`", trigger.name))
                .collect();
            let problem = ExpressionProblem::error(
                span,
                format!("{} does not declare the parameter `{name}`", without.join(", ")),
            );
            return self.refuse(problem.remedy(format!(
                "guard it by `call.trigger == \"…\"`, `params.{name} is defined` or `default(…)`"
            )));
        }
        Some(())
    }
}

/// The base of `base.a["b"][0]` and the steps; `None` if a step is not known before the run.
pub(super) fn unwind<'e, 's>(expr: &'e Expr<'s>) -> Option<(&'e Expr<'s>, Vec<PathStep>)> {
    let mut steps = Vec::new();
    let mut at = expr;
    loop {
        at = match at {
            Expr::GetAttr(get) => {
                steps.push(PathStep::Name(get.name.into()));
                &get.expr
            }
            Expr::GetItem(get) => {
                steps.push(step(&get.subscript_expr)?);
                &get.expr
            }
            base => {
                steps.reverse();
                return Some((base, steps));
            }
        };
    }
}

fn step(subscript: &Expr<'_>) -> Option<PathStep> {
    match subscript {
        Expr::Const(constant) => match constant.value.as_str() {
            Some(name) => Some(PathStep::Name(name.into())),
            None if constant.value.is_integer() => constant.value.as_i64().map(PathStep::Index),
            None => None,
        },
        Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Neg) => match step(&op.expr)? {
            PathStep::Index(index) => index.checked_neg().map(PathStep::Index),
            PathStep::Name(_) => None,
        },
        _ => None,
    }
}

/// Header names do not depend on case.
fn lower_case(steps: Vec<PathStep>) -> Vec<PathStep> {
    steps
        .into_iter()
        .map(|step| match step {
            PathStep::Name(name) => PathStep::Name(Arc::from(name.to_ascii_lowercase())),
            index => index,
        })
        .collect()
}

/// The literal of `-5`.
fn negative(expr: &Expr<'_>) -> Option<Value> {
    let Expr::Const(constant) = expr else {
        return None;
    };
    let value = &constant.value;
    if !value.is_number() {
        return None;
    }
    if value.is_integer() {
        let integer = i128::try_from(value.clone()).ok()?.checked_neg()?;
        return from_jinja(&minijinja::Value::from(integer)).ok().flatten();
    }
    from_jinja(&minijinja::Value::from(-f64::try_from(value.clone()).ok()?)).ok().flatten()
}
