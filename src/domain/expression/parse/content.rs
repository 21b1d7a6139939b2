//! The names in a template: what the compiler can know to be wrong, a customer need not find out.
//!
//! Contents are rendered by Jinja itself; here only their names are checked, and the events they ask for noted.

mod expressions;
mod raw;
mod statements;

use std::collections::BTreeMap;

use minijinja::machinery::ast;

use super::super::depends::EventTypes;
use super::super::hyphen::{Form, Rewritten};
use super::super::problem::{CompileError, ExpressionProblem, Severity};
use super::super::scope::Scope;
use super::super::tree::Term;
use super::depth::too_deep;
use super::whole::{Parsed, parse_whole};
use super::{Compiler, Purpose, unreadable};

/// A template whose names are checked.
#[derive(Debug)]
pub(crate) struct CheckedContent {
    /// The text for Jinja, names with hyphens rewritten.
    pub text: String,
    /// The events it asks for.
    pub events: EventTypes,
    /// The names of the texts it includes.
    pub includes: Vec<String>,
    /// Every name it gives itself; what it includes may use them.
    pub given: Vec<String>,
    /// What can be used but is probably not meant.
    pub warnings: Vec<ExpressionProblem>,
}

/// What the walk through a template collects.
#[derive(Default)]
pub(in crate::domain::expression) struct Walk {
    /// Names that the template itself gave, by block.
    frames: Vec<Vec<String>>,
    /// All of them.
    given: Vec<String>,
    event_types: Vec<Term>,
    includes: Vec<String>,
}

/// Checks a template. `texts` are those it may include, by the name it includes them by; `given` are names that the
/// including template gives.
pub(crate) fn check_content(
    source: &str,
    scope: &Scope,
    texts: &BTreeMap<String, String>,
    given: &[String],
) -> Result<CheckedContent, CompileError> {
    let rewritten = Rewritten::new(source, 0, Form::Template, scope);
    if let Some(range) = too_deep(&rewritten.text, Form::Template) {
        return Err(super::nests_too_deep(rewritten.original(range)));
    }
    let parsed =
        parse_whole(&rewritten.text, Form::Template).map_err(|error| unreadable(error, &rewritten))?;
    let mut compiler = Compiler::new(source, &rewritten, scope, Purpose::Content);
    compiler.walk.frames.push(given.to_vec());
    compiler.walk.given.extend_from_slice(given);
    if let Parsed::Template(ast::Stmt::Template(template)) = &parsed {
        compiler.statements(&template.children, texts);
    }
    let Compiler { mut problems, walk, .. } = compiler;
    problems.extend(rewritten.warnings.iter().cloned());
    problems.sort_by_key(|problem| problem.span.start);
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(CompileError { problems });
    }
    let mut events = EventTypes::default();
    walk.event_types.iter().for_each(|event_type| events.add(event_type));
    let text = rewritten.text.clone();
    Ok(CheckedContent { text, events, includes: walk.includes, given: walk.given, warnings: problems })
}

impl Compiler<'_> {
    fn is_local(&self, name: &str) -> bool {
        self.walk.frames.iter().any(|frame| frame.iter().any(|known| known == name))
    }

    fn give(&mut self, name: &str) {
        self.walk.given.push(name.to_owned());
        if let Some(frame) = self.walk.frames.last_mut() {
            frame.push(name.to_owned());
        }
    }

    fn in_frame(&mut self, names: &[&str], inside: impl FnOnce(&mut Self)) {
        self.walk.given.extend(names.iter().map(|name| (*name).to_owned()));
        self.walk.frames.push(names.iter().map(|name| (*name).to_owned()).collect());
        inside(self);
        self.walk.frames.pop();
    }

    fn complain(&mut self, problem: ExpressionProblem) {
        self.problems.push(problem);
    }
}
