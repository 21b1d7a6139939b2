//! All objects that belong to a Runtime, from its declaration alone.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::database::Database;
use crate::api::RuntimeSpec;
use crate::api::labels::{MANAGED_BY, MANAGED_BY_LABEL, RUNTIME_LABEL, workload_name};
use crate::operator::namespace::WrittenByPages;
use crate::operator::settings::OperatorSettings;

/// What the objects are made from.
pub(super) struct Shape<'a> {
    pub name: &'a str,
    pub namespace: &'a str,
    pub spec: &'a RuntimeSpec,
    pub settings: &'a OperatorSettings,
    pub cluster_id: &'a str,
    /// The UID of its account, once that is there: a token is of one account, not of a name.
    pub account_uid: Option<String>,
    /// The Secrets its processes may read.
    pub secrets: BTreeSet<String>,
    /// The database, if it is PostgreSQL and the Secret that names it may be used.
    pub database: Option<Database>,
    /// How many there are, if that is for the declaration to say.
    pub replicas: Option<i32>,
    /// The size of the volume in the StatefulSet's template.
    pub volume_size: String,
    /// What pages may write to.
    pub pages: WrittenByPages,
    /// Who hands the tenant over to this Runtime, as `<cluster>/<namespace>`.
    pub take_over_from: Option<String>,
}

impl Shape<'_> {
    /// The name of all its objects.
    pub(super) fn child(&self) -> String {
        workload_name(self.name)
    }

    /// An object of it, with what every one has.
    pub(super) fn object(&self, version: &str, kind: &str, rest: Value) -> Value {
        let mut object = json!({
            "apiVersion": version,
            "kind": kind,
            "metadata": { "name": self.child(), "namespace": self.namespace, "labels": self.labels() },
        });
        if let (Value::Object(object), Value::Object(rest)) = (&mut object, rest) {
            object.extend(rest);
        }
        object
    }

    /// The labels of all its objects.
    pub(super) fn labels(&self) -> Value {
        json!({
            MANAGED_BY_LABEL: MANAGED_BY,
            RUNTIME_LABEL: self.name,
            "app.kubernetes.io/name": "fanfare",
            "app.kubernetes.io/component": "runtime",
        })
    }

    /// The labels by which its Pods are found; they never change.
    pub(super) fn selector(&self) -> Value {
        json!({ RUNTIME_LABEL: self.name, "app.kubernetes.io/component": "runtime" })
    }
}
