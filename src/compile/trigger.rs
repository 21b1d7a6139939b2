//! A trigger that can be called.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Problems, Sources};
use crate::api::ApiTriggerSpec;
use crate::domain::name::TriggerName;

/// A trigger that can be called.
#[derive(Debug)]
pub struct Trigger {
    /// Its name.
    pub name: TriggerName,
    /// As it was declared.
    pub spec: ApiTriggerSpec,
}

pub(super) fn compile_all(
    sources: &Sources,
    _problems: &mut Problems,
) -> BTreeMap<TriggerName, Arc<Trigger>> {
    let compiled = |(name, spec): (&String, &ApiTriggerSpec)| {
        let name = TriggerName::new(name.as_str());
        (name.clone(), Arc::new(Trigger { name, spec: spec.clone() }))
    };
    sources.triggers.iter().map(compiled).collect()
}
