//! Keeps the last good version of an object in force while its newest edit is broken.
//!
//! Only that object is held back: everything else takes its newest version at once.

use std::collections::{BTreeMap, BTreeSet};

use super::references::config_maps;
use super::{
    Before, Compilation, ObjectKind, ObjectName, Problem, Severity, Sources, compile, compile_after,
};

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
    let mut sources = wanted;
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

/// What is tried, one after the other, for an object that does not compile.
#[derive(Debug, Clone, Copy)]
enum Remedy {
    /// Its previous version, if there is one; else it is left out.
    PutBack,
    /// The previous version of the ConfigMaps it names too: the edit that broke it may be theirs.
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
            Remedy::PutBackTexts => put_back_texts(sources, object, previous),
            Remedy::LeaveOut => replace(sources, object, None),
        }
    }
}

fn broken_objects(problems: &[Problem]) -> BTreeSet<ObjectName> {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    errors.map(|problem| problem.object.clone()).collect()
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
        ObjectKind::ConfigMap => put(&mut sources.texts, name, previous.map(|p| &p.texts)),
        ObjectKind::Secret => {}
    }
}

fn put_back_texts(sources: &mut Sources, object: &ObjectName, previous: &Sources) {
    if object.kind != ObjectKind::Scenario {
        return;
    }
    let Some(scenario) = sources.scenarios.get(&object.name) else { return };
    for name in config_maps(scenario) {
        put(&mut sources.texts, &name, Some(&previous.texts));
    }
}

fn put<T: Clone>(target: &mut BTreeMap<String, T>, name: &str, previous: Option<&BTreeMap<String, T>>) {
    match previous.and_then(|previous| previous.get(name)) {
        Some(last_good) => target.insert(name.to_owned(), last_good.clone()),
        None => target.remove(name),
    };
}
