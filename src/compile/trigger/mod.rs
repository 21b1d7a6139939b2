//! A trigger that can be called: its parameters, who may call it, and the limits of its calls.
//!
//! Every problem of a declaration is found at once, with the field it stands in.

mod example;
mod limits;
mod mapping;
mod parameter;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::confined::confined;
use super::problem::Severity;
use super::{Before, ObjectKind, ObjectName, Problem, Problems, Sources};
use crate::api::{ApiTriggerSpec, UnknownFields};
use crate::domain::expression::{self, CompileError, Expression, Place, TriggerScope};
use crate::domain::local_defaults::LocalDefaults;
use crate::domain::name::TriggerName;
use crate::domain::params::DeclaredParameter;
use crate::domain::rate_window::RateLimit;

pub use example::curl;

/// A trigger that can be called.
#[derive(Debug)]
pub struct Trigger {
    /// Its name.
    pub name: TriggerName,
    /// As it was declared.
    pub spec: ApiTriggerSpec,
    /// Its parameters.
    pub parameters: Vec<DeclaredParameter>,
    /// Where each parameter comes from, in their order; `None` for the field of the same name.
    pub mapping: Vec<Option<Expression>>,
    /// What gives the elements that each become a call; `None` if a request is one call.
    pub for_each: Option<Expression>,
    /// Names and types of the parameters, for the expressions that see them.
    pub scope: TriggerScope,
    /// Fields of the body, or of the element, that are known: parameters by name and what a mapping reads.
    pub known_fields: KnownFields,
    /// With `forEach`, fields of the body around the elements that are known: what `forEach` and mappings read.
    pub known_around: KnownFields,
    /// Whether fields that no parameter declares are refused.
    pub refuses_unknown_fields: bool,
    /// Where its own username and password come from; `None` if it has none.
    pub basic: Option<BasicSource>,
    /// Whether shared keys may call it.
    pub api_keys: bool,
    /// How many calls it takes in a while.
    pub rate: Option<RateLimit>,
    /// How the trigger tells happenings apart, if it does.
    pub deduplicate: Option<Deduplication>,
    /// When its calls expire.
    pub expiry: Option<Expiry>,
    /// The largest body it takes.
    pub body_bytes_max: usize,
    /// An example payload, made from the parameters' examples.
    pub example: serde_json::Value,
}

/// Where a trigger's own username and password come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BasicSource {
    /// They are generated and kept by the operator, or by `fanfare dev`.
    Generated,
    /// They are read from this Secret.
    Secret(String),
}

/// How a trigger tells happenings apart.
#[derive(Debug, Clone)]
pub struct Deduplication {
    /// Two calls for which it gives the same value report the same happening.
    pub by: Expression,
    /// For how long a happening is remembered.
    pub within: Duration,
}

/// When a trigger's calls expire.
#[derive(Debug, Clone)]
pub enum Expiry {
    /// So long after they were received.
    After(Duration),
    /// At the moment that this gives.
    At(Expression),
}

/// Which fields of a body are known to a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownFields {
    /// A mapping reads the body as a whole.
    All,
    /// These.
    Named(BTreeSet<String>),
}

/// What one trigger's compilation says is wrong.
pub(super) struct Findings<'a> {
    object: ObjectName,
    /// What the Runtime says of zone, language and region.
    local: &'a Arc<LocalDefaults>,
    problems: &'a mut Problems,
}

impl Findings<'_> {
    fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.note(Severity::Error, path.into(), message.into());
    }

    /// Whether the trigger cannot be called.
    fn failed(&self) -> bool {
        self.problems.has_errors(&self.object)
    }

    fn warning(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.note(Severity::Warning, path.into(), message.into());
    }

    fn note(&mut self, severity: Severity, path: String, message: String) {
        let object = self.object.clone();
        self.problems.push(Problem { object, path, span: None, severity, message });
    }

    /// The names that an expression sees.
    fn scope(&self, place: Place, triggers: Vec<TriggerScope>) -> expression::Scope {
        expression::Scope { place, triggers, local: Arc::clone(self.local) }
    }

    /// Compiles an expression that stands at the path, and says what is wrong or suspicious in it.
    fn expression(&mut self, path: &str, source: &str, scope: &expression::Scope) -> Option<Expression> {
        match Expression::compile(source, scope) {
            Ok(expression) => {
                self.found_in(path, expression.warnings());
                Some(expression)
            }
            Err(CompileError { problems }) => {
                self.found_in(path, &problems);
                None
            }
        }
    }

    fn found_in(&mut self, path: &str, found: &[expression::ExpressionProblem]) {
        for problem in found {
            self.problems.push(Problem {
                object: self.object.clone(),
                path: path.to_owned(),
                span: Some(problem.span.clone()),
                severity: problem.severity,
                message: problem.to_string(),
            });
        }
    }
}

pub(super) fn compile_all(
    sources: &Sources,
    before: Option<&Before>,
    local: &Arc<LocalDefaults>,
    problems: &mut Problems,
) -> BTreeMap<TriggerName, Arc<Trigger>> {
    let mut compiled = BTreeMap::new();
    for (name, spec) in &sources.triggers {
        if let Some(same) = before.and_then(|before| before.trigger(name, sources)) {
            compiled.insert(same.name.clone(), same);
            continue;
        }
        let object = ObjectName { kind: ObjectKind::ApiTrigger, name: name.clone() };
        let trigger = confined(&object, problems, |problems| {
            compile(name, spec, &mut Findings { object: object.clone(), local, problems })
        });
        if let Some(trigger) = trigger.filter(|_| !problems.has_errors(&object)) {
            compiled.insert(trigger.name.clone(), Arc::new(trigger));
        }
    }
    compiled
}

fn compile(name: &str, spec: &ApiTriggerSpec, findings: &mut Findings<'_>) -> Trigger {
    let parameters = parameter::compile_all(&spec.parameters, findings);
    let scope = mapping::scope(name, &parameters);
    let mapping = mapping::compile_all(spec, findings);
    let for_each = mapping::for_each(spec, findings);
    let (basic, api_keys) = limits::access(spec.auth.as_ref(), findings);
    Trigger {
        name: TriggerName::new(name),
        refuses_unknown_fields: spec.unknown_fields == UnknownFields::Refuse,
        known_fields: mapping::known_fields(&parameters, &mapping, for_each.is_some()),
        known_around: mapping::known_around(&mapping, for_each.as_ref()),
        basic,
        api_keys,
        rate: limits::rate(spec, findings),
        deduplicate: limits::deduplicate(spec, &scope, findings),
        expiry: limits::expiry(spec, &scope, findings),
        body_bytes_max: limits::body_bytes_max(spec, findings),
        example: example::payload(
            &example::Parts { spec, rules: &parameters, mapping: &mapping, for_each: for_each.as_ref() },
            findings,
        ),
        spec: spec.clone(),
        parameters,
        mapping,
        for_each,
        scope,
    }
}

#[cfg(test)]
mod tests;
