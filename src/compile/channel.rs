//! A channel's settings, without its secrets.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Problems, Sources};
use crate::api::ChannelSpec;
use crate::domain::name::ChannelName;

/// A channel's settings, without its secrets.
#[derive(Debug)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// As it was declared.
    pub spec: ChannelSpec,
}

pub(super) fn compile_all(
    sources: &Sources,
    _problems: &mut Problems,
) -> BTreeMap<ChannelName, Arc<Channel>> {
    let compiled = |(name, spec): (&String, &ChannelSpec)| {
        let name = ChannelName::new(name.as_str());
        (name.clone(), Arc::new(Channel { name, spec: spec.clone() }))
    };
    sources.channels.iter().map(compiled).collect()
}
