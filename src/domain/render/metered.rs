//! A template written anew for Jinja, with functions around what its fuel does not count.
//!
//! Only tags in which something is counted change, and only between their delimiters; lines stay where they are.

use std::ops::Range;

use minijinja::machinery::ast::{self, Expr, Stmt};
use minijinja::machinery::{Token, tokenize};

use super::printed::Printed;
use crate::domain::expression::meter::{BUILT, COUNTING, RESERVED_PREFIX};
use crate::domain::expression::{ExpressionProblem, parse_whole_template};

/// Writes a template anew.
///
/// # Errors
/// Says that it uses a name that is kept for this, or that it cannot be read.
pub(super) fn metered(text: &str) -> Result<String, ExpressionProblem> {
    let tokens = tokens(text)?;
    let parsed =
        parse_whole_template(text).map_err(|error| ExpressionProblem::error(error.range, error.message))?;
    let mut walk = Walk { text, tokens: &tokens, changes: Vec::new() };
    if let Stmt::Template(template) = &parsed {
        walk.statements(&template.children);
    }
    let mut changes = walk.changes;
    changes.sort_by_key(|change| change.0.start);
    let mut written = String::with_capacity(text.len() * 2);
    let mut done = 0;
    for (range, replaced) in changes {
        let (Some(before), Some(original)) = (text.get(done..range.start), text.get(range.clone())) else {
            return Err(ExpressionProblem::error(0..text.len(), "this template cannot be read"));
        };
        written.push_str(before);
        written.push_str(&replaced);
        written.push_str(&"\n".repeat(original.matches('\n').count()));
        done = range.end;
    }
    written.push_str(text.get(done..).unwrap_or_default());
    Ok(written)
}

/// What was written, without the functions that count, and where a place in it then is.
pub(super) fn unmetered(text: &str, at: usize) -> (String, usize) {
    let mut plain = String::with_capacity(text.len());
    let mut place = at;
    // For each parenthesis that is open inside of a function that counts: whether it is that function's own.
    let mut open: Vec<bool> = Vec::new();
    let mut quoted = None;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let here = text.len() - rest.len();
        let function = COUNTING.iter().find(|name| {
            quoted.is_none() && rest.strip_prefix(**name).is_some_and(|behind| behind.starts_with('('))
        });
        let (length, kept) = match (function, next) {
            (Some(name), _) => {
                open.push(true);
                (name.len() + 1, false)
            }
            (None, '\\') if quoted.is_some() => {
                (1 + rest[1..].chars().next().map_or(0, char::len_utf8), true)
            }
            (None, quote @ ('"' | '\'')) if !open.is_empty() => {
                quoted = match quoted {
                    None => Some(quote),
                    Some(opening) => Some(opening).filter(|opening| *opening != quote),
                };
                (1, true)
            }
            (None, '(') if quoted.is_none() && !open.is_empty() => {
                open.push(false);
                (1, true)
            }
            (None, ')') if quoted.is_none() && !open.is_empty() => (1, open.pop() != Some(true)),
            (None, next) => (next.len_utf8(), true),
        };
        if kept {
            plain.push_str(&rest[..length]);
        } else if here < at {
            place -= length.min(at - here);
        }
        rest = &rest[length..];
    }
    (plain, place)
}

fn unread(text: &str, error: &minijinja::Error) -> ExpressionProblem {
    let range = error.range().unwrap_or(0..text.len());
    ExpressionProblem::error(range, error.detail().unwrap_or("this is not a template").to_owned())
}

/// The tokens with their bytes; names that are kept for counting are refused.
fn tokens(text: &str) -> Result<Vec<(Token<'_>, Range<usize>)>, ExpressionProblem> {
    let mut tokens = Vec::new();
    for found in tokenize(text, false, Default::default()) {
        let (token, span) = found.map_err(|error| unread(text, &error))?;
        let range = span.start_offset as usize..span.end_offset as usize;
        if let Token::Ident(name) = &token
            && name.starts_with(RESERVED_PREFIX)
        {
            let said = format!("names that begin with `{RESERVED_PREFIX}` are kept for Fanfare itself");
            return Err(ExpressionProblem::error(range, said).remedy("choose another name"));
        }
        tokens.push((token, range));
    }
    Ok(tokens)
}

struct Walk<'a> {
    text: &'a str,
    tokens: &'a [(Token<'a>, Range<usize>)],
    changes: Vec<(Range<usize>, String)>,
}

impl Walk<'_> {
    fn statements(&mut self, statements: &[Stmt<'_>]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(of) => self.statements(&of.children),
            Stmt::EmitExpr(of) => self.emitted(of.span(), &of.expr),
            Stmt::ForLoop(of) => self.for_loop(of),
            Stmt::IfCond(of) => {
                self.tag(of.span(), after_keyword, |printed| printed.expression(&of.expr));
                self.statements(&of.true_body);
                self.statements(&of.false_body);
            }
            Stmt::WithBlock(of) => {
                self.tag(of.span(), after_keyword, |printed| with_block(printed, of));
                self.statements(&of.body);
            }
            Stmt::Set(of) => self.set(of),
            Stmt::SetBlock(of) => {
                if let Some(Expr::Filter(filter)) = &of.filter {
                    self.tag(of.span(), after_pipe, |printed| printed.filter(filter));
                }
                self.statements(&of.body);
            }
            Stmt::AutoEscape(of) => {
                self.tag(of.span(), after_keyword, |printed| printed.expression(&of.enabled));
                self.statements(&of.body);
            }
            Stmt::FilterBlock(of) => {
                if let Expr::Filter(filter) = &of.filter {
                    self.tag(of.span(), after_keyword, |printed| printed.filter(filter));
                }
                self.statements(&of.body);
            }
            Stmt::Block(of) => self.statements(&of.body),
            Stmt::Macro(of) => {
                self.tag(of.span(), after_keyword, |printed| {
                    printed.push(of.name);
                    parameters(printed, of);
                });
                self.statements(&of.body);
            }
            Stmt::CallBlock(of) => {
                self.tag(of.span(), after_keyword, |printed| {
                    if !of.macro_decl.args.is_empty() {
                        parameters(printed, &of.macro_decl);
                        printed.push(" ");
                    }
                    printed.called(&of.call, "");
                });
                self.statements(&of.macro_decl.body);
            }
            Stmt::Do(of) => self.tag(of.span(), after_keyword, |printed| printed.called(&of.call, "")),
            // What is included is named by a written text; the others are refused before.
            Stmt::EmitRaw(_)
            | Stmt::Include(_)
            | Stmt::Import(_)
            | Stmt::FromImport(_)
            | Stmt::Extends(_) => {}
        }
    }

    fn emitted(&mut self, span: minijinja::machinery::Span, expr: &Expr<'_>) {
        let mut printed = Printed::of(self.text);
        match expr {
            Expr::Call(call) if matches!(&call.expr, Expr::Var(var) if var.id == "loop") => {
                printed.called(call, "");
            }
            _ => printed.expression(expr),
        }
        self.change(span.start_offset as usize..span.end_offset as usize, printed);
    }

    fn for_loop(&mut self, of: &ast::Spanned<ast::ForLoop<'_>>) {
        self.tag(of.span(), after_in, |printed| {
            printed.expression(&of.iter);
            if let Some(filter) = &of.filter_expr {
                printed.push(" if ");
                printed.expression(filter);
            }
            printed.push(if of.recursive { " recursive" } else { "" });
        });
        self.statements(&of.body);
        self.statements(&of.else_body);
    }

    /// A member of a `namespace` can make a value deeper without making a list.
    fn set(&mut self, of: &ast::Spanned<ast::Set<'_>>) {
        let around = if matches!(of.target, Expr::GetAttr(_)) { BUILT } else { "" };
        self.tag(of.span(), after_assign, |printed| printed.within(around, &of.expr));
    }

    /// Writes what stands in a tag behind `begins` anew. The statement's span begins at its keyword.
    fn tag(
        &mut self,
        span: minijinja::machinery::Span,
        begins: impl FnOnce(&[(Token<'_>, Range<usize>)]) -> usize,
        write: impl FnOnce(&mut Printed<'_>),
    ) {
        let keyword = span.start_offset as usize;
        let first = self.tokens.partition_point(|(_, range)| range.start < keyword);
        let behind = &self.tokens[first..];
        let length = behind.iter().position(|(token, _)| matches!(token, Token::BlockEnd));
        let inside = &behind[..length.unwrap_or(behind.len())];
        let inside = &inside[begins(inside).min(inside.len())..];
        let (Some((_, from)), Some((_, to))) = (inside.first(), inside.last()) else { return };
        let mut printed = Printed::of(self.text);
        write(&mut printed);
        self.change(from.start..to.end, printed);
    }

    fn change(&mut self, range: Range<usize>, printed: Printed) {
        if printed.counted && self.text.get(range.clone()).is_some() {
            self.changes.push((range, printed.text));
        }
    }
}

type Tokens<'t> = [(Token<'t>, Range<usize>)];

fn after_keyword(_: &Tokens<'_>) -> usize {
    1
}

fn after_in(tokens: &Tokens<'_>) -> usize {
    behind(tokens, |token| matches!(token, Token::Ident("in")))
}

fn after_assign(tokens: &Tokens<'_>) -> usize {
    behind(tokens, |token| matches!(token, Token::Assign))
}

fn after_pipe(tokens: &Tokens<'_>) -> usize {
    behind(tokens, |token| matches!(token, Token::Pipe))
}

fn behind(tokens: &Tokens<'_>, is: fn(&Token<'_>) -> bool) -> usize {
    tokens.iter().position(|(token, _)| is(token)).map_or(tokens.len(), |at| at + 1)
}

fn with_block(printed: &mut Printed<'_>, of: &ast::WithBlock<'_>) {
    for (index, (target, value)) in of.assignments.iter().enumerate() {
        printed.push(if index > 0 { ", " } else { "" });
        self::target(printed, target);
        printed.push(" = ");
        printed.expression(value);
    }
}

/// The names that are given; several stand in parentheses.
fn target(printed: &mut Printed<'_>, expr: &Expr<'_>) {
    let items = match expr {
        Expr::List(list) => &list.items,
        Expr::Tuple(tuple) => &tuple.items,
        other => return printed.expression(other),
    };
    printed.push("(");
    for item in items {
        target(printed, item);
        printed.push(",");
    }
    printed.push(")");
}

/// The parameters of a macro; defaults belong to the last of them.
fn parameters(printed: &mut Printed<'_>, of: &ast::Macro<'_>) {
    let without = of.args.len().saturating_sub(of.defaults.len());
    printed.push("(");
    for (index, name) in of.args.iter().enumerate() {
        printed.push(if index > 0 { ", " } else { "" });
        target(printed, name);
        if let Some(default) = index.checked_sub(without).and_then(|at| of.defaults.get(at)) {
            printed.push("=");
            printed.expression(default);
        }
    }
    printed.push(")");
}
