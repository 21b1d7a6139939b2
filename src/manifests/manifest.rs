//! One object as it was written, and everything that was read together.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::places::Places;
use super::source::Source;
use super::{documents, path, prepare};
use crate::api;
use crate::compile::ObjectKind;

/// One object of a kind we read: our own five, Secrets and ConfigMaps.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its namespace; `default` where none was written.
    pub namespace: String,
    /// Its name; empty if it has none, which [`super::check`] reports.
    pub name: String,
    /// The whole object. Of our own kinds, defaults are filled in and explicit nulls are left out, as the API server
    /// does it.
    pub object: Value,
    /// Where each value was written.
    pub places: Places,
}

impl Manifest {
    /// The spec of one of our kinds, as its type. Check the manifest first: an object that passed has one.
    ///
    /// # Errors
    ///
    /// If the object does not fit its type.
    pub fn spec<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(self.object.get("spec").unwrap_or(&Value::Null))
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.object["metadata"]["labels"].get(name)?.as_str()
    }

    /// What messages call it: `ApiTrigger default/weather-alert`.
    pub fn title(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }

    /// The file it was read from, as the user named it.
    pub fn file(&self) -> &str {
        self.places.value("").source.name()
    }
}

/// Everything that was read together.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The objects, in the order they were read.
    pub objects: Vec<Manifest>,
    /// Errors of documents that could not be read, and notes about those that were passed over.
    pub diagnostics: Vec<Diagnostic>,
}

/// Adds every object of a source.
pub(super) fn collect(source: &Arc<Source>, manifests: &mut Manifests) {
    for document in documents::read(source) {
        match document {
            Ok((value, places)) => add(value, places, manifests),
            Err(diagnostic) => manifests.diagnostics.push(*diagnostic),
        }
    }
}

fn add(value: Value, places: Places, manifests: &mut Manifests) {
    let Some((api_version, kind)) = type_of(&value) else {
        let place = places.value("");
        let message = "this is no Kubernetes object: it needs apiVersion and kind, both as text";
        return manifests.diagnostics.push(Diagnostic::error(place, message));
    };
    if api_version == "v1" && kind == "List" {
        return add_items(&value, &places, manifests);
    }
    match kind_of(api_version, kind) {
        Ok(Some(kind)) => manifests.objects.push(manifest(kind, value, places)),
        Ok(None) => {
            let message = format!("{kind} of {api_version} is passed over");
            manifests.diagnostics.push(Diagnostic::error(places.value("kind"), message).note());
        }
        Err((field, message)) => {
            manifests.diagnostics.push(Diagnostic::error(places.value(field), message).at_field(field));
        }
    }
}

/// The items of a `kind: List`, each as an object of its own.
fn add_items(list: &Value, places: &Places, manifests: &mut Manifests) {
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (number, item) in items.iter().enumerate() {
        let below = places.below(&path::index("items", number));
        // A list within a list is nothing that anything prints.
        if type_of(item).is_some_and(|(_, kind)| kind == "List") {
            let message = "a List within a List is not read";
            manifests.diagnostics.push(Diagnostic::error(below.value(""), message));
        } else {
            add(item.clone(), below, manifests);
        }
    }
}

fn type_of(value: &Value) -> Option<(&str, &str)> {
    Some((value.get("apiVersion")?.as_str()?, value.get("kind")?.as_str()?))
}

/// Whether we read this kind; or what is wrong with a kind of our group, with the field it is wrong in.
fn kind_of(api_version: &str, kind: &str) -> Result<Option<ObjectKind>, (&'static str, String)> {
    let known = match (api_version, kind) {
        ("v1", "Secret") => Some(ObjectKind::Secret),
        ("v1", "ConfigMap") => Some(ObjectKind::ConfigMap),
        (_, "Runtime") => Some(ObjectKind::Runtime),
        (_, "ApiTrigger") => Some(ObjectKind::ApiTrigger),
        (_, "Scenario") => Some(ObjectKind::Scenario),
        (_, "Channel") => Some(ObjectKind::Channel),
        (_, "ApiKey") => Some(ObjectKind::ApiKey),
        _ => None,
    };
    if api_version.split('/').next() != Some(api::GROUP) {
        return Ok(known.filter(|_| api_version == "v1" && matches!(kind, "Secret" | "ConfigMap")));
    }
    if api_version != api::API_VERSION {
        return Err((
            "apiVersion",
            format!("there is no version `{api_version}`; the version is {}", api::API_VERSION),
        ));
    }
    let message = || {
        format!("there is no kind `{kind}`; the kinds are Runtime, ApiTrigger, Scenario, Channel and ApiKey")
    };
    known
        .filter(|kind| !matches!(kind, ObjectKind::Secret | ObjectKind::ConfigMap))
        .map(Some)
        .ok_or_else(|| ("kind", message()))
}

fn manifest(kind: ObjectKind, mut object: Value, places: Places) -> Manifest {
    let text =
        |field: &str| object["metadata"].get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (name, mut namespace) = (text("name"), text("namespace"));
    if namespace.is_empty() {
        "default".clone_into(&mut namespace);
    }
    prepare::as_stored(kind, &mut object);
    Manifest { kind, namespace, name, object, places }
}
