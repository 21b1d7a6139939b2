//! The way from manifests into `compile` and back: what they put in force, and where a problem stands in them.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::Diagnostic;
use super::manifest::{Manifest, Manifests};
use crate::compile::{ObjectKind, ObjectName, Problem, Severity, Sources};

impl Manifests {
    /// What the manifests put in force, by namespace: every object but those that an error is about, which are named.
    pub fn sources(&self, diagnostics: &[Diagnostic]) -> BTreeMap<String, Sources> {
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
        let wrong: BTreeSet<&str> = errors.filter_map(|error| error.object.as_deref()).collect();
        let mut namespaces = BTreeMap::new();
        for manifest in &self.objects {
            let sources = namespaces
                .entry(manifest.namespace.clone())
                .or_insert_with(|| Sources { namespace: manifest.namespace.clone(), ..Sources::default() });
            if wrong.contains(manifest.title().as_str()) {
                let name = ObjectName { kind: manifest.kind, name: manifest.name.clone() };
                sources.wrong.insert(name);
            } else {
                put(manifest, sources);
            }
        }
        namespaces
    }

    /// A problem the compiler found, at the characters it is about.
    pub fn locate(&self, namespace: &str, problem: &Problem) -> Option<Diagnostic> {
        let object = &problem.object;
        let manifest = self.objects.iter().find(|manifest| {
            let is_named = manifest.name == object.name || object.kind == ObjectKind::Runtime;
            manifest.kind == object.kind && is_named && manifest.namespace == namespace
        })?;
        let place = manifest.places.value(&problem.path);
        let text = problem.text_in(&manifest.object);
        let diagnostic = match (&problem.span, text) {
            (Some(span), Some(text)) => Diagnostic::within(place, text, span.clone(), &problem.message),
            _ => Diagnostic::error(place, &problem.message),
        };
        let diagnostic = diagnostic.at_field(&problem.path).of(manifest.title());
        Some(if problem.severity == Severity::Warning { diagnostic.warning() } else { diagnostic })
    }
}

/// Adds an object that has passed its checks; one that has not, and so does not fit its type, is left out.
fn put(manifest: &Manifest, sources: &mut Sources) {
    let name = manifest.name.clone();
    match manifest.kind {
        ObjectKind::ApiTrigger => drop(manifest.spec().map(|spec| sources.triggers.insert(name, spec))),
        ObjectKind::Scenario => drop(manifest.spec().map(|spec| sources.scenarios.insert(name, spec))),
        ObjectKind::Channel => drop(manifest.spec().map(|spec| sources.channels.insert(name, spec))),
        ObjectKind::ApiKey => drop(manifest.spec().map(|spec| sources.api_keys.insert(name, spec))),
        ObjectKind::Runtime => {
            // The oldest one is in force; of files, that is the first.
            sources.runtime = sources.runtime.take().or_else(|| manifest.spec().ok());
        }
        ObjectKind::ConfigMap => {
            let data = manifest.object["data"].as_object().into_iter().flatten();
            let texts = data.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            sources.texts.insert(name, texts.collect());
        }
        ObjectKind::Secret => {}
    }
}
