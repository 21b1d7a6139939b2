//! Which triggers the call can have come through at a place in a source, and which params are known to be there.
//!
//! `call.trigger == "a" and params.x > 1` may use what only `a` declares; the order does not matter, as it does
//! not in three-valued logic.

use minijinja::machinery::ast;

use super::super::scope::Scope;

/// What is known at a place in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guards {
    /// Indices of the triggers that are possible here.
    pub triggers: Vec<usize>,
    /// Params that are present here.
    pub present: Vec<String>,
}

impl Guards {
    /// At the beginning of a source.
    pub fn of(scope: &Scope) -> Self {
        Guards { triggers: (0..scope.triggers.len()).collect(), present: Vec::new() }
    }

    /// What is known where an expression holds.
    #[must_use]
    pub fn where_holds(&self, expr: &ast::Expr<'_>, scope: &Scope) -> Self {
        let mut known = self.clone();
        known.learn(expr, scope);
        known
    }

    /// What is known where an expression does not hold: only the complement of one trigger's name.
    #[must_use]
    pub fn where_fails(&self, expr: &ast::Expr<'_>, scope: &Scope) -> Self {
        let mut known = self.clone();
        if let Some(names) = trigger_names(expr) {
            known.triggers.retain(|index| !names.contains(&scope.triggers[*index].name.as_str()));
        }
        known
    }

    fn learn(&mut self, expr: &ast::Expr<'_>, scope: &Scope) {
        if let ast::Expr::BinOp(op) = expr
            && matches!(op.op, ast::BinOpKind::ScAnd)
        {
            self.learn(&op.left, scope);
            self.learn(&op.right, scope);
        } else if let Some(names) = trigger_names(expr) {
            self.triggers.retain(|index| names.contains(&scope.triggers[*index].name.as_str()));
        } else if let Some(name) = defined_param(expr) {
            self.present.push(name.to_owned());
        }
    }
}

/// The names that `call.trigger == "a"`, `call.trigger in ["a", "b"]` or an `or` of such admits.
fn trigger_names<'e>(expr: &'e ast::Expr<'_>) -> Option<Vec<&'e str>> {
    let ast::Expr::BinOp(op) = expr else {
        return None;
    };
    match op.op {
        ast::BinOpKind::Eq if is_call_trigger(&op.left) => text(&op.right).map(|name| vec![name]),
        ast::BinOpKind::Eq if is_call_trigger(&op.right) => text(&op.left).map(|name| vec![name]),
        ast::BinOpKind::In if is_call_trigger(&op.left) => match &op.right {
            ast::Expr::List(list) => list.items.iter().map(text).collect(),
            _ => None,
        },
        ast::BinOpKind::ScOr => {
            let mut names = trigger_names(&op.left)?;
            names.extend(trigger_names(&op.right)?);
            Some(names)
        }
        _ => None,
    }
}

pub(super) fn is_call_trigger(expr: &ast::Expr<'_>) -> bool {
    match expr {
        ast::Expr::GetAttr(get) => {
            get.name == "trigger" && matches!(&get.expr, ast::Expr::Var(var) if var.id == "call")
        }
        _ => false,
    }
}

/// The `x` of `params.x is defined`.
fn defined_param<'e>(expr: &'e ast::Expr<'_>) -> Option<&'e str> {
    match expr {
        ast::Expr::Test(test) if test.name == "defined" => param_name(&test.expr),
        _ => None,
    }
}

/// The `x` of `params.x` and of `params["x"]`.
pub(super) fn param_name<'e>(expr: &'e ast::Expr<'_>) -> Option<&'e str> {
    let (of, name) = match expr {
        ast::Expr::GetAttr(get) => (&get.expr, Some(get.name)),
        ast::Expr::GetItem(get) => (&get.expr, text(&get.subscript_expr)),
        _ => return None,
    };
    match of {
        ast::Expr::Var(var) if var.id == "params" => name,
        _ => None,
    }
}

/// A literal text.
pub(super) fn text<'e>(expr: &'e ast::Expr<'_>) -> Option<&'e str> {
    match expr {
        ast::Expr::Const(constant) => constant.value.as_str(),
        _ => None,
    }
}
