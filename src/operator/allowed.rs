//! What users allow their Secrets to be used for, as the watch of their labels says: no content is read for that.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};

use crate::api::labels::ALLOW_LABEL;
use crate::compile::references::SecretUse;

/// The metadata of a Secret.
pub(super) type SecretMeta = PartialObjectMeta<Secret>;

/// The Secrets that carry the label.
#[derive(Clone)]
pub(super) struct Allowed(pub Store<SecretMeta>);

impl Allowed {
    /// Whether a user's Secret may be used so. A generated one needs no label.
    pub(super) fn is_for(&self, namespace: &str, name: &str, wanted: SecretUse) -> bool {
        if wanted.label().is_none() {
            return true;
        }
        let found = self.0.get(&ObjectRef::new(name).within(namespace));
        let label = found.and_then(|found| found.labels().get(ALLOW_LABEL).cloned());
        label.is_some_and(|label| wanted.check(name, Some(&label)).is_ok())
    }
}

/// Leaves out what is not looked at. Annotations may repeat a Secret's content.
pub(super) fn bare(secret: &mut SecretMeta) {
    secret.metadata.annotations = None;
}
