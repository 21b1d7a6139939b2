//! What a Runtime declares that this version does not yet do: said aloud, so that nobody relies on it.

use super::{ObjectKind, ObjectName, Problem, Problems, Severity, Sources};
use crate::api::RuntimeSpec;

/// A namespace has one Runtime in force; its name is of no importance to what it declares.
const IN_FORCE: &str = "in force";

/// Warns of every field that is accepted and has no effect yet.
pub(super) fn check(sources: &Sources, problems: &mut Problems) {
    let Some(runtime) = &sources.runtime else { return };
    for (path, what) in without_effect(runtime) {
        problems.push(Problem {
            object: ObjectName { kind: ObjectKind::Runtime, name: IN_FORCE.into() },
            path: path.into(),
            span: None,
            severity: Severity::Warning,
            message: format!("{what} not applied by this version of Fanfare; do not rely on it"),
        });
    }
}

fn without_effect(runtime: &RuntimeSpec) -> Vec<(&'static str, &'static str)> {
    let policies = runtime.policies.as_ref();
    let declared = [
        (runtime.retention.is_some(), "spec.retention", "retention is"),
        (runtime.time_zone.is_some(), "spec.timeZone", "the time zone is"),
        (
            policies.is_some_and(|policies| !policies.frequency.is_empty()),
            "spec.policies.frequency",
            "frequency limits are",
        ),
        (
            policies.is_some_and(|policies| policies.quiet_hours.is_some()),
            "spec.policies.quietHours",
            "quiet hours are",
        ),
    ];
    declared.into_iter().filter(|(is_set, ..)| *is_set).map(|(_, path, what)| (path, what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_effect_is_said() {
        let spec = serde_json::json!({
            "storage": {"sqlite": {"size": "1Gi"}},
            "policies": {"quietHours": {"from": "21:00", "to": "08:00"}},
            "timeZone": "Europe/Vienna",
        });
        let runtime = Some(serde_json::from_value(spec).unwrap());
        let sources = Sources { runtime, ..Sources::default() };
        let mut problems = Problems::default();
        check(&sources, &mut problems);
        let found = problems.into_vec();
        let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["spec.timeZone", "spec.policies.quietHours"]);
    }
}
