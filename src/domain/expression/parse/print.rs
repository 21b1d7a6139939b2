//! Writes what was read as a text that is read as the same again.
//!
//! Every operation stands in parentheses and every text in one spelling, so that two texts mean the same to Jinja's
//! parser if and only if they print alike.

use std::fmt::Write as _;

use minijinja::Value as Jinja;
use minijinja::machinery::ast::{self, BinOpKind, CallArg, CompareOpKind, Expr, Stmt, UnaryOpKind};
use minijinja::value::ValueKind;

use super::super::hyphen::Form;
use super::super::problem::{CompileError, ExpressionProblem};
use super::whole::{Parsed, parse_whole};

/// Reads a text and writes it in its one spelling. What is read only, and not compiled, may have unknown names.
///
/// # Errors
/// The first place that cannot be read.
pub fn print_parsed(source: &str, form: Form) -> Result<String, CompileError> {
    match super::depth::too_deep(source, form) {
        Some(range) => Err(super::nests_too_deep(range)),
        None => print(source, form),
    }
}

/// [`print_parsed`] of a text that it has written: its brackets count as no operators.
///
/// # Errors
/// The first place that cannot be read.
pub fn print_again(printed: &str, form: Form) -> Result<String, CompileError> {
    match super::depth::bracketed_too_deep(printed, form) {
        Some(range) => Err(super::nests_too_deep(range)),
        None => print(printed, form),
    }
}

fn print(source: &str, form: Form) -> Result<String, CompileError> {
    let parsed = parse_whole(source, form).map_err(|error| {
        let problem = ExpressionProblem::error(error.range, error.message);
        CompileError::from(match error.remedy {
            Some(remedy) => problem.remedy(remedy),
            None => problem,
        })
    })?;
    let mut out = String::new();
    match &parsed {
        Parsed::Expression(expr) => expression(expr, &mut out),
        Parsed::Template(statement) => {
            self::statement(statement, &mut out);
            // Jinja takes one line break off the end.
            out.push_str(match out.chars().next_back() {
                Some('\n') => "\n",
                Some('\r') => "\r",
                _ => "",
            });
        }
    }
    Ok(out)
}

fn expression(expr: &Expr<'_>, out: &mut String) {
    match expr {
        Expr::Var(var) => out.push_str(var.id),
        Expr::Const(constant) => self::constant(&constant.value, out),
        Expr::Slice(slice) => self::slice(slice, out),
        Expr::UnaryOp(op) => {
            out.push_str(match op.op {
                UnaryOpKind::Not => "(not ",
                UnaryOpKind::Neg => "(-",
            });
            expression(&op.expr, out);
            out.push(')');
        }
        Expr::BinOp(op) => operation(&op.left, binary(op.op), &op.right, out),
        Expr::Compare(chain) => {
            out.push('(');
            expression(&chain.expr, out);
            for op in &chain.ops {
                let _ = write!(out, " {} ", comparison(op.op));
                expression(&op.expr, out);
            }
            out.push(')');
        }
        Expr::IfExpr(choice) => self::choice(choice, out),
        Expr::Filter(filter) => {
            out.push('(');
            if let Some(of) = &filter.expr {
                expression(of, out);
                out.push_str(" | ");
            }
            out.push_str(filter.name);
            optional_arguments(&filter.args, out);
            out.push(')');
        }
        Expr::Test(test) => {
            out.push('(');
            expression(&test.expr, out);
            let _ = write!(out, " is {}", test.name);
            optional_arguments(&test.args, out);
            out.push(')');
        }
        other => accessed(other, out),
    }
}

/// Accesses, calls and what holds several values.
fn accessed(expr: &Expr<'_>, out: &mut String) {
    match expr {
        Expr::GetAttr(get) => {
            base(&get.expr, out);
            let _ = write!(out, ".{}", get.name);
        }
        Expr::GetItem(get) => {
            base(&get.expr, out);
            out.push('[');
            expression(&get.subscript_expr, out);
            out.push(']');
        }
        Expr::Call(call) => self::call(call, out),
        Expr::List(list) => {
            out.push('[');
            listed(&list.items, out);
            out.push(']');
        }
        Expr::Tuple(tuple) => {
            out.push('(');
            listed(&tuple.items, out);
            out.push_str(if tuple.items.len() == 1 { ",)" } else { ")" });
        }
        Expr::Map(map) => {
            out.push('{');
            for (index, (key, value)) in map.keys.iter().zip(&map.values).enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                expression(key, out);
                out.push_str(": ");
                expression(value, out);
            }
            out.push('}');
        }
        _ => {}
    }
}

/// What an access or a call follows: a number would swallow its dot.
fn base(expr: &Expr<'_>, out: &mut String) {
    match expr {
        Expr::Const(_) => {
            out.push('(');
            expression(expr, out);
            out.push(')');
        }
        other => expression(other, out),
    }
}

fn call(call: &ast::Call<'_>, out: &mut String) {
    base(&call.expr, out);
    arguments(&call.args, out);
}

fn operation(left: &Expr<'_>, operator: &str, right: &Expr<'_>, out: &mut String) {
    out.push('(');
    expression(left, out);
    let _ = write!(out, " {operator} ");
    expression(right, out);
    out.push(')');
}

fn choice(choice: &ast::IfExpr<'_>, out: &mut String) {
    out.push('(');
    expression(&choice.true_expr, out);
    out.push_str(" if ");
    expression(&choice.test_expr, out);
    if let Some(otherwise) = &choice.false_expr {
        out.push_str(" else ");
        expression(otherwise, out);
    }
    out.push(')');
}

fn slice(slice: &ast::Slice<'_>, out: &mut String) {
    base(&slice.expr, out);
    out.push('[');
    for (index, bound) in [&slice.start, &slice.stop, &slice.step].into_iter().enumerate() {
        out.push_str(if index > 0 { ":" } else { "" });
        if let Some(bound) = bound {
            expression(bound, out);
        }
    }
    out.push(']');
}

fn listed(items: &[Expr<'_>], out: &mut String) {
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        expression(item, out);
    }
}

fn optional_arguments(args: &[CallArg<'_>], out: &mut String) {
    if !args.is_empty() {
        arguments(args, out);
    }
}

fn arguments(args: &[CallArg<'_>], out: &mut String) {
    out.push('(');
    for (index, argument) in args.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        let expr = match argument {
            CallArg::Pos(expr) => expr,
            CallArg::Kwarg(name, expr) => {
                let _ = write!(out, "{name}=");
                expr
            }
            CallArg::PosSplat(expr) => {
                out.push('*');
                expr
            }
            CallArg::KwargSplat(expr) => {
                out.push_str("**");
                expr
            }
        };
        expression(expr, out);
    }
    out.push(')');
}

fn constant(value: &Jinja, out: &mut String) {
    match (value.kind(), value.as_str()) {
        (_, Some(text)) => literal(text, out),
        (ValueKind::Bool, _) => out.push_str(if value.is_true() { "true" } else { "false" }),
        (ValueKind::Number, _) if value.is_integer() => {
            let _ = write!(out, "{value}");
        }
        (ValueKind::Number, _) => {
            // Rust's shortest spelling with an exponent is read as the same double, and one out of range as infinite.
            let double = f64::try_from(value.clone()).unwrap_or_default();
            let _ = match double.is_finite() {
                true => write!(out, "{double:e}"),
                false => write!(out, "1e999"),
            };
        }
        _ => out.push_str("none"),
    }
}

fn literal(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out.push('"');
}

fn binary(op: BinOpKind) -> &'static str {
    match op {
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

fn comparison(op: CompareOpKind) -> &'static str {
    match op {
        CompareOpKind::Eq => "==",
        CompareOpKind::Ne => "!=",
        CompareOpKind::Lt => "<",
        CompareOpKind::Lte => "<=",
        CompareOpKind::Gt => ">",
        CompareOpKind::Gte => ">=",
        CompareOpKind::In => "in",
        CompareOpKind::NotIn => "not in",
    }
}

/// Text outside of tags that would be read as one stands in `raw`.
fn raw(text: &str, out: &mut String) {
    match text.contains("{{") || text.contains("{%") || text.contains("{#") || text.ends_with('{') {
        true => {
            let _ = write!(out, "{{% raw %}}{text}{{% endraw %}}");
        }
        false => out.push_str(text),
    }
}

fn statements(statements: &[Stmt<'_>], out: &mut String) {
    for statement in statements {
        self::statement(statement, out);
    }
}

/// A tag with what it encloses.
fn enclosed(tag: &str, body: &[Stmt<'_>], end: &str, out: &mut String) {
    let _ = write!(out, "{{% {tag} %}}");
    statements(body, out);
    let _ = write!(out, "{{% {end} %}}");
}

fn written(expr: &Expr<'_>) -> String {
    let mut out = String::new();
    expression(expr, &mut out);
    out
}

fn statement(statement: &Stmt<'_>, out: &mut String) {
    match statement {
        Stmt::Template(template) => statements(&template.children, out),
        Stmt::EmitRaw(emit) => raw(emit.raw, out),
        Stmt::EmitExpr(emit) => {
            let _ = write!(out, "{{{{ {} }}}}", written(&emit.expr));
        }
        Stmt::ForLoop(of) => for_loop(of, out),
        Stmt::IfCond(of) => {
            let _ = write!(out, "{{% if {} %}}", written(&of.expr));
            statements(&of.true_body, out);
            if !of.false_body.is_empty() {
                out.push_str("{% else %}");
                statements(&of.false_body, out);
            }
            out.push_str("{% endif %}");
        }
        Stmt::WithBlock(of) => {
            let pairs = of.assignments.iter();
            let pairs: Vec<String> =
                pairs.map(|(target, value)| format!("{}={}", with_target(target), written(value))).collect();
            enclosed(&format!("with {}", pairs.join(", ")), &of.body, "endwith", out);
        }
        Stmt::Set(of) => {
            let _ = write!(out, "{{% set {} = {} %}}", target(&of.target), written(&of.expr));
        }
        Stmt::SetBlock(of) => {
            let filter =
                of.filter.as_ref().map(|filter| format!(" | {}", filters(filter))).unwrap_or_default();
            enclosed(&format!("set {}{filter}", target(&of.target)), &of.body, "endset", out);
        }
        Stmt::AutoEscape(of) => {
            enclosed(&format!("autoescape {}", written(&of.enabled)), &of.body, "endautoescape", out);
        }
        Stmt::FilterBlock(of) => {
            enclosed(&format!("filter {}", filters(&of.filter)), &of.body, "endfilter", out);
        }
        Stmt::Block(of) => {
            let required = if of.required { " required" } else { "" };
            enclosed(&format!("block {}{required}", of.name), &of.body, "endblock", out);
        }
        other => called(other, out),
    }
}

/// Macros, calls, and what names other texts.
fn called(statement: &Stmt<'_>, out: &mut String) {
    match statement {
        Stmt::Macro(of) => enclosed(&format!("macro {}{}", of.name, declared(of)), &of.body, "endmacro", out),
        Stmt::CallBlock(of) => {
            let mut tag = format!("call{} ", declared(&of.macro_decl));
            call(&of.call, &mut tag);
            enclosed(&tag, &of.macro_decl.body, "endcall", out);
        }
        Stmt::Do(of) => {
            out.push_str("{% do ");
            call(&of.call, out);
            out.push_str(" %}");
        }
        Stmt::Include(of) => {
            let missing = if of.ignore_missing { " ignore missing" } else { "" };
            let _ = write!(out, "{{% include {}{missing} %}}", written(&of.name));
        }
        Stmt::Import(of) => {
            let _ = write!(out, "{{% import {} as {} %}}", written(&of.expr), written(&of.name));
        }
        Stmt::FromImport(of) => {
            let names = of.names.iter().map(|(name, alias)| match alias {
                Some(alias) => format!("{} as {}", written(name), written(alias)),
                None => written(name),
            });
            let names: Vec<String> = names.collect();
            let _ = write!(out, "{{% from {} import {} %}}", written(&of.expr), names.join(", "));
        }
        Stmt::Extends(of) => {
            let _ = write!(out, "{{% extends {} %}}", written(&of.name));
        }
        _ => {}
    }
}

fn for_loop(of: &ast::ForLoop<'_>, out: &mut String) {
    let mut tag = format!("for {} in {}", target(&of.target), written(&of.iter));
    if let Some(filter) = &of.filter_expr {
        let _ = write!(tag, " if {}", written(filter));
    }
    tag.push_str(if of.recursive { " recursive" } else { "" });
    let _ = write!(out, "{{% {tag} %}}");
    statements(&of.body, out);
    if !of.else_body.is_empty() {
        out.push_str("{% else %}");
        statements(&of.else_body, out);
    }
    out.push_str("{% endfor %}");
}

/// The names that an assignment gives; several stand side by side.
fn target(expr: &Expr<'_>) -> String {
    match expr {
        Expr::List(list) => {
            let names: Vec<String> = list.items.iter().map(with_target).collect();
            match names.as_slice() {
                [only] => format!("{only},"),
                _ => names.join(", "),
            }
        }
        other => written(other),
    }
}

fn with_target(expr: &Expr<'_>) -> String {
    match expr {
        Expr::List(_) => format!("({})", target(expr)),
        other => written(other),
    }
}

/// `lower | replace("a", "b")`, the innermost first.
fn filters(expr: &Expr<'_>) -> String {
    let Expr::Filter(filter) = expr else { return written(expr) };
    let mut out = filter.expr.as_ref().map(|of| filters(of) + " | ").unwrap_or_default();
    out.push_str(filter.name);
    optional_arguments(&filter.args, &mut out);
    out
}

fn declared(of: &ast::Macro<'_>) -> String {
    let without = of.args.len() - of.defaults.len().min(of.args.len());
    let args = of.args.iter().enumerate().map(|(index, name)| {
        match index.checked_sub(without).and_then(|at| of.defaults.get(at)) {
            Some(default) => format!("{}={}", written(name), written(default)),
            None => written(name),
        }
    });
    format!("({})", args.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::expression::tests::random::condition;

    fn printed(source: &str, form: Form) -> String {
        print_parsed(source, form).unwrap_or_else(|error| panic!("{source}: {error}"))
    }

    fn twice(source: &str, form: Form) -> String {
        let once = printed(source, form);
        let again = print_again(&once, form).unwrap_or_else(|error| panic!("{once}: {error}"));
        assert_eq!(again, once, "{source}");
        once
    }

    #[test]
    fn expressions_have_one_spelling() {
        let cases = [
            ("a and not b or c", "((a and (not b)) or c)"),
            ("((a)) == 'x\"\\n'", "(a == \"x\\\"\\n\")"),
            ("x not in [1, -2.50, 18446744073709551616]", "(not (x in [1, (-2.5e0), 18446744073709551616]))"),
            ("1 <= x[0].y[1:] < 3 | abs", "(1 <= x[0].y[1::] < (3 | abs))"),
            ("f(a, *b, c=1, **d)(x)", "f(a, *b, c=1, **d)(x)"),
            ("a if b else c if d", "(a if b else (c if d))"),
            (
                "x is divisibleby 3 and y | default('z', true)",
                "((x is divisibleby(3)) and (y | default(\"z\", true)))",
            ),
            ("(1,) ~ () ~ {'a': none}", "(((1,) ~ ()) ~ {\"a\": none})"),
            ("-a.b ** 2", "((-a.b) ** 2)"),
            ("\"a\"[0]", "(\"a\")[0]"),
        ];
        for (source, expected) in cases {
            assert_eq!(twice(source, Form::Expression), expected, "{source}");
        }
    }

    #[test]
    fn templates_have_one_spelling() {
        let cases = [
            ("a {{- x }} {% raw %}{{ y }}{% endraw %}", "a{{ x }} {% raw %}{{ y }}{% endraw %}"),
            (
                "{% if a %}b{% elif c %}d{% else %}e{% endif %}",
                "{% if a %}b{% else %}{% if c %}d{% else %}e{% endif %}{% endif %}",
            ),
            (
                "{% for k, v in x if v %}{{ k }}{% else %}-{% endfor %}",
                "{% for k, v in x if v %}{{ k }}{% else %}-{% endfor %}",
            ),
            (
                "{% set a.b = 1 %}{% set x | upper | trim %}y{% endset %}",
                "{% set a.b = 1 %}{% set x | upper | trim %}y{% endset %}",
            ),
            ("{% with a = 1, (b, c) = d %}e{% endwith %}", "{% with a=1, (b, c)=d %}e{% endwith %}"),
            (
                "{% macro m(a, b=1) %}x{% endmacro %}{% call(y) m(1) %}z{% endcall %}",
                "{% macro m(a, b=1) %}x{% endmacro %}{% call(y) m(1) %}z{% endcall %}",
            ),
            (
                "{% filter upper %}x{% endfilter %}{% include 'a' ignore missing %}{% do f(1) %}",
                "{% filter upper %}x{% endfilter %}{% include \"a\" ignore missing %}{% do f(1) %}",
            ),
            (
                "{% autoescape false %}x{% endautoescape %}{# gone #}",
                "{% autoescape false %}x{% endautoescape %}",
            ),
        ];
        for (source, expected) in cases {
            assert_eq!(twice(source, Form::Template), expected, "{source}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_as_the_same(source in condition()) {
            twice(&source, Form::Expression);
            twice(&format!("a {{{{ {source} }}}}{{% if {source} %}}b{{% endif %}}"), Form::Template);
        }
    }
}
