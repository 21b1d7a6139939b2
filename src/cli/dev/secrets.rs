//! The user's Secrets as the folder holds them, given out only for the use their label names.
//!
//! The rule is the cluster's: without `fanfare.dev/allow`, a person who may write a Channel could have any Secret sent
//! to a host of theirs.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::api::labels::ALLOW_LABEL;
use crate::channels::connect::SecretSource;
use crate::compile::ObjectKind;
use crate::domain::secret::{Secret, without_last_newline};
use crate::manifests::{Manifest, Manifests};

/// Secrets by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserSecrets(BTreeMap<String, UserSecret>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct UserSecret {
    allowed: Option<String>,
    data: BTreeMap<String, Secret>,
}

/// Why a key of a Secret cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretUnavailable {
    /// There is no such Secret.
    #[error("there is no Secret {0}; add it beside the manifests, or to dev/")]
    Missing(String),
    /// Its label does not allow the use.
    #[error("Secret {name} may not be used here; label it `{ALLOW_LABEL}: {wanted}`")]
    NotAllowed {
        /// The Secret.
        name: String,
        /// The use that its label must name.
        wanted: &'static str,
    },
    /// It lacks the key.
    #[error("Secret {name} has no key {key}")]
    NoKey {
        /// The Secret.
        name: String,
        /// The key.
        key: String,
    },
}

impl UserSecrets {
    /// Those among the manifests.
    pub fn of(manifests: &Manifests) -> Self {
        let secrets = manifests.objects.iter().filter(|manifest| manifest.kind == ObjectKind::Secret);
        UserSecrets(secrets.map(|manifest| (manifest.name.clone(), UserSecret::of(manifest))).collect())
    }

    /// One key of a Secret, for one use: `channel`, `trigger` or `storage`.
    ///
    /// # Errors
    /// The Secret or the key is missing, or the label does not name the use.
    pub fn get(&self, name: &str, key: &str, wanted: &'static str) -> Result<Secret, SecretUnavailable> {
        let secret = self.0.get(name).ok_or_else(|| SecretUnavailable::Missing(name.into()))?;
        if secret.allowed.as_deref() != Some(wanted) {
            return Err(SecretUnavailable::NotAllowed { name: name.into(), wanted });
        }
        let no_key = || SecretUnavailable::NoKey { name: name.into(), key: key.into() };
        secret.data.get(key).cloned().ok_or_else(no_key)
    }
}

impl SecretSource for UserSecrets {
    fn secret(&self, name: &str, key: &str) -> Result<Secret, String> {
        self.get(name, key, "channel").map_err(|error| error.to_string())
    }
}

impl UserSecret {
    fn of(manifest: &Manifest) -> Self {
        let members = |field: &str| manifest.object[field].as_object().cloned().unwrap_or_default();
        let decoded = members("data").into_iter().filter_map(|(key, value)| Some((key, decode(&value)?)));
        let plain = members("stringData").into_iter().filter_map(|(key, value)| Some((key, text(&value)?)));
        // As the API server does it: stringData is laid over data.
        let secret = |value: String| Secret::new(without_last_newline(&value));
        let data = decoded.chain(plain).map(|(key, value)| (key, secret(value))).collect();
        UserSecret { allowed: manifest.label(ALLOW_LABEL).map(str::to_owned), data }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn decode(value: &Value) -> Option<String> {
    String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_given_out_for_the_use_its_label_names() {
        let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: twilio, labels: {fanfare.dev/allow: channel}}\n\
                    data: {token: b2xk, other: b2xkCg==}\nstringData: {token: \"new\\n\"}\n";
        let secrets = UserSecrets::of(&crate::manifests::read_stream("s", text.as_bytes()).unwrap());
        assert_eq!(secrets.get("twilio", "token", "channel").unwrap().expose(), "new");
        assert_eq!(secrets.get("twilio", "other", "channel").unwrap().expose(), "old");
        let refused = secrets.get("twilio", "token", "trigger").unwrap_err().to_string();
        assert!(refused.contains("fanfare.dev/allow: trigger"), "{refused}");
        assert!(secrets.get("twilio", "none", "channel").is_err());
        assert!(secrets.get("none", "token", "channel").is_err());
    }
}
