//! Reads the folder of manifests again and again: what it puts in force, its Secrets, and what is wrong with it.
//!
//! An object that cannot be read now, but was in force, stays wanted as it was: a broken edit is not a deletion.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::secrets::UserSecrets;
use crate::compile::{ObjectKind, Sources};
use crate::manifests::{self, Diagnostic, Manifests, ReadError};

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder cannot be read at all.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// One process runs one namespace.
    #[error("the manifests are for several namespaces ({}); give a folder for one, or leave metadata.namespace out", .0.join(", "))]
    SeveralNamespaces(Vec<String>),
}

/// What one reading gave.
#[derive(Debug)]
pub struct Reading {
    /// What the manifests put in force, if all of it compiles.
    pub wanted: Sources,
    /// Secrets of the user's.
    pub secrets: UserSecrets,
    /// What is wrong with the text, or with an object by itself.
    pub diagnostics: Vec<Diagnostic>,
    /// Where a problem found by compiling stands.
    pub manifests: Manifests,
}

/// The folder, and where each object in it was last seen.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    seen_in: BTreeMap<(ObjectKind, String), String>,
}

impl Folder {
    /// A folder, a file, or `-` for standard input, which is read once.
    pub fn new(path: PathBuf) -> Self {
        Folder { path, seen_in: BTreeMap::new() }
    }

    /// Whether it is standard input, which never changes.
    pub fn is_stream(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    /// Reads it. `in_force` is what stays wanted of objects that cannot be read now.
    ///
    /// # Errors
    /// Nothing can be read, or it is for several namespaces.
    pub fn read(&mut self, in_force: &Sources) -> Result<Reading, FolderError> {
        let manifests = if self.is_stream() {
            manifests::read_stream("<stdin>", std::io::stdin().lock())?
        } else {
            manifests::read_folder(&self.path)?
        };
        let mut diagnostics = manifests.diagnostics.clone();
        diagnostics.extend(manifests::check(&manifests));
        let mut namespaces = manifests.sources(&diagnostics);
        if namespaces.len() > 1 {
            return Err(FolderError::SeveralNamespaces(namespaces.into_keys().collect()));
        }
        let mut wanted = namespaces.pop_first().map(|(_, sources)| sources).unwrap_or_default();
        if wanted.namespace.is_empty() {
            wanted.namespace = "default".into();
        }
        for object in self.unreadable(&manifests, &diagnostics) {
            keep(&mut wanted, in_force, &object);
        }
        let secrets = UserSecrets::of(&manifests);
        Ok(Reading { wanted, secrets, diagnostics, manifests })
    }

    /// Objects an error is about, and those last seen in a file that cannot be understood now.
    fn unreadable(&mut self, manifests: &Manifests, found: &[Diagnostic]) -> BTreeSet<(ObjectKind, String)> {
        let errors = || found.iter().filter(|diagnostic| diagnostic.is_error());
        let named: BTreeSet<&str> = errors().filter_map(|error| error.object.as_deref()).collect();
        let files: BTreeSet<&str> =
            errors().filter(|error| error.object.is_none()).map(|error| error.file.as_str()).collect();
        let broken = manifests.objects.iter().filter(|manifest| named.contains(manifest.title().as_str()));
        let mut unreadable: BTreeSet<_> =
            broken.map(|manifest| (manifest.kind, manifest.name.clone())).collect();
        let lost = self.seen_in.iter().filter(|(_, file)| files.contains(file.as_str()));
        unreadable.extend(lost.map(|(object, _)| object.clone()));
        self.seen_in.retain(|object, _| unreadable.contains(object));
        for manifest in &manifests.objects {
            let object = (manifest.kind, manifest.name.clone());
            // An object that has moved to a file that can be read is not lost with its old file.
            if !named.contains(manifest.title().as_str()) {
                unreadable.remove(&object);
            }
            self.seen_in.insert(object, manifest.file().to_owned());
        }
        unreadable
    }
}

fn keep(wanted: &mut Sources, in_force: &Sources, (kind, name): &(ObjectKind, String)) {
    match kind {
        ObjectKind::ApiTrigger => copy(&mut wanted.triggers, &in_force.triggers, name),
        ObjectKind::Scenario => copy(&mut wanted.scenarios, &in_force.scenarios, name),
        ObjectKind::Channel => copy(&mut wanted.channels, &in_force.channels, name),
        ObjectKind::ApiKey => copy(&mut wanted.api_keys, &in_force.api_keys, name),
        ObjectKind::ConfigMap => copy(&mut wanted.texts, &in_force.texts, name),
        ObjectKind::Runtime => wanted.runtime = wanted.runtime.take().or_else(|| in_force.runtime.clone()),
        ObjectKind::Secret => {}
    }
}

fn copy<T: Clone>(wanted: &mut BTreeMap<String, T>, in_force: &BTreeMap<String, T>, name: &str) {
    if let Some(last_good) = in_force.get(name)
        && !wanted.contains_key(name)
    {
        wanted.insert(name.to_owned(), last_good.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: &str =
        "apiVersion: fanfare.dev/v1alpha1\nkind: Channel\nmetadata: {name: out}\nspec: {log: {}}\n";

    fn folder(text: &str) -> (tempfile::TempDir, Folder) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("channel.yaml"), text).unwrap();
        let folder = Folder::new(directory.path().to_owned());
        (directory, folder)
    }

    #[test]
    fn a_broken_edit_keeps_what_was_in_force_and_a_deletion_does_not() {
        let (directory, mut folder) = folder(CHANNEL);
        let in_force = folder.read(&Sources::default()).unwrap().wanted;
        assert!(in_force.channels.contains_key("out"));
        for broken in [CHANNEL.replace("log", "lgo"), CHANNEL.replace("{log: {}}", "{log: ")] {
            std::fs::write(directory.path().join("channel.yaml"), broken).unwrap();
            let reading = folder.read(&in_force).unwrap();
            assert!(reading.diagnostics.iter().any(Diagnostic::is_error));
            assert_eq!(reading.wanted.channels, in_force.channels);
        }
        std::fs::remove_file(directory.path().join("channel.yaml")).unwrap();
        assert!(folder.read(&in_force).unwrap().wanted.channels.is_empty());
    }

    #[test]
    fn two_namespaces_are_refused_by_name() {
        let other = CHANNEL.replace("{name: out}", "{name: out, namespace: other}");
        let (_directory, mut folder) = folder(&format!("{CHANNEL}---\n{other}"));
        let error = folder.read(&Sources::default()).unwrap_err().to_string();
        assert!(error.contains("default, other"), "{error}");
    }
}
