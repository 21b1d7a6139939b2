//! What a Runtime declares for all texts; and what this version does not yet do, said aloud, so that nobody relies on it.

use std::fmt::Display;
use std::sync::Arc;

use super::{ObjectKind, ObjectName, Problem, Problems, Severity, Sources};
use crate::api::RuntimeSpec;
use crate::domain::local_defaults::{LocalDefaults, locale_of, zone_of};

/// A namespace has one Runtime in force; its name is of no importance to what it declares.
const IN_FORCE: &str = "in force";

/// Zone, language and region of texts that name none. What is wrong with them is an error of the Runtime.
pub(super) fn local_defaults(sources: &Sources, problems: &mut Problems) -> Arc<LocalDefaults> {
    let Some(runtime) = &sources.runtime else { return Arc::default() };
    let usual = LocalDefaults::default();
    let zone = read(runtime.time_zone.as_deref(), "spec.timeZone", zone_of, problems);
    let locale = read(runtime.locale.as_deref(), "spec.locale", locale_of, problems);
    Arc::new(LocalDefaults {
        region: read(runtime.region.as_deref(), "spec.region", str::parse, problems),
        zone: zone.unwrap_or(usual.zone),
        locale: locale.unwrap_or(usual.locale),
    })
}

fn read<T, E: Display>(
    declared: Option<&str>,
    path: &str,
    reader: impl FnOnce(&str) -> Result<T, E>,
    problems: &mut Problems,
) -> Option<T> {
    match reader(declared?) {
        Ok(value) => Some(value),
        Err(error) => {
            problems.push(problem(path, Severity::Error, error.to_string()));
            None
        }
    }
}

fn problem(path: &str, severity: Severity, message: String) -> Problem {
    let object = ObjectName { kind: ObjectKind::Runtime, name: IN_FORCE.into() };
    Problem { object, path: path.into(), span: None, severity, message }
}

/// Warns of every field that is accepted and has no effect yet.
pub(super) fn check(sources: &Sources, problems: &mut Problems) {
    let Some(runtime) = &sources.runtime else { return };
    for (path, what) in without_effect(runtime) {
        let message = format!("{what} not applied by this version of Fanfare; do not rely on it");
        problems.push(problem(path, Severity::Warning, message));
    }
}

fn without_effect(runtime: &RuntimeSpec) -> Vec<(&'static str, &'static str)> {
    let policies = runtime.policies.as_ref();
    let declared = [
        (runtime.retention.is_some(), "spec.retention", "retention is"),
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
        });
        let runtime = Some(serde_json::from_value(spec).unwrap());
        let sources = Sources { runtime, ..Sources::default() };
        let mut problems = Problems::default();
        check(&sources, &mut problems);
        let found = problems.into_vec();
        let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["spec.policies.quietHours"]);
    }

    #[test]
    fn what_is_no_zone_locale_or_region_is_an_error() {
        let read = |declared: serde_json::Value| {
            let mut spec = serde_json::json!({"storage": {"sqlite": {"size": "1Gi"}}});
            spec.as_object_mut().unwrap().extend(declared.as_object().unwrap().clone());
            let runtime = Some(serde_json::from_value(spec).unwrap());
            let mut problems = Problems::default();
            let local = local_defaults(&Sources { runtime, ..Sources::default() }, &mut problems);
            let said = problems.into_vec().into_iter().map(|it| format!("{}: {}", it.path, it.message));
            (local, said.collect::<Vec<_>>())
        };
        let known = serde_json::json!({"timeZone": "Europe/Vienna", "locale": "de-AT", "region": "AT"});
        let (local, said) = read(known);
        assert_eq!(said, [""; 0]);
        assert_eq!(local.region.map(|region| region.to_string()).as_deref(), Some("AT"));
        assert_eq!(
            (local.zone.iana_name(), local.locale.to_string()),
            (Some("Europe/Vienna"), "de-AT".into())
        );
        let (local, said) =
            read(serde_json::json!({"timeZone": "Europe/Viena", "locale": "xx", "region": "UK"}));
        assert_eq!(*local, LocalDefaults::default());
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].starts_with("spec.timeZone: there is no time zone `Europe/Viena`"), "{said:?}");
        assert!(said[1].starts_with("spec.locale: nothing is known of the language"), "{said:?}");
        assert!(said[2].starts_with("spec.region: there is no region `UK`"), "{said:?}");
    }
}
