//! What every kind's status says: which generation was seen, and the conditions.

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// `status.observedGeneration` of an object no operator has seen yet; the CustomResourceDefinitions set it, so that
/// tools which wait for readiness never take such an object for ready.
pub const NEVER_OBSERVED: i64 = -1;
