//! Keeps the last good version of an object in force while its newest edit is broken.
//!
//! Only that object is held back: everything else takes its newest version at once. A ConfigMap is never held back as
//! a whole, as one broken text of it says nothing about the others: each scenario keeps the texts it had.

use std::collections::{BTreeMap, BTreeSet};

use super::references::config_maps;
use super::{
    Before, Compilation, LeftOutScenario, ObjectKind, ObjectName, Problem, Severity, Sources, compile,
    compile_after,
};
use crate::api::ScenarioSpec;

/// How many characters of a problem are kept with a scenario that is left out.
const PROBLEM_CHARS_MAX: usize = 400;

/// What is put in force, and everything that is wrong with what was wanted.
#[derive(Debug)]
pub struct Settled {
    /// What was compiled in the end; the version row holds this.
    pub sources: Sources,
    /// The compilation of `sources`: it has no errors.
    pub compilation: Compilation,
    /// Errors and warnings of what was wanted, for people.
    pub problems: Vec<Problem>,
    /// The objects whose last good version stays in force, and those left out because there is none.
    pub held_back: BTreeSet<ObjectName>,
}

/// Compiles what is wanted; what does not compile is replaced by its version in `previous`, or left out.
pub fn settle(previous: &Sources, wanted: Sources) -> Settled {
    settle_by(previous, wanted, compile)
}

/// The same, with what has not changed since taken over as it was compiled.
pub fn settle_after(before: &Before, wanted: Sources) -> Settled {
    settle_by(before.sources(), wanted, |sources| compile_after(sources, before))
}

fn settle_by(previous: &Sources, wanted: Sources, compile: impl Fn(&Sources) -> Compilation) -> Settled {
    let scenarios = wanted.scenarios.clone();
    let mut sources = wanted;
    sources.left_out.clear();
    let mut remedies: BTreeMap<ObjectName, Remedy> = BTreeMap::new();
    let mut compilation = compile(&sources);
    let problems = compilation.problems.clone();
    loop {
        let broken = broken_objects(&compilation.problems);
        let mut changed = false;
        for object in broken {
            // Each object has three remedies and the last one removes it, so this ends.
            let Some(remedy) = remedies.get(&object).map_or(Some(Remedy::PutBack), |last| last.next()) else {
                continue;
            };
            remedy.apply(&mut sources, &object, previous);
            if let Some(wanted) = scenarios.get(&object.name).filter(|_| object.kind == ObjectKind::Scenario)
                && !sources.scenarios.contains_key(&object.name)
            {
                let left_out = left_out(wanted, &object, &compilation.problems);
                sources.left_out.insert(object.name.clone(), left_out);
            }
            remedies.insert(object, remedy);
            changed = true;
        }
        if !changed {
            let held_back = remedies.into_keys().collect();
            return Settled { sources, compilation, problems, held_back };
        }
        compilation = compile(&sources);
    }
}

fn left_out(wanted: &ScenarioSpec, object: &ObjectName, problems: &[Problem]) -> LeftOutScenario {
    let is_its_own = |problem: &&Problem| problem.severity == Severity::Error && problem.object == *object;
    let first = problems.iter().find(is_its_own);
    let problem = first.map(|problem| format!("{}: {}", problem.path, problem.message)).unwrap_or_default();
    LeftOutScenario {
        triggers: wanted.triggers.iter().map(|entry| entry.trigger_ref.name.clone()).collect(),
        problem: problem.chars().take(PROBLEM_CHARS_MAX).collect(),
    }
}

/// What is tried, one after the other, for an object that does not compile.
#[derive(Debug, Clone, Copy)]
enum Remedy {
    /// Its previous version, if there is one; else it is left out.
    PutBack,
    /// With the texts it had, too: the edit that broke it may be a ConfigMap's. A Runtime: with everything kept.
    PutBackTexts,
    /// Out, as its previous version does not fit what else is wanted.
    LeaveOut,
}

impl Remedy {
    fn next(self) -> Option<Self> {
        match self {
            Remedy::PutBack => Some(Remedy::PutBackTexts),
            Remedy::PutBackTexts => Some(Remedy::LeaveOut),
            Remedy::LeaveOut => None,
        }
    }

    fn apply(self, sources: &mut Sources, object: &ObjectName, previous: &Sources) {
        match self {
            Remedy::PutBack => replace(sources, object, Some(previous)),
            Remedy::PutBackTexts => {
                put_back_texts(sources, object, previous);
                put_back_without_retention(sources, object);
            }
            Remedy::LeaveOut => {
                sources.kept_texts.remove(&object.name);
                replace(sources, object, None);
            }
        }
    }
}

/// What is wrong with a text is said of its ConfigMap, and of each scenario that cannot be used because of it.
fn broken_objects(problems: &[Problem]) -> BTreeSet<ObjectName> {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let objects = errors.map(|problem| problem.object.clone());
    objects.filter(|object| object.kind != ObjectKind::ConfigMap).collect()
}

/// Puts the previous version of the object in place; without one, leaves the object out.
fn replace(sources: &mut Sources, object: &ObjectName, previous: Option<&Sources>) {
    let name = &object.name;
    match object.kind {
        ObjectKind::ApiTrigger => put(&mut sources.triggers, name, previous.map(|p| &p.triggers)),
        ObjectKind::Scenario => put(&mut sources.scenarios, name, previous.map(|p| &p.scenarios)),
        ObjectKind::Channel => put(&mut sources.channels, name, previous.map(|p| &p.channels)),
        ObjectKind::ApiKey => put(&mut sources.api_keys, name, previous.map(|p| &p.api_keys)),
        ObjectKind::Runtime => sources.runtime = previous.and_then(|previous| previous.runtime.clone()),
        ObjectKind::ConfigMap | ObjectKind::Secret => {}
    }
}

fn put_back_texts(sources: &mut Sources, object: &ObjectName, previous: &Sources) {
    let Some(scenario) = sources.scenarios.get(&object.name).filter(|_| object.kind == ObjectKind::Scenario)
    else {
        return;
    };
    let kept = config_maps(scenario).into_iter().filter_map(|config_map| {
        let texts = previous.texts_of(&object.name, &config_map)?;
        (sources.texts.get(&config_map) != Some(texts)).then(|| (config_map, texts.clone()))
    });
    let kept: BTreeMap<_, _> = kept.collect();
    if !kept.is_empty() {
        sources.kept_texts.insert(object.name.clone(), kept);
    }
}

/// A version before took any length of time here: the rest of such a Runtime stays in force, and everything is kept.
fn put_back_without_retention(sources: &mut Sources, object: &ObjectName) {
    if let Some(runtime) = sources.runtime.as_mut().filter(|_| object.kind == ObjectKind::Runtime) {
        runtime.retention = None;
    }
}

fn put<T: Clone>(target: &mut BTreeMap<String, T>, name: &str, previous: Option<&BTreeMap<String, T>>) {
    match previous.and_then(|previous| previous.get(name)) {
        Some(last_good) => target.insert(name.to_owned(), last_good.clone()),
        None => target.remove(name),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenarios that take a text each of one ConfigMap.
    fn sources(texts: &[(&str, &str)]) -> Sources {
        let yaml = |text: &str| serde_yaml_ng::from_str::<serde_json::Value>(text).unwrap();
        let spec = |text: &str| serde_json::from_value(yaml(text)).unwrap();
        let mut sources = Sources::default();
        sources.triggers.insert("storm".into(), serde_json::from_value(yaml("{}")).unwrap());
        sources.channels.insert("log".into(), serde_json::from_value(yaml("log: {}")).unwrap());
        for (key, _) in texts {
            sources.scenarios.insert(
                (*key).to_owned(),
                spec(&format!(
                    "{{triggers: [{{triggerRef: {{name: storm}}}}], audience: {{everyone: {{}}}}, nodes: [{{name: n, message: \
                     {{channelRef: {{name: log}}, consent: None, log: {{textFrom: {{configMapKeyRef: {{name: mails, key: \
                     {key}}}}}}}}}}}]}}"
                )),
            );
        }
        let texts = texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        sources.texts.insert("mails".into(), texts.collect());
        sources
    }

    fn in_force(settled: &Settled) -> Vec<&str> {
        settled.compilation.snapshot.scenarios.keys().map(|name| name.as_str()).collect()
    }

    const BROKEN: &str = "{{ params.nope }}";

    #[test]
    fn a_broken_text_holds_back_nobody_who_does_not_use_it() {
        let before = sources(&[("a", "old a"), ("b", "old b")]);
        let settled = settle(&before, sources(&[("a", BROKEN), ("b", "new b"), ("c", BROKEN)]));
        assert_eq!(in_force(&settled), ["a", "b"]);
        let text = |scenario, key| settled.sources.texts_of(scenario, "mails").unwrap()[key].as_str();
        assert_eq!((text("a", "a"), text("b", "b")), ("old a", "new b"));
        let held_back: Vec<_> = settled.held_back.iter().map(|object| object.name.as_str()).collect();
        assert_eq!(held_back, ["a", "c"]);
        assert!(settled.problems.iter().any(|problem| problem.object.kind == ObjectKind::ConfigMap));
    }

    #[test]
    fn texts_are_kept_until_they_are_mended_and_over_other_edits() {
        let before = sources(&[("a", "old a"), ("b", "old b")]);
        let first = settle(&before, sources(&[("a", BROKEN), ("b", "new b")]));
        let content: Sources = serde_json::from_str(&first.sources.content()).unwrap();
        let second = settle(&content, sources(&[("a", BROKEN), ("b", "newer b")]));
        assert_eq!(in_force(&second), ["a", "b"]);
        assert_eq!(second.sources.texts_of("a", "mails").unwrap()["a"], "old a");
        let mended = settle(&second.sources, sources(&[("a", "new a"), ("b", "newer b")]));
        assert_eq!((mended.held_back.len(), mended.sources.kept_texts.len()), (0, 0));
    }

    #[test]
    fn a_config_map_that_is_gone_stays_for_whom_it_is_in_force() {
        let before = sources(&[("a", "old a")]);
        let mut wanted = before.clone();
        wanted.texts.clear();
        let settled = settle(&before, wanted);
        assert_eq!((in_force(&settled), settled.sources.texts.len()), (vec!["a"], 0));
        // Nothing was in force: the others run.
        let fresh = settle(&Sources::default(), sources(&[("a", BROKEN), ("b", "new b")]));
        assert_eq!(in_force(&fresh), ["b"]);
    }

    #[test]
    fn a_scenario_that_is_left_out_is_kept_with_its_problem_until_it_is_mended() {
        let first = settle(&Sources::default(), sources(&[("a", BROKEN), ("b", "new b")]));
        let content: Sources = serde_json::from_str(&first.sources.content()).unwrap();
        let left_out = &compile(&content).snapshot.left_out;
        assert_eq!(left_out.keys().collect::<Vec<_>>(), ["a"]);
        assert!(left_out["a"].triggers.contains("storm"));
        assert!(left_out["a"].problem.contains("nope"), "{left_out:?}");
        let mended = settle(&content, sources(&[("a", "new a"), ("b", "new b")]));
        assert_eq!((mended.sources.left_out.len(), mended.compilation.snapshot.left_out.len()), (0, 0));

        let mut without_channel = sources(&[("a", "old a")]);
        without_channel.channels.clear();
        let settled = settle(&sources(&[("a", "old a")]), without_channel);
        assert_eq!(in_force(&settled), [""; 0]);
        assert!(settled.sources.left_out["a"].problem.contains("log"), "{:?}", settled.sources.left_out);
    }

    #[test]
    fn a_length_that_a_version_before_took_leaves_the_rest_of_the_runtime_in_force() {
        let runtime = serde_json::json!({
            "storage": {"sqlite": {"size": "1Gi"}}, "timeZone": "Europe/Vienna", "retention": {"calls": "0s"},
        });
        let sources =
            Sources { runtime: Some(serde_json::from_value(runtime).unwrap()), ..sources(&[("a", "text")]) };
        let settled = settle(&sources, sources.clone());
        let kept = settled.sources.runtime.as_ref().unwrap();
        assert_eq!((kept.time_zone.as_deref(), kept.retention.as_ref()), (Some("Europe/Vienna"), None));
        assert!(settled.problems.iter().any(|problem| problem.path == "spec.retention.calls"));
    }
}
