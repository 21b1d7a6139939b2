//! An expression written anew from its syntax tree, with functions around what Jinja's fuel does not count.

use std::fmt::Write as _;

use minijinja::machinery::ast::{self, BinOpKind, CallArg, CompareOpKind, Expr, UnaryOpKind};

use crate::domain::expression::meter::{self, BUILT, INDEXED, Operation, TOUCHED, WALKED};

/// Functions that pass on what they are given without looking at it.
const PASSING: &[&str] = &["dict", "namespace", "range", "loop", "caller", "super"];

/// Functions whose result is a text, or costs nothing before it is walked through.
const PLAIN_RESULT: &[&str] = &["range", "loop", "caller", "super"];

/// Text that is written, and whether anything in it is counted.
pub(super) struct Printed<'a> {
    /// What it is written from; texts are spelled as they are there.
    source: &'a str,
    pub text: String,
    pub counted: bool,
}

impl<'a> Printed<'a> {
    pub(super) fn of(source: &'a str) -> Self {
        Printed { source, text: String::new(), counted: false }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Writes an expression with a function around it; none if the function has no name or nothing to count.
    pub(super) fn within(&mut self, function: &str, expr: &Expr<'_>) {
        if meter::idle(function, expr) {
            return self.expression(expr);
        }
        self.counted = true;
        self.push(function);
        self.push("(");
        self.expression(expr);
        self.push(")");
    }

    pub(super) fn expression(&mut self, expr: &Expr<'_>) {
        match expr {
            Expr::Var(var) => self.push(var.id),
            Expr::Const(constant) => {
                let span = constant.span();
                let spelled = self.source.get(span.start_offset as usize..span.end_offset as usize);
                match spelled.filter(|spelled| spelled.starts_with(['\'', '"']) && !spelled.contains('\n')) {
                    Some(spelled) if constant.value.as_str().is_some() => self.push(spelled),
                    _ => self.constant(&constant.value),
                }
            }
            Expr::Slice(slice) => self.slice(slice),
            Expr::UnaryOp(op) => {
                self.push(match op.op {
                    UnaryOpKind::Not => "(not ",
                    UnaryOpKind::Neg => "(-",
                });
                self.expression(&op.expr);
                self.push(")");
            }
            Expr::BinOp(op) => self.operation(op),
            Expr::Compare(chain) => self.comparisons(chain),
            Expr::IfExpr(choice) => self.choice(choice),
            Expr::Filter(filter) => self.filter(filter),
            Expr::Test(test) => self.test(test),
            Expr::GetAttr(get) => {
                self.expression(&get.expr);
                self.push(".");
                self.push(get.name);
            }
            Expr::GetItem(get) => {
                let named = matches!(&get.subscript_expr, Expr::Const(name) if name.value.as_str().is_some());
                self.within(if named { "" } else { INDEXED }, &get.expr);
                self.push("[");
                self.expression(&get.subscript_expr);
                self.push("]");
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.sequence("[", &list.items, "]"),
            Expr::Tuple(tuple) => self.sequence("(", &tuple.items, ",)"),
            Expr::Map(map) => self.map(map),
        }
    }

    fn constant(&mut self, value: &minijinja::Value) {
        match value.as_str() {
            Some(text) => self.push(&serde_json::Value::from(text).to_string()),
            None if value.is_none() => self.push("none"),
            None => match (value.is_integer(), f64::try_from(value.clone())) {
                (false, Ok(double)) if value.is_number() => {
                    let _ = write!(self.text, "{double:?}");
                }
                _ if value.is_number() => {
                    let _ = write!(self.text, "{value}");
                }
                _ => self.push(if value.is_true() { "true" } else { "false" }),
            },
        }
    }

    /// Writes with a function around it whatever `inside` writes.
    fn around(&mut self, function: &str, inside: impl FnOnce(&mut Self)) {
        if function.is_empty() {
            return inside(self);
        }
        self.counted = true;
        self.push(function);
        self.push("(");
        inside(self);
        self.push(")");
    }

    fn slice(&mut self, slice: &ast::Slice<'_>) {
        self.around(BUILT, |inside| {
            inside.within(WALKED, &slice.expr);
            inside.push("[");
            for (index, bound) in [&slice.start, &slice.stop, &slice.step].into_iter().enumerate() {
                inside.push(if index > 0 { ":" } else { "" });
                bound.iter().for_each(|bound| inside.expression(bound));
            }
            inside.push("]");
        });
    }

    fn operation(&mut self, op: &ast::BinOp<'_>) {
        let number = |expr: &Expr<'_>| matches!(expr, Expr::Const(it) if it.value.is_number());
        let (around, left, right) = match meter::operation(op.op) {
            Operation::Builds
                if matches!(op.op, BinOpKind::Add) && (number(&op.left) || number(&op.right)) =>
            {
                ("", "", "")
            }
            Operation::Builds => (BUILT, "", ""),
            Operation::TouchesBoth => ("", TOUCHED, TOUCHED),
            // The other side costs no more.
            Operation::TouchesOne if meter::written_out(&op.right) => ("", "", ""),
            Operation::TouchesOne => ("", TOUCHED, ""),
            Operation::Neither => ("", "", ""),
        };
        self.around(around, |inside| {
            inside.push("(");
            inside.within(left, &op.left);
            inside.push(" ");
            inside.push(symbol(op.op));
            inside.push(" ");
            inside.within(right, &op.right);
            inside.push(")");
        });
    }

    fn comparisons(&mut self, chain: &ast::Compare<'_>) {
        self.push("(");
        self.within(TOUCHED, &chain.expr);
        for op in &chain.ops {
            self.push(match op.op {
                CompareOpKind::Eq => " == ",
                CompareOpKind::Ne => " != ",
                CompareOpKind::Lt => " < ",
                CompareOpKind::Lte => " <= ",
                CompareOpKind::Gt => " > ",
                CompareOpKind::Gte => " >= ",
                CompareOpKind::In => " in ",
                CompareOpKind::NotIn => " not in ",
            });
            self.within(TOUCHED, &op.expr);
        }
        self.push(")");
    }

    fn choice(&mut self, choice: &ast::IfExpr<'_>) {
        self.push("(");
        self.expression(&choice.true_expr);
        self.push(" if ");
        self.expression(&choice.test_expr);
        if let Some(otherwise) = &choice.false_expr {
            self.push(" else ");
            self.expression(otherwise);
        }
        self.push(")");
    }

    pub(super) fn filter(&mut self, filter: &ast::Filter<'_>) {
        let work = meter::work(filter);
        let Some(of) = &filter.expr else {
            self.push(filter.name);
            return self.arguments(&filter.args, work.arguments, true);
        };
        if begins_with_a_block(of) {
            self.filter_of_block(of);
            self.push("|");
            self.push(filter.name);
            return self.arguments(&filter.args, work.arguments, true);
        }
        // Parentheses, as what follows may be a part of the value.
        self.push(if work.made.is_empty() { "(" } else { "" });
        self.around(work.made, |inside| {
            inside.within(work.of, of);
            inside.push("|");
            inside.push(filter.name);
            inside.arguments(&filter.args, work.arguments, true);
        });
        self.push(if work.made.is_empty() { ")" } else { "" });
    }

    /// In `{% filter … %}` the value before the first filter is the text of the block.
    fn filter_of_block(&mut self, expr: &Expr<'_>) {
        if let Expr::Filter(filter) = expr {
            self.filter(filter);
        }
    }

    fn test(&mut self, test: &ast::Test<'_>) {
        let counted = if meter::test_touches(test.name) { TOUCHED } else { "" };
        self.push("(");
        self.within(counted, &test.expr);
        self.push(" is ");
        self.push(test.name);
        self.arguments(&test.args, counted, true);
        self.push(")");
    }

    fn call(&mut self, call: &ast::Call<'_>) {
        let named = match &call.expr {
            Expr::Var(function) => Some(function.id),
            _ => None,
        };
        let passing = named.is_some_and(|name| PASSING.contains(&name));
        let plain = named.is_some_and(|name| PLAIN_RESULT.contains(&name));
        self.around(if plain { "" } else { BUILT }, |inside| {
            inside.called(call, if passing { "" } else { TOUCHED });
        });
    }

    /// Writes a call as it stands, with nothing around it.
    pub(super) fn called(&mut self, call: &ast::Call<'_>, counted: &str) {
        self.expression(&call.expr);
        self.arguments(&call.args, counted, false);
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>], counted: &str, or_none: bool) {
        if arguments.is_empty() && or_none {
            return;
        }
        self.push("(");
        for (index, argument) in arguments.iter().enumerate() {
            self.push(if index > 0 { ", " } else { "" });
            match argument {
                CallArg::Pos(expr) => self.within(counted, expr),
                CallArg::Kwarg(name, expr) => {
                    self.push(name);
                    self.push("=");
                    self.within(counted, expr);
                }
                CallArg::PosSplat(expr) => {
                    self.push("*");
                    self.within(counted, expr);
                }
                CallArg::KwargSplat(expr) => {
                    self.push("**");
                    self.within(counted, expr);
                }
            }
        }
        self.push(")");
    }

    fn sequence(&mut self, open: &str, items: &[Expr<'_>], close: &str) {
        let constant = items.iter().all(meter::written_out);
        self.around(if constant { "" } else { BUILT }, |inside| {
            inside.push(open);
            for (index, item) in items.iter().enumerate() {
                inside.push(if index > 0 { ", " } else { "" });
                inside.expression(item);
            }
            inside.push(if items.is_empty() { close.trim_start_matches(',') } else { close });
        });
    }

    fn map(&mut self, map: &ast::Map<'_>) {
        let constant = map.keys.iter().chain(&map.values).all(meter::written_out);
        self.around(if constant { "" } else { BUILT }, |inside| {
            inside.push("{");
            for (key, value) in map.keys.iter().zip(&map.values) {
                inside.expression(key);
                inside.push(": ");
                inside.expression(value);
                inside.push(", ");
            }
            inside.push("}");
        });
        // Two braces in a row would end the tag.
        self.push(" ");
    }
}

fn begins_with_a_block(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Filter(filter) => filter.expr.as_ref().is_none_or(begins_with_a_block),
        _ => false,
    }
}

fn symbol(operator: BinOpKind) -> &'static str {
    match operator {
        BinOpKind::Eq => "==",
        BinOpKind::Ne => "!=",
        BinOpKind::Lt => "<",
        BinOpKind::Lte => "<=",
        BinOpKind::Gt => ">",
        BinOpKind::Gte => ">=",
        BinOpKind::ScAnd => "and",
        BinOpKind::ScOr => "or",
        BinOpKind::Add => "+",
        BinOpKind::Sub => "-",
        BinOpKind::Mul => "*",
        BinOpKind::Div => "/",
        BinOpKind::FloorDiv => "//",
        BinOpKind::Rem => "%",
        BinOpKind::Pow => "**",
        BinOpKind::Concat => "~",
        BinOpKind::In => "in",
    }
}
