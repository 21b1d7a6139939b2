//! A shared key and what may be done with it; its secret is elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Problems, Sources, Trigger};
use crate::api::ApiKeySpec;
use crate::domain::name::TriggerName;

/// A shared key and what may be done with it; its secret is elsewhere.
#[derive(Debug)]
pub struct ApiKey {
    /// Its name.
    pub name: String,
    /// As it was declared.
    pub spec: ApiKeySpec,
}

pub(super) fn compile_all(
    sources: &Sources,
    _triggers: &BTreeMap<TriggerName, Arc<Trigger>>,
    _problems: &mut Problems,
) -> BTreeMap<String, Arc<ApiKey>> {
    let compiled = |(name, spec): (&String, &ApiKeySpec)| {
        (name.clone(), Arc::new(ApiKey { name: name.clone(), spec: spec.clone() }))
    };
    sources.api_keys.iter().map(compiled).collect()
}
