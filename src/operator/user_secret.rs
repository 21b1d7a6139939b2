//! A user's Secret: used only for what its label allows, and never written.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;

use super::conditions::Finding;
use super::context::Context;
use super::error::ReconcileError;
use crate::api::labels::ALLOW_LABEL;
use crate::compile::references::SecretUse;

/// The condition that says whether everything an object refers to is there.
pub(super) const RESOLVED_REFS: &str = "ResolvedRefs";

/// A Secret that may be used, or why it may not.
pub(super) enum UserSecret {
    /// It may be used.
    Usable(Box<Secret>),
    /// It may not.
    Unusable(Finding),
}

/// Looks at a user's Secret: whether it is there, is labelled for the use, and has the keys. Of one that is not labelled
/// so, no more than its metadata is read.
pub(super) async fn look(
    context: &Context,
    namespace: &str,
    name: &str,
    keys: &[&str],
    wanted: SecretUse,
) -> Result<UserSecret, ReconcileError> {
    let (api, failed) =
        (context.api::<Secret>(namespace), || ReconcileError::api(format!("get Secret {name}")));
    if !context.caches.allowed.is_for(namespace, name, wanted) {
        let found = api.get_metadata_opt(name).await.map_err(failed())?;
        let bare = found.map(|found| Secret { metadata: found.metadata, ..Secret::default() });
        let judged = judge(bare, name, &[], wanted);
        // Else it has been labelled just now.
        if matches!(judged, UserSecret::Unusable(_)) {
            return Ok(judged);
        }
    }
    let found = api.get_opt(name).await.map_err(failed())?;
    Ok(judge(found, name, keys, wanted))
}

fn judge(found: Option<Secret>, name: &str, keys: &[&str], wanted: SecretUse) -> UserSecret {
    let unusable = |reason, message| UserSecret::Unusable(Finding::retrying(RESOLVED_REFS, reason, message));
    let label = wanted.label().unwrap_or_default();
    let Some(secret) = found else {
        let message =
            format!("there is no Secret {name}; create it, with the label `{ALLOW_LABEL}: {label}`");
        return unusable("SecretNotFound", message);
    };
    if let Err(message) = wanted.check(name, secret.labels().get(ALLOW_LABEL).map(String::as_str)) {
        return unusable("SecretNotAllowed", message);
    }
    let has = |key: &&str| secret.data.as_ref().is_some_and(|data| data.contains_key(*key));
    match keys.iter().find(|key| !has(key)) {
        Some(key) => unusable("SecretKeyNotFound", format!("Secret {name} has no key {key}; add it")),
        None => UserSecret::Usable(Box::new(secret)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(label: Option<&str>, keys: &[&str]) -> Option<&'static str> {
        let mut secret = Secret::default();
        secret.metadata.labels = label.map(|label| [(ALLOW_LABEL.to_owned(), label.to_owned())].into());
        let data = ["username"].map(|key| (key.to_owned(), k8s_openapi::ByteString(b"x".to_vec())));
        secret.data = Some(data.into());
        match judge(Some(secret), "mail", keys, SecretUse::Channel) {
            UserSecret::Usable(_) => None,
            UserSecret::Unusable(finding) => Some(finding.reason),
        }
    }

    #[test]
    fn the_label_decides_before_the_keys() {
        assert_eq!(reason(Some("channel"), &["username"]), None);
        assert_eq!(reason(None, &["username"]), Some("SecretNotAllowed"));
        assert_eq!(reason(Some("trigger"), &[]), Some("SecretNotAllowed"));
        assert_eq!(reason(Some("channel"), &["username", "password"]), Some("SecretKeyNotFound"));
    }
}
