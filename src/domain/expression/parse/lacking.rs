//! Which value a text lacked: Jinja says where it stopped, which may be a filter, a comparison or the end of a path.

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr};

use super::span;
use super::whole::parse_whole_expression;

/// What a customer's text can lack; what a template gave itself is not known outside of it.
const ROOTS: &[&str] = &["customer", "params", "consents", "ids", "call", "events"];

/// The value that was missing where rendering stopped at a place of a template. `is_there` evaluates an expression.
pub(crate) fn lacking(template: &str, at: usize, is_there: &dyn Fn(&str) -> bool) -> Option<String> {
    let text = expression_around(template, at)?;
    let expr = parse_whole_expression(text).ok()?;
    Search { text, is_there }.find(&expr)
}

/// The expression of the tag that a place is in.
pub(crate) fn expression_around(template: &str, at: usize) -> Option<&str> {
    let (before, behind) = (template.get(..at)?, template.get(at..)?);
    let begin = before.rfind("{{").max(before.rfind("{%"))? + 2;
    let end = at + [behind.find("}}"), behind.find("%}")].into_iter().flatten().min()?;
    let inner = template.get(begin..end)?.trim_matches(['-', '+']).trim();
    let word = |word: &str| inner.strip_prefix(word).filter(|rest| rest.starts_with([' ', '(', '\n', '\t']));
    let condition = word("if").or_else(|| word("elif"));
    let iterated = || word("for")?.split_once(" in ").map(|(_, rest)| rest);
    let given = || word("set")?.split_once('=').map(|(_, rest)| rest);
    Some(condition.or_else(iterated).or_else(given).unwrap_or(inner).trim())
}

struct Search<'a> {
    text: &'a str,
    is_there: &'a dyn Fn(&str) -> bool,
}

impl Search<'_> {
    /// The first missing value in the order of evaluation, but for those whose absence is no error.
    fn find(&self, expr: &Expr<'_>) -> Option<String> {
        match expr {
            Expr::Const(_) => None,
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) | Expr::Call(_) => self.in_path(expr),
            Expr::Filter(filter) if matches!(filter.name, "default" | "d") => self.in_arguments(&filter.args),
            Expr::Filter(filter) => {
                filter.expr.as_ref().and_then(|of| self.find(of)).or_else(|| self.in_arguments(&filter.args))
            }
            Expr::Test(test) if matches!(test.name, "defined" | "undefined") => None,
            Expr::Test(test) => self.find(&test.expr).or_else(|| self.in_arguments(&test.args)),
            Expr::BinOp(op) if matches!(op.op, BinOpKind::ScAnd | BinOpKind::ScOr) => {
                self.in_truth(&op.left).or_else(|| self.find(&op.right))
            }
            Expr::BinOp(op) => self.find(&op.left).or_else(|| self.find(&op.right)),
            Expr::Compare(chain) => {
                self.find(&chain.expr).or_else(|| chain.ops.iter().find_map(|op| self.find(&op.expr)))
            }
            Expr::UnaryOp(op) => self.in_truth(&op.expr),
            Expr::IfExpr(choice) => self.in_truth(&choice.test_expr).or_else(|| {
                match (self.is_there)(&format!("1 if ({})", self.source(&choice.test_expr))) {
                    true => self.find(&choice.true_expr),
                    false => choice.false_expr.as_ref().and_then(|otherwise| self.find(otherwise)),
                }
            }),
            Expr::Slice(slice) => self.find(&slice.expr),
            Expr::List(list) => list.items.iter().find_map(|item| self.find(item)),
            Expr::Tuple(tuple) => tuple.items.iter().find_map(|item| self.find(item)),
            Expr::Map(map) => map.values.iter().find_map(|value| self.find(value)),
        }
    }

    /// A bare value that is missing is false, which is no error.
    fn in_truth(&self, expr: &Expr<'_>) -> Option<String> {
        match expr {
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => {
                let whole = self.source(expr);
                self.in_path(expr).filter(|missing| missing != whole)
            }
            other => self.find(other),
        }
    }

    fn in_arguments(&self, arguments: &[CallArg<'_>]) -> Option<String> {
        arguments.iter().find_map(|argument| match argument {
            CallArg::Pos(expr)
            | CallArg::Kwarg(_, expr)
            | CallArg::PosSplat(expr)
            | CallArg::KwargSplat(expr) => self.find(expr),
        })
    }

    /// The first part of a path that is not there: of `customer.car.colour` it may be the car.
    fn in_path(&self, expr: &Expr<'_>) -> Option<String> {
        let of = match expr {
            Expr::GetAttr(get) => &get.expr,
            Expr::GetItem(get) => &get.expr,
            Expr::Call(call) => {
                return match &call.expr {
                    Expr::Var(var) if ROOTS.contains(&var.id) => None,
                    Expr::Var(_) => self.in_arguments(&call.args),
                    Expr::GetAttr(method) => self.in_path(&method.expr).or_else(|| self.itself(expr)),
                    _ => None,
                };
            }
            _ => return None,
        };
        self.in_path(of).or_else(|| self.itself(expr))
    }

    fn itself(&self, expr: &Expr<'_>) -> Option<String> {
        let source = self.source(expr);
        let is_known = root(expr).is_some_and(|root| ROOTS.contains(&root));
        (is_known && !(self.is_there)(source)).then(|| source.to_owned())
    }

    fn source(&self, expr: &Expr<'_>) -> &str {
        self.text.get(span::of(expr, self.text)).unwrap_or_default()
    }
}

fn root<'s>(expr: &Expr<'s>) -> Option<&'s str> {
    match expr {
        Expr::Var(var) => Some(var.id),
        Expr::GetAttr(get) => root(&get.expr),
        Expr::GetItem(get) => root(&get.expr),
        Expr::Call(call) => root(&call.expr),
        _ => None,
    }
}
