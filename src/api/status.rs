//! What every kind's status says: which generation was seen, and the conditions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// `status.observedGeneration` of an object no operator has seen yet; the CustomResourceDefinitions set it, so that
/// tools which wait for readiness never take such an object for ready.
pub const NEVER_OBSERVED: i64 = -1;

/// A Secret as the operator saw it last. A runtime reads the Secret again when this changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRevision {
    /// The Secret's name.
    pub name: String,
    /// Its `metadata.resourceVersion`.
    pub revision: String,
}

/// Another object as it was when this one was last found to be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObservedObject {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its `metadata.generation`.
    pub generation: i64,
}
