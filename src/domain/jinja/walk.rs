//! Every expression of a template, the parts of each before itself.

use minijinja::machinery::ast::{CallArg, Expr, Stmt};

/// Shows every expression of the statements, innermost first.
pub(crate) fn each_expression(statements: &[Stmt<'_>], seen: &mut dyn FnMut(&Expr<'_>)) {
    for statement in statements {
        statement_parts(statement, seen);
    }
}

fn statement_parts(statement: &Stmt<'_>, seen: &mut dyn FnMut(&Expr<'_>)) {
    match statement {
        Stmt::Template(of) => each_expression(&of.children, seen),
        Stmt::EmitExpr(of) => each_part(&of.expr, seen),
        Stmt::ForLoop(of) => {
            each_part(&of.iter, seen);
            of.filter_expr.iter().for_each(|filter| each_part(filter, seen));
            each_expression(&of.body, seen);
            each_expression(&of.else_body, seen);
        }
        Stmt::IfCond(of) => {
            each_part(&of.expr, seen);
            each_expression(&of.true_body, seen);
            each_expression(&of.false_body, seen);
        }
        Stmt::WithBlock(of) => {
            of.assignments.iter().for_each(|(_, value)| each_part(value, seen));
            each_expression(&of.body, seen);
        }
        Stmt::Set(of) => each_part(&of.expr, seen),
        Stmt::SetBlock(of) => {
            of.filter.iter().for_each(|filter| each_part(filter, seen));
            each_expression(&of.body, seen);
        }
        Stmt::AutoEscape(of) => {
            each_part(&of.enabled, seen);
            each_expression(&of.body, seen);
        }
        Stmt::FilterBlock(of) => {
            each_part(&of.filter, seen);
            each_expression(&of.body, seen);
        }
        Stmt::Block(of) => each_expression(&of.body, seen),
        Stmt::Macro(of) => {
            of.defaults.iter().for_each(|default| each_part(default, seen));
            each_expression(&of.body, seen);
        }
        Stmt::CallBlock(of) => {
            arguments(&of.call.args, seen);
            each_expression(&of.macro_decl.body, seen);
        }
        Stmt::Do(of) => {
            each_part(&of.call.expr, seen);
            arguments(&of.call.args, seen);
        }
        _ => {}
    }
}

/// Shows every part of an expression, innermost first, and then itself. Of `a.b()` the parts are `a` and the call.
pub(crate) fn each_part(expr: &Expr<'_>, seen: &mut dyn FnMut(&Expr<'_>)) {
    match expr {
        Expr::Var(_) | Expr::Const(_) => {}
        Expr::Slice(of) => {
            each_part(&of.expr, seen);
            [&of.start, &of.stop, &of.step].into_iter().flatten().for_each(|bound| each_part(bound, seen));
        }
        Expr::UnaryOp(of) => each_part(&of.expr, seen),
        Expr::BinOp(of) => {
            each_part(&of.left, seen);
            each_part(&of.right, seen);
        }
        Expr::Compare(of) => {
            each_part(&of.expr, seen);
            of.ops.iter().for_each(|op| each_part(&op.expr, seen));
        }
        Expr::IfExpr(of) => {
            each_part(&of.true_expr, seen);
            each_part(&of.test_expr, seen);
            of.false_expr.iter().for_each(|otherwise| each_part(otherwise, seen));
        }
        Expr::Filter(of) => {
            of.expr.iter().for_each(|of| each_part(of, seen));
            arguments(&of.args, seen);
        }
        Expr::Test(of) => {
            each_part(&of.expr, seen);
            arguments(&of.args, seen);
        }
        Expr::GetAttr(of) => each_part(&of.expr, seen),
        Expr::GetItem(of) => {
            each_part(&of.expr, seen);
            each_part(&of.subscript_expr, seen);
        }
        Expr::Call(of) => {
            match &of.expr {
                Expr::GetAttr(method) => each_part(&method.expr, seen),
                other => each_part(other, seen),
            }
            arguments(&of.args, seen);
        }
        Expr::List(of) => of.items.iter().for_each(|item| each_part(item, seen)),
        Expr::Tuple(of) => of.items.iter().for_each(|item| each_part(item, seen)),
        Expr::Map(of) => of.keys.iter().chain(&of.values).for_each(|part| each_part(part, seen)),
    }
    seen(expr);
}

fn arguments(arguments: &[CallArg<'_>], seen: &mut dyn FnMut(&Expr<'_>)) {
    for argument in arguments {
        match argument {
            CallArg::Pos(expr)
            | CallArg::Kwarg(_, expr)
            | CallArg::PosSplat(expr)
            | CallArg::KwargSplat(expr) => each_part(expr, seen),
        }
    }
}
