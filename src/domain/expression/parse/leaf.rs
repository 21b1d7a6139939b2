//! What is left to Jinja: arithmetic, filters, slices. It is written anew from the syntax tree, with everything
//! this language gives a meaning of its own taken out as a variable, and compiled by Jinja.

use std::fmt::Write as _;

use minijinja::machinery::ast::{self, BinOpKind, CallArg, Expr, UnaryOpKind};

use super::super::leaf::JinjaLeaf;
use super::super::meter::{self, BUILT, Operation, TOUCHED, WALKED};
use super::super::problem::{ExpressionProblem, nearest};
use super::super::tree::{Term, TermKind};
use super::names::{FilterClass, PLAIN_TESTS, classify_filter, filter_names, operator_for_test};
use super::{Compiler, words};
use crate::domain::jinja::{WRITTEN, filter_of};
use crate::domain::value::Kind;

/// A leaf while it is written.
#[derive(Default)]
struct Draft {
    source: String,
    captured: Vec<Term>,
}

impl Compiler<'_> {
    /// Reads an expression as a leaf.
    pub(super) fn leaf(&mut self, expr: &Expr<'_>) -> Option<Term> {
        self.leaf_term(expr)
    }

    pub(super) fn leaf_term(&mut self, expr: &Expr<'_>) -> Option<Term> {
        let mut draft = Draft::default();
        self.write(expr, &mut draft)?;
        let (passes_absence, gives) = (!self.decides(), kind_given(expr));
        let Draft { source, captured } = draft;
        match JinjaLeaf::compile(&source, captured, passes_absence, gives, &self.scope.local) {
            Ok(leaf) => Some(self.made(expr, TermKind::Jinja(Box::new(leaf)))),
            Err(error) => self.refuse(ExpressionProblem::error(self.span(expr), error.message)),
        }
    }

    /// Writes what Jinja does by itself; everything else is captured.
    fn write(&mut self, expr: &Expr<'_>, draft: &mut Draft) -> Option<()> {
        match expr {
            Expr::BinOp(op) => match operator(op.op) {
                Some(symbol) => self.write_operation(op, symbol, draft),
                None => self.capture(expr, draft),
            },
            Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Neg) => {
                draft.source.push_str("(-");
                self.write_part(&op.expr, draft)?;
                draft.source.push(')');
                Some(())
            }
            Expr::Filter(filter) if !matches!(filter.name, "default" | "d") => {
                self.write_filter(expr, filter, draft)
            }
            Expr::Test(test) if PLAIN_TESTS.contains(&test.name) => self.write_test(test, draft),
            Expr::Slice(slice) => self.write_slice(slice, draft),
            Expr::GetAttr(get) => {
                self.write_part(&get.expr, draft)?;
                draft.source.push('.');
                draft.source.push_str(get.name);
                Some(())
            }
            Expr::GetItem(get) => {
                self.write_part(&get.expr, draft)?;
                draft.source.push('[');
                self.write_part(&get.subscript_expr, draft)?;
                draft.source.push(']');
                Some(())
            }
            Expr::Call(call) => self.write_call(call, draft),
            Expr::Map(map) => self.write_map(map, draft),
            _ => self.capture(expr, draft),
        }
    }

    /// A part of a leaf: what this language knows is captured, the rest is written on.
    fn write_part(&mut self, expr: &Expr<'_>, draft: &mut Draft) -> Option<()> {
        let continues = match expr {
            Expr::BinOp(op) => operator(op.op).is_some(),
            Expr::UnaryOp(op) => matches!(op.op, UnaryOpKind::Neg),
            Expr::Filter(filter) => !matches!(filter.name, "default" | "d"),
            Expr::Slice(_) | Expr::Map(_) => true,
            _ => false,
        };
        if continues { self.write(expr, draft) } else { self.capture(expr, draft) }
    }

    fn capture(&mut self, expr: &Expr<'_>, draft: &mut Draft) -> Option<()> {
        let term = self.term(expr)?;
        let _ = write!(draft.source, "_{}", draft.captured.len());
        draft.captured.push(term);
        Some(())
    }

    fn write_operation(&mut self, op: &ast::BinOp<'_>, symbol: &str, draft: &mut Draft) -> Option<()> {
        let (around, within) = match meter::operation(op.op) {
            Operation::Builds => (BUILT, ""),
            Operation::TouchesBoth | Operation::TouchesOne => ("", TOUCHED),
            Operation::Neither => ("", ""),
        };
        let filter = filter_of(op.op);
        let _ = write!(draft.source, "{around}(");
        self.write_side(op.op, within, &op.left, draft)?;
        match filter {
            Some((_, filter)) => {
                let _ = write!(draft.source, "|{filter}(");
            }
            None => {
                let _ = write!(draft.source, " {symbol} ");
            }
        }
        self.write_side(op.op, within, &op.right, draft)?;
        draft.source.push_str(if filter.is_some() { "))" } else { ")" });
        Some(())
    }

    /// A part with a function around it that counts what is done with it; without one if it has no name.
    fn write_within(&mut self, function: &str, expr: &Expr<'_>, draft: &mut Draft) -> Option<()> {
        if meter::idle(function, expr) {
            return self.write_part(expr, draft);
        }
        let _ = write!(draft.source, "{function}(");
        self.write_part(expr, draft)?;
        draft.source.push(')');
        Some(())
    }

    /// One side of an operation; of `~`, as the value is spelled in a message.
    fn write_side(&mut self, op: BinOpKind, counted: &str, side: &Expr<'_>, draft: &mut Draft) -> Option<()> {
        draft.source.push('(');
        self.write_within(counted, side, draft)?;
        draft.source.push(')');
        if matches!(op, BinOpKind::Concat) {
            let _ = write!(draft.source, "|{WRITTEN}");
        }
        Some(())
    }

    fn write_filter(&mut self, expr: &Expr<'_>, filter: &ast::Filter<'_>, draft: &mut Draft) -> Option<()> {
        self.check_filter(expr, filter)?;
        let of = filter.expr.as_ref()?;
        let work = meter::work(filter);
        let _ = write!(draft.source, "{}(", work.made);
        self.write_within(work.of, of, draft)?;
        let _ = write!(draft.source, "|{}", filter.name);
        self.write_arguments(&filter.args, work.arguments, draft)?;
        draft.source.push(')');
        Some(())
    }

    fn write_test(&mut self, test: &ast::Test<'_>, draft: &mut Draft) -> Option<()> {
        let counted = if meter::test_touches(test.name) { TOUCHED } else { "" };
        draft.source.push('(');
        self.write_within(counted, &test.expr, draft)?;
        let _ = write!(draft.source, " is {}", test.name);
        self.write_arguments(&test.args, counted, draft)?;
        draft.source.push(')');
        Some(())
    }

    fn write_slice(&mut self, slice: &ast::Slice<'_>, draft: &mut Draft) -> Option<()> {
        let _ = write!(draft.source, "{BUILT}(");
        self.write_within(WALKED, &slice.expr, draft)?;
        draft.source.push('[');
        for (index, bound) in [&slice.start, &slice.stop, &slice.step].into_iter().enumerate() {
            if index > 0 {
                draft.source.push(':');
            }
            if let Some(bound) = bound {
                self.write_part(bound, draft)?;
            }
        }
        draft.source.push_str("])");
        Some(())
    }

    fn write_call(&mut self, call: &ast::Call<'_>, draft: &mut Draft) -> Option<()> {
        let Expr::Var(function) = &call.expr else {
            return None;
        };
        let _ = write!(draft.source, "{BUILT}({}", function.id);
        if call.args.is_empty() {
            draft.source.push_str("()");
        }
        self.write_arguments(&call.args, TOUCHED, draft)?;
        draft.source.push(')');
        Some(())
    }

    fn write_map(&mut self, map: &ast::Map<'_>, draft: &mut Draft) -> Option<()> {
        let _ = write!(draft.source, "{BUILT}({{");
        for (key, value) in map.keys.iter().zip(&map.values) {
            self.write_part(key, draft)?;
            draft.source.push(':');
            self.write_part(value, draft)?;
            draft.source.push(',');
        }
        draft.source.push_str("})");
        Some(())
    }

    /// Arguments, each with a function around it that counts what is done with it.
    fn write_arguments(&mut self, arguments: &[CallArg<'_>], counted: &str, draft: &mut Draft) -> Option<()> {
        if arguments.is_empty() {
            return Some(());
        }
        draft.source.push('(');
        for argument in arguments {
            let expr = match argument {
                CallArg::Pos(expr) => expr,
                CallArg::Kwarg(name, expr) => {
                    let _ = write!(draft.source, "{name}=");
                    expr
                }
                CallArg::PosSplat(expr) | CallArg::KwargSplat(expr) => {
                    let problem = ExpressionProblem::error(
                        self.span(expr),
                        "arguments are written out here, not unpacked",
                    );
                    return self.refuse(problem);
                }
            };
            self.write_within(counted, expr, draft)?;
            draft.source.push(',');
        }
        draft.source.push(')');
        Some(())
    }

    fn check_filter(&mut self, expr: &Expr<'_>, filter: &ast::Filter<'_>) -> Option<()> {
        let name = filter.name;
        let span = self.span(expr);
        let problem = match classify_filter(name) {
            FilterClass::Plain if name == "map" => return self.check_mapped(expr, filter),
            FilterClass::Plain => return Some(()),
            FilterClass::Selecting => return self.check_selecting(expr, filter),
            FilterClass::Comparing if !self.decides() => return Some(()),
            FilterClass::Comparing => ExpressionProblem::error(
                span,
                format!("the filter `{name}` compares as Jinja does, a text with a number"),
            )
            .remedy("compare by `==`, `<` and `in`, or ask `events(…)` for `.min`, `.max`"),
            FilterClass::ForText => {
                ExpressionProblem::error(span, format!("the filter `{name}` is for the text of a message"))
                    .remedy("leave it out")
            }
            FilterClass::Unknown => {
                let problem = ExpressionProblem::error(span, format!("there is no filter `{name}`"));
                if let Some(remedy) = words::remedy_for_filter(name) {
                    return self.refuse(problem.remedy(remedy));
                }
                match nearest(name, filter_names()) {
                    Some(near) => problem.remedy(format!("did you mean `{near}`?")),
                    None => problem,
                }
            }
        };
        self.refuse(problem)
    }

    /// `map("lower")` applies a filter, which must be one that could stand here by itself.
    fn check_mapped(&mut self, expr: &Expr<'_>, filter: &ast::Filter<'_>) -> Option<()> {
        match filter.args.first() {
            Some(CallArg::Kwarg(..)) => Some(()),
            Some(CallArg::Pos(name)) => match super::guards::text(name).map(classify_filter) {
                Some(FilterClass::Plain) => Some(()),
                Some(FilterClass::Comparing) if !self.decides() => Some(()),
                _ => {
                    let problem = ExpressionProblem::error(
                        self.span(expr),
                        "`map` names a filter that does not compare",
                    );
                    self.refuse(problem.remedy("write `map(\"lower\")` or `map(attribute=\"name\")`"))
                }
            },
            _ => self.refuse(ExpressionProblem::error(
                self.span(expr),
                "`map` takes a filter's name or `attribute=`",
            )),
        }
    }

    /// `select("string")` is a test of each element; one that compares would compare as Jinja does.
    fn check_selecting(&mut self, expr: &Expr<'_>, filter: &ast::Filter<'_>) -> Option<()> {
        if !self.decides() {
            return Some(());
        }
        let at = usize::from(filter.name.ends_with("attr"));
        let refused = match filter.args.get(at) {
            None => None,
            Some(CallArg::Pos(test)) => match super::guards::text(test) {
                Some(name) if PLAIN_TESTS.contains(&name) || name == "defined" || name == "undefined" => None,
                Some(name) if operator_for_test(name).is_some() => Some(format!(
                    "`{}(\"{name}\")` compares as Jinja does, a text with a number",
                    filter.name
                )),
                Some(name) => Some(format!("`{}` knows no test `{name}` here", filter.name)),
                None => Some(format!("`{}` takes a test's name", filter.name)),
            },
            Some(_) => Some(format!("`{}` takes a test's name", filter.name)),
        };
        match refused {
            None => Some(()),
            Some(message) => self.refuse(
                ExpressionProblem::error(self.span(expr), message)
                    .remedy("ask `events(…)` with properties, or use `in`"),
            ),
        }
    }
}

/// The kind of what Jinja makes of it, where it can be of one only.
fn kind_given(expr: &Expr<'_>) -> Option<Kind> {
    match expr {
        Expr::BinOp(op) if matches!(op.op, BinOpKind::Concat) => Some(Kind::Text),
        Expr::BinOp(op) if matches!(op.op, BinOpKind::FloorDiv | BinOpKind::Pow) => Some(Kind::Number),
        Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Neg) => Some(Kind::Number),
        Expr::Filter(filter) => match filter.name {
            "lower" | "upper" | "capitalize" | "title" | "trim" | "string" | "join" | "replace"
            | "tojson" | "number" | "currency" | "date" | "time" | "datetime" | "phone" | "urlencode"
            | "format" | "indent" => Some(Kind::Text),
            "length" | "count" | "abs" | "round" | "int" | "float" => Some(Kind::Number),
            "bool" => Some(Kind::Boolean),
            "list" | "split" | "lines" => Some(Kind::List),
            _ => None,
        },
        Expr::Test(_) => Some(Kind::Boolean),
        Expr::Map(_) => Some(Kind::Object),
        _ => None,
    }
}

fn operator(op: BinOpKind) -> Option<&'static str> {
    match op {
        BinOpKind::Add => Some("+"),
        BinOpKind::Sub => Some("-"),
        BinOpKind::Mul => Some("*"),
        BinOpKind::Div => Some("/"),
        BinOpKind::FloorDiv => Some("//"),
        BinOpKind::Rem => Some("%"),
        BinOpKind::Pow => Some("**"),
        BinOpKind::Concat => Some("~"),
        _ => None,
    }
}
