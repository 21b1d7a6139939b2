//! Where an expression stands: Jinja's own spans begin at the last token of some, so the beginning is that of
//! the leftmost part.

use std::ops::Range;

use minijinja::machinery::{Span, ast};

/// The bytes of an expression.
pub(crate) fn of(expr: &ast::Expr<'_>, text: &str) -> Range<usize> {
    let start = start(expr, text);
    let end = raw(expr).end_offset as usize;
    let end = closed(&text[..text.len()], start, end.clamp(start, text.len()));
    start..end
}

/// Takes in the closing parentheses of those that open within the range: `(a).b` and `f(x)`.
fn closed(text: &str, start: usize, mut end: usize) -> usize {
    let mut open =
        text[start..end].matches('(').count() as isize - text[start..end].matches(')').count() as isize;
    while open > 0 {
        let rest = text[end..].trim_start();
        if !rest.starts_with(')') {
            break;
        }
        end = text.len() - rest.len() + 1;
        open -= 1;
    }
    end
}

fn start(expr: &ast::Expr<'_>, text: &str) -> usize {
    use ast::Expr;
    match expr {
        Expr::Slice(slice) => start(&slice.expr, text),
        Expr::BinOp(op) => start(&op.left, text),
        Expr::Compare(compare) => start(&compare.expr, text),
        Expr::IfExpr(choice) => start(&choice.true_expr, text),
        Expr::Test(test) => start(&test.expr, text),
        Expr::GetAttr(get) => start(&get.expr, text),
        Expr::GetItem(get) => start(&get.expr, text),
        Expr::Call(call) => start(&call.expr, text),
        Expr::Filter(filter) => match &filter.expr {
            Some(of) => start(of, text),
            None => filter.span().start_offset as usize,
        },
        Expr::UnaryOp(op) => {
            let own = op.span().start_offset as usize;
            let inner = start(&op.expr, text);
            let written_in_front =
                text.get(own..).is_some_and(|rest| rest.starts_with("not") || rest.starts_with('-'));
            if written_in_front { own.min(inner) } else { inner }
        }
        Expr::Var(_) | Expr::Const(_) | Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => {
            raw(expr).start_offset as usize
        }
    }
}

fn raw(expr: &ast::Expr<'_>) -> Span {
    use ast::Expr;
    match expr {
        Expr::Var(it) => it.span(),
        Expr::Const(it) => it.span(),
        Expr::Slice(it) => it.span(),
        Expr::UnaryOp(it) => it.span(),
        Expr::BinOp(it) => it.span(),
        Expr::Compare(it) => it.span(),
        Expr::IfExpr(it) => it.span(),
        Expr::Filter(it) => it.span(),
        Expr::Test(it) => it.span(),
        Expr::GetAttr(it) => it.span(),
        Expr::GetItem(it) => it.span(),
        Expr::Call(it) => it.span(),
        Expr::List(it) => it.span(),
        Expr::Tuple(it) => it.span(),
        Expr::Map(it) => it.span(),
    }
}
