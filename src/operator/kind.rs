//! The kinds that the operator makes real.

use std::fmt::Debug;

use kube::Resource;
use serde::de::DeserializeOwned;

use crate::api::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};

/// A kind the operator makes real.
pub(super) trait Kind:
    Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Its name, in logs and metrics.
    const NAME: &'static str;
}

impl Kind for ApiTrigger {
    const NAME: &'static str = "ApiTrigger";
}

impl Kind for Scenario {
    const NAME: &'static str = "Scenario";
}

impl Kind for Channel {
    const NAME: &'static str = "Channel";
}

impl Kind for ApiKey {
    const NAME: &'static str = "ApiKey";
}

impl Kind for Runtime {
    const NAME: &'static str = "Runtime";
}
