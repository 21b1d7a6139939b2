//! Noting what is wrong with a scenario, with the field and the place in its text.

use super::super::{ObjectKind, ObjectName, Problem, Problems, Severity};
use crate::domain::expression::{self, CompileError, Condition, Expression, Scope};
use crate::domain::render::RenderingsLeft;

/// Collects the problems of one scenario.
pub(super) struct Report<'p> {
    object: ObjectName,
    problems: &'p mut Problems,
    failed: bool,
    /// How often texts may still be rendered with samples: the proofs of one scenario together have a bound.
    pub renderings_left: RenderingsLeft,
}

/// With how many renderings the texts of one scenario are tried; each costs a fraction of a millisecond at most.
const RENDERINGS_MAX: usize = 600;

/// The same with what the store has seen of customers.
const RENDERINGS_SEEN_MAX: usize = 300;

impl<'p> Report<'p> {
    pub fn new(object: ObjectName, problems: &'p mut Problems) -> Self {
        let renderings_left = RenderingsLeft { declared: RENDERINGS_MAX, seen: RENDERINGS_SEEN_MAX };
        Report { object, problems, failed: false, renderings_left }
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.object.name
    }

    /// Whether the scenario cannot run.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Notes an error about a field; `None`, so that it can be returned.
    pub fn refuse<T>(&mut self, path: impl Into<String>, message: impl Into<String>) -> Option<T> {
        self.note(self.object.clone(), path.into(), None, Severity::Error, message.into());
        None
    }

    /// Notes a warning about a field.
    pub fn warn(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.note(self.object.clone(), path.into(), None, Severity::Warning, message.into());
    }

    /// Compiles a condition and notes what is wrong with it.
    pub fn condition(&mut self, path: &str, source: &str, scope: &Scope) -> Option<Condition> {
        match Condition::compile(source, scope) {
            Ok(condition) => {
                condition.warnings().iter().for_each(|warning| self.found(path, warning));
                Some(condition)
            }
            Err(CompileError { problems }) => {
                problems.iter().for_each(|problem| self.found(path, problem));
                None
            }
        }
    }

    /// Compiles an expression and notes what is wrong with it.
    pub fn expression(&mut self, path: &str, source: &str, scope: &Scope) -> Option<Expression> {
        match Expression::compile(source, scope) {
            Ok(expression) => {
                expression.warnings().iter().for_each(|warning| self.found(path, warning));
                Some(expression)
            }
            Err(CompileError { problems }) => {
                problems.iter().for_each(|problem| self.found(path, problem));
                None
            }
        }
    }

    /// Notes a finding in the text of a field.
    pub fn found(&mut self, path: &str, problem: &expression::ExpressionProblem) {
        self.note_found(self.object.clone(), path.to_owned(), problem);
    }

    /// Notes a finding in a text of a ConfigMap.
    pub fn found_in_text(&mut self, config_map: &str, key: &str, problem: &expression::ExpressionProblem) {
        let object = ObjectName { kind: ObjectKind::ConfigMap, name: config_map.to_owned() };
        self.note_found(object, format!("data[{key}]"), problem);
    }

    fn note_found(&mut self, object: ObjectName, path: String, problem: &expression::ExpressionProblem) {
        self.note(object, path, Some(problem.span.clone()), problem.severity, problem.to_string());
    }

    fn note(
        &mut self,
        object: ObjectName,
        path: String,
        span: Option<std::ops::Range<usize>>,
        severity: Severity,
        message: String,
    ) {
        self.failed |= severity == Severity::Error;
        self.problems.push_once(Problem { object, path, span, severity, message });
    }
}
