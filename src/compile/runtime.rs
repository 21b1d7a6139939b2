//! What a Runtime declares for all texts; and what this version does not yet do, said as a warning.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use super::{ObjectKind, ObjectName, Problem, Problems, Severity, Sources, Trigger};
use crate::api::{DurationText, RuntimeSpec};
use crate::domain::duration::{duration_from_text, duration_in_text};
use crate::domain::local_defaults::{LocalDefaults, locale_of, zone_of};
use crate::domain::name::TriggerName;
use crate::domain::retention::{KEPT_MAX, KEPT_MIN, RetentionPolicy};

/// A namespace has one Runtime in force; its name is of no importance to what it declares.
const IN_FORCE: &str = "in force";
const CALLS_PATH: &str = "spec.retention.calls";

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

/// How long things are kept. A length that cannot be is an error of the Runtime; calls that a trigger's rate window counts
/// are kept as long as it does.
pub(super) fn retention(
    sources: &Sources,
    triggers: &BTreeMap<TriggerName, Arc<Trigger>>,
    problems: &mut Problems,
) -> RetentionPolicy {
    let declared = sources.runtime.as_ref().and_then(|runtime| runtime.retention.as_ref());
    let Some(declared) = declared else { return RetentionPolicy::default() };
    let calls = kept_for(declared.calls.as_ref(), CALLS_PATH, problems);
    let windows = triggers.values().filter_map(|it| it.rate.as_ref().map(|rate| (rate.per, &it.name)));
    let calls = match (calls, windows.max_by_key(|(per, _)| *per)) {
        (Some(calls), Some((per, trigger))) if calls < per => {
            let per_text = duration_in_text(per);
            let message = format!(
                "ApiTrigger {trigger} counts the calls of {per_text} in spec.rateWindow: calls are kept for {per_text}; \
                 write {per_text} here, or a shorter window there"
            );
            problems.push(problem(CALLS_PATH, Severity::Warning, message));
            Some(per)
        }
        (calls, _) => calls,
    };
    RetentionPolicy { calls, events: kept_for(declared.events.as_ref(), "spec.retention.events", problems) }
}

fn kept_for(text: Option<&DurationText>, path: &str, problems: &mut Problems) -> Option<Duration> {
    let message = match duration_from_text(&text?.0) {
        Ok(length) if (KEPT_MIN..=KEPT_MAX).contains(&length) => return Some(length),
        Ok(length) if length < KEPT_MIN => {
            format!("must be at least {}; left out, all is kept", duration_in_text(KEPT_MIN))
        }
        Ok(_) => format!("must be at most {}; left out, all is kept for ever", duration_in_text(KEPT_MAX)),
        Err(error) => error.to_string(),
    };
    problems.push(problem(path, Severity::Error, message));
    None
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

    fn retention_of(declared: &serde_json::Value, window: Option<&str>) -> (RetentionPolicy, Vec<String>) {
        let spec = serde_json::json!({"storage": {"sqlite": {"size": "1Gi"}}, "retention": declared});
        let mut sources =
            Sources { runtime: Some(serde_json::from_value(spec).unwrap()), ..Sources::default() };
        if let Some(per) = window {
            let trigger = serde_json::json!({"rateWindow": {"calls": 5, "per": per}});
            sources.triggers.insert("storm".into(), serde_json::from_value(trigger).unwrap());
        }
        let compiled = crate::compile::compile(&sources);
        let said = compiled.problems.iter().filter(|it| it.object.kind == ObjectKind::Runtime);
        let said = said.map(|it| format!("{:?} {}: {}", it.severity, it.path, it.message)).collect();
        (compiled.snapshot.retention, said)
    }

    #[test]
    fn lengths_that_cannot_be_are_refused_with_their_place_and_what_can_be() {
        let (kept, said) = retention_of(&serde_json::json!({"calls": "30d", "events": "1m"}), None);
        assert_eq!(kept.in_words(), "calls for 30d, events for 1m");
        assert_eq!(said, [""; 0]);
        let (kept, said) = retention_of(&serde_json::json!({}), None);
        assert_eq!((kept, said.len()), (RetentionPolicy::default(), 0));
        for (wrong, remedy) in [
            ("0s", "at least 1m"),
            ("0d0h", "at least 1m"),
            ("59s", "at least 1m"),
            ("500ms", "at least 1m"),
            ("36501d", "at most 36500d"),
            ("999999999d999999999h", "at most 36500d"),
            ("", "expected a length of time"),
            ("-1d", "expected a length of time"),
        ] {
            for field in ["calls", "events"] {
                let (kept, said) = retention_of(&serde_json::json!({field: wrong}), None);
                assert_eq!(kept, RetentionPolicy::default(), "{wrong}");
                let [said] = &said[..] else { panic!("{said:?}") };
                assert!(said.starts_with(&format!("Error spec.retention.{field}: ")), "{said}");
                assert!(said.contains(remedy), "{said}");
            }
        }
    }

    #[test]
    fn calls_that_a_rate_window_counts_are_kept_as_long_as_it_does() {
        let (kept, said) = retention_of(&serde_json::json!({"calls": "1h"}), Some("1d"));
        assert_eq!(kept.calls, Some(Duration::from_secs(86_400)));
        assert!(said[0].starts_with("Warning spec.retention.calls: ApiTrigger storm counts"), "{said:?}");
        let (kept, said) = retention_of(&serde_json::json!({"calls": "2d"}), Some("1d"));
        assert_eq!((kept.calls, said.len()), (Some(Duration::from_secs(2 * 86_400)), 0));
        let (kept, _) = retention_of(&serde_json::json!({"events": "1h"}), Some("1d"));
        assert_eq!(kept.calls, None);
    }
}
