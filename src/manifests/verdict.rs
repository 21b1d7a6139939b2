//! The verdict the API server would give on an object, from schema, metadata and CEL rules, in its order: unknown
//! fields first, and CEL only where the object is sound enough for its rules to mean something.

use std::collections::BTreeMap;

use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::manifest::{Manifest, Manifests};
use super::schema::{self, Violation};
use super::{cel, core_kinds, edges, list_types, metadata, unknown};
use crate::compile::ObjectKind;

/// What is wrong with the objects, each by itself, and which of them are written twice.
pub fn check(manifests: &Manifests) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> = manifests.objects.iter().flat_map(check_object).collect();
    diagnostics.extend(written_twice(&manifests.objects));
    diagnostics
}

fn check_object(manifest: &Manifest) -> Vec<Diagnostic> {
    let mut violations = Vec::new();
    let unknown = find_unknown(manifest.kind, &manifest.object, &mut violations);
    if !unknown {
        judge(manifest.kind, &manifest.object, &mut violations);
    }
    let places = &manifest.places;
    let of = |diagnostic: Diagnostic, violation: &Violation| {
        diagnostic.at_field(&violation.field).of(manifest.title())
    };
    let diagnostics = |violation: &Violation| {
        let edges = edges::named(&manifest.object, violation);
        if !edges.is_empty() {
            let at = |(path, message): (String, String)| Diagnostic::error(places.value(&path), message);
            return edges.into_iter().map(|edge| of(at(edge), violation)).collect();
        }
        let place = if unknown { places.key(&violation.field) } else { places.value(&violation.field) };
        vec![of(Diagnostic::error(place, &violation.message), violation)]
    };
    violations.iter().flat_map(diagnostics).collect()
}

/// Whether there are fields that no kind has, or metadata of the wrong type: then the API server looks no further.
fn find_unknown(kind: ObjectKind, object: &Value, out: &mut Vec<Violation>) -> bool {
    metadata::wrong_types(object, out);
    if !out.is_empty() {
        return true;
    }
    if let Some(schema) = schema::of(kind) {
        unknown::find(schema, object, out);
    }
    !out.is_empty()
}

fn judge(kind: ObjectKind, object: &Value, out: &mut Vec<Violation>) {
    metadata::validate(object, out);
    let Some(schema) = schema::of(kind) else { return core_kinds::validate(kind, object, out) };
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.remove("status");
    }
    schema::validate(schema, &object, "", out);
    list_types::validate(schema, &object, "", out);
    if !out.iter().any(|violation| violation.blocking) {
        cel::validate(kind, &object, None, out);
    }
}

/// Applying the second one would silently replace the first.
fn written_twice(objects: &[Manifest]) -> Vec<Diagnostic> {
    let mut first: BTreeMap<String, &Manifest> = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for object in objects.iter().filter(|object| !object.name.is_empty()) {
        let Some(earlier) = first.get(&object.title()) else {
            first.insert(object.title(), object);
            continue;
        };
        let (line, _) = earlier.places.value("").position();
        let message = format!("this object is also written in {}:{line}", earlier.file());
        let place = object.places.value("metadata.name");
        diagnostics.push(Diagnostic::error(place, message).at_field("metadata.name").of(object.title()));
    }
    diagnostics
}
