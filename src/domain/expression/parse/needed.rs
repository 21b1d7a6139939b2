//! Which parameters a call must have for a condition to be true: what compares with a missing value is unknown, and
//! only true selects.

use std::collections::BTreeSet;

use minijinja::machinery::ast::{BinOpKind, Expr};

use super::super::hyphen::{Form, Rewritten};
use super::super::scope::Scope;
use super::strip_braces;
use super::whole::parse_whole_expression;

/// The parameters without which the condition is never true, as far as its outermost `and`s say.
pub(crate) fn needed_parameters(source: &str, scope: &Scope) -> BTreeSet<String> {
    let (inner, offset) = strip_braces(source);
    let rewritten = Rewritten::new(inner, offset, Form::Expression, scope);
    let mut needed = BTreeSet::new();
    if let Ok(expr) = parse_whole_expression(&rewritten.text) {
        note(&expr, &mut needed);
    }
    needed
}

fn note(expr: &Expr<'_>, needed: &mut BTreeSet<String>) {
    match expr {
        Expr::BinOp(op) => match op.op {
            BinOpKind::ScAnd => {
                note(&op.left, needed);
                note(&op.right, needed);
            }
            BinOpKind::Eq
            | BinOpKind::Ne
            | BinOpKind::Lt
            | BinOpKind::Lte
            | BinOpKind::Gt
            | BinOpKind::Gte
            | BinOpKind::In => [&op.left, &op.right].into_iter().for_each(|side| parameter(side, needed)),
            _ => {}
        },
        Expr::Compare(chain) => {
            parameter(&chain.expr, needed);
            chain.ops.iter().for_each(|op| parameter(&op.expr, needed));
        }
        Expr::Test(test) if test.name == "defined" => parameter(&test.expr, needed),
        other => parameter(other, needed),
    }
}

/// `params.x` or `params["x"]`.
fn parameter(expr: &Expr<'_>, needed: &mut BTreeSet<String>) {
    let (of, name) = match expr {
        Expr::GetAttr(get) => (&get.expr, Some(get.name)),
        Expr::GetItem(get) => match &get.subscript_expr {
            Expr::Const(name) => (&get.expr, name.value.as_str()),
            _ => return,
        },
        _ => return,
    };
    if let (Expr::Var(var), Some(name)) = (of, name)
        && var.id == "params"
    {
        needed.insert(name.to_owned());
    }
}
