//! From Jinja's syntax tree to the tree that decides, every name checked on the way.
//!
//! All findings are collected: a part that is wrong becomes `None`, and its neighbours are still looked at.

mod blocks;
mod constants;
mod content;
mod depth;
mod events;
mod explain;
mod guards;
mod kinds;
mod lacking;
mod leaf;
mod names;
mod needed;
mod node;
mod print;
mod refuse;
mod span;
mod term;
mod whole;
mod words;

use std::ops::Range;
use std::sync::Arc;

use minijinja::machinery::ast;

use super::hyphen::{Form, Rewritten};
use super::problem::{CompileError, ExpressionProblem, Severity};
use super::scope::Scope;
use super::tree::{Node, Term};
pub(crate) use content::check_content;
use guards::Guards;
pub(crate) use lacking::{expression_around, lacking};
#[cfg(test)]
pub(crate) use names::filter_names as content_filters;
pub(crate) use needed::needed_parameters;
pub use print::{print_again, print_parsed};
pub(crate) use span::of as range_of;
pub(crate) use whole::{
    Unreadable, add_whole_template, compile_whole_expression, parse_whole_expression, parse_whole_template,
};

/// How long a source may be. A condition a person reads has a few hundred bytes; a pasted list of postcodes
/// belongs in a parameter.
pub(crate) const SOURCE_BYTES_MAX: usize = 16 * 1024;

/// Which filters a source may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It decides: comparisons are nodes of the tree and nothing else compares.
    Condition,
    /// It gives a value.
    Value,
    /// It is a part of a message's text; Jinja itself reads it.
    Content,
}

/// Reads one source.
pub(crate) struct Compiler<'s> {
    /// As its author wrote it.
    source: &'s str,
    rewritten: &'s Rewritten,
    scope: &'s Scope,
    purpose: Purpose,
    guards: Guards,
    /// Whether an odd number of `not` stands around what is read.
    negated: bool,
    /// What is meant where a constant stands among the operands that are read.
    meant: Option<String>,
    problems: Vec<ExpressionProblem>,
    /// Used by contents only.
    walk: content::Walk,
}

/// Something compiled, with what deserves a warning.
pub(crate) struct Compiled<T> {
    pub tree: T,
    pub warnings: Vec<ExpressionProblem>,
}

/// Reads a condition.
// A method's path would fix the lifetimes that the closure leaves open.
#[allow(clippy::redundant_closure_for_method_calls)]
pub(crate) fn condition(source: &str, scope: &Scope) -> Result<Compiled<Node>, CompileError> {
    compile(source, scope, Purpose::Condition, |compiler, expr| compiler.deciding(expr))
}

/// Reads an expression that gives a value.
#[allow(clippy::redundant_closure_for_method_calls)]
pub(crate) fn value(source: &str, scope: &Scope) -> Result<Compiled<Term>, CompileError> {
    compile(source, scope, Purpose::Value, |compiler, expr| compiler.term(expr))
}

fn compile<T>(
    source: &str,
    scope: &Scope,
    purpose: Purpose,
    read: impl FnOnce(&mut Compiler<'_>, &ast::Expr<'_>) -> Option<T>,
) -> Result<Compiled<T>, CompileError> {
    let (inner, offset) = strip_braces(source);
    check_size(source, inner)?;
    let rewritten = Rewritten::new(inner, offset, Form::Expression, scope);
    if let Some(range) = depth::too_deep(&rewritten.text, Form::Expression) {
        return Err(nests_too_deep(rewritten.original(range)));
    }
    let expr =
        whole::parse_whole_expression(&rewritten.text).map_err(|error| unreadable(error, &rewritten))?;
    let mut compiler = Compiler::new(source, &rewritten, scope, purpose);
    let tree = read(&mut compiler, &expr);
    let mut problems = compiler.problems;
    problems.extend(rewritten.warnings.iter().cloned());
    problems.sort_by_key(|problem| problem.span.start);
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    match tree {
        Some(tree) if !failed => Ok(Compiled { tree, warnings: problems }),
        _ => Err(CompileError { problems }),
    }
}

fn check_size(source: &str, inner: &str) -> Result<(), CompileError> {
    if inner.trim().is_empty() {
        return Err(ExpressionProblem::error(0..source.len(), "the expression is empty").into());
    }
    if source.len() > SOURCE_BYTES_MAX {
        return Err(ExpressionProblem::error(
            0..source.len(),
            format!("the expression is longer than {SOURCE_BYTES_MAX} bytes"),
        )
        .remedy("move long lists into a parameter or an attribute")
        .into());
    }
    Ok(())
}

/// Takes the braces off a whole expression written as `{{ … }}`, as Jinja's users do; answers where it begins.
fn strip_braces(source: &str) -> (&str, usize) {
    let trimmed = source.trim();
    let inner = trimmed
        .strip_prefix("{{")
        .and_then(|rest| rest.strip_suffix("}}"))
        .filter(|inner| !inner.contains("{{") && !inner.contains("}}"));
    let text = inner.map_or(trimmed, without_marks);
    // `text` is a part of `source`, so that the difference of their addresses is its place.
    (text, text.as_ptr() as usize - source.as_ptr() as usize)
}

/// Takes off the signs by which a tag keeps or drops the white space around it.
fn without_marks(inner: &str) -> &str {
    let begun = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    begun.strip_suffix(['-', '+']).unwrap_or(begun).trim()
}

fn nests_too_deep(span: Range<usize>) -> CompileError {
    ExpressionProblem::error(span, "this nests too deep")
        .remedy("split it, or move a part into a parameter")
        .into()
}

fn unreadable(error: Unreadable, rewritten: &Rewritten) -> ExpressionProblem {
    let problem = ExpressionProblem::error(rewritten.original(error.range), error.message);
    match error.remedy {
        Some(remedy) => problem.remedy(remedy),
        None => problem,
    }
}

impl<'s> Compiler<'s> {
    /// Reads parts of a source; `rewritten` is made of it.
    pub fn new(source: &'s str, rewritten: &'s Rewritten, scope: &'s Scope, purpose: Purpose) -> Self {
        Compiler {
            source,
            rewritten,
            scope,
            purpose,
            guards: Guards::of(scope),
            negated: false,
            meant: None,
            problems: Vec::new(),
            walk: content::Walk::default(),
        }
    }

    /// Notes a finding; `None`, so that it can be returned.
    fn refuse<T>(&mut self, problem: ExpressionProblem) -> Option<T> {
        self.problems.push(problem);
        None
    }

    /// The author's bytes of an expression.
    fn span(&self, expr: &ast::Expr<'_>) -> Range<usize> {
        self.rewritten.original(span::of(expr, &self.rewritten.text))
    }

    /// The author's text of a range.
    fn text(&self, span: &Range<usize>) -> Arc<str> {
        self.source.get(span.clone()).unwrap_or_default().into()
    }
}
