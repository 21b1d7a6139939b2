//! A trigger that can be called: its parameters, who may call it, and the limits of its calls.
//!
//! Every problem of a declaration is found at once, with the field it stands in.

mod example;
mod limits;
mod parameter;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::problem::Severity;
use super::{ObjectKind, ObjectName, Problem, Problems, Sources};
use crate::api::{ApiTriggerSpec, UnknownFields};
use crate::domain::name::TriggerName;
use crate::domain::params::Parameter;
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
    pub parameters: Vec<Parameter>,
    /// Whether fields that no parameter declares are refused.
    pub refuses_unknown_fields: bool,
    /// Where its own username and password come from; `None` if it has none.
    pub basic: Option<BasicSource>,
    /// Whether shared keys may call it.
    pub api_keys: bool,
    /// How many calls it takes in a while.
    pub rate: Option<RateLimit>,
    /// For how long a happening is remembered, where the trigger tells happenings apart.
    pub deduplicate_within: Option<Duration>,
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
    /// They are generated and kept by whoever runs it.
    Generated,
    /// They are read from this Secret.
    Secret(String),
}

/// When a trigger's calls expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expiry {
    /// So long after they were received.
    After(Duration),
}

/// What one trigger's compilation says is wrong.
pub(super) struct Findings<'a> {
    object: ObjectName,
    problems: &'a mut Problems,
}

impl Findings<'_> {
    fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            object: self.object.clone(),
            path: path.into(),
            span: None,
            severity: Severity::Error,
            message: message.into(),
        });
    }
}

pub(super) fn compile_all(sources: &Sources, problems: &mut Problems) -> BTreeMap<TriggerName, Arc<Trigger>> {
    let mut compiled = BTreeMap::new();
    for (name, spec) in &sources.triggers {
        let object = ObjectName { kind: ObjectKind::ApiTrigger, name: name.clone() };
        let trigger = compile(name, spec, &mut Findings { object: object.clone(), problems });
        if !problems.has_errors(&object) {
            compiled.insert(trigger.name.clone(), Arc::new(trigger));
        }
    }
    compiled
}

fn compile(name: &str, spec: &ApiTriggerSpec, findings: &mut Findings<'_>) -> Trigger {
    let parameters = parameter::compile_all(&spec.parameters, findings);
    let (basic, api_keys) = limits::access(spec.auth.as_ref(), findings);
    Trigger {
        name: TriggerName::new(name),
        parameters,
        refuses_unknown_fields: spec.unknown_fields == UnknownFields::Refuse,
        basic,
        api_keys,
        rate: limits::rate(spec, findings),
        deduplicate_within: limits::deduplicate_within(spec, findings),
        expiry: limits::expiry(spec, findings),
        body_bytes_max: limits::body_bytes_max(spec, findings),
        example: example::payload(spec),
        spec: spec.clone(),
    }
}

#[cfg(test)]
mod tests;
