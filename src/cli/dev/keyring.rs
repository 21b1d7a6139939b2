//! Who may do what, put together from what was declared, what was generated and what the user's Secrets hold.
//!
//! A trigger whose Secret cannot be read has no username of its own until it can; that is said, never guessed.

use std::sync::Arc;

use super::credentials::{Credential, DevCredentials};
use super::secrets::{SecretUnavailable, UserSecrets};
use crate::compile::{ApiKey, BasicSource, Snapshot, Trigger};
use crate::domain::credentials::{ApiKeyEntry, Digest, Keyring, Permissions, TriggerAccess};
use crate::domain::secret::Secret;

/// A keyring, and why some credentials are not on it.
pub struct Gathered {
    /// What is known.
    pub keyring: Keyring,
    /// Triggers whose own credentials cannot be read, with the reason.
    pub unavailable: Vec<(String, SecretUnavailable)>,
}

/// Gathers every credential of the snapshot.
pub fn gather(snapshot: &Snapshot, generated: &DevCredentials, secrets: &UserSecrets) -> Gathered {
    let mut gathered = Gathered { keyring: Keyring::default(), unavailable: Vec::new() };
    for trigger in snapshot.triggers.values() {
        let basic = own_credential(trigger, generated, secrets).unwrap_or_else(|reason| {
            gathered.unavailable.push((trigger.name.to_string(), reason));
            None
        });
        let known = |own: Credential| (Arc::from(own.username), Digest::of(&own.password));
        let basic = basic.map(known).into_iter().collect();
        gathered.keyring.add_trigger(
            trigger.name.clone(),
            TriggerAccess { basic, slow: Vec::new(), api_keys: trigger.api_keys },
        );
    }
    for key in snapshot.api_keys.values() {
        add_api_key(&mut gathered.keyring, key, generated);
    }
    if let Some(owner) = &generated.owner {
        let entry = ApiKeyEntry {
            name: "owner".into(),
            digest: Digest::of(&owner.password),
            permissions: Permissions::all(),
            triggers: None,
            origins: Arc::default(),
            track: None,
        };
        gathered.keyring.add_private(&owner.username, entry);
    }
    gathered
}

/// A trigger's own username and password; `None` if it has none.
///
/// # Errors
/// They are in a Secret that cannot be read.
pub fn own_credential(
    trigger: &Trigger,
    generated: &DevCredentials,
    secrets: &UserSecrets,
) -> Result<Option<Credential>, SecretUnavailable> {
    match &trigger.basic {
        None => Ok(None),
        Some(BasicSource::Generated) => Ok(generated.triggers.get(trigger.name.as_str()).cloned()),
        Some(BasicSource::Secret(name)) => {
            let read = |key| secrets.get(name, key, "trigger").map(|secret| secret.expose().to_owned());
            Ok(Some(Credential { username: read("username")?, password: read("password")?, is_token: false }))
        }
    }
}

fn add_api_key(keyring: &mut Keyring, key: &ApiKey, generated: &DevCredentials) {
    let Some(credential) = generated.api_keys.get(&key.name) else { return };
    let entry = ApiKeyEntry {
        name: format!("key/{}", key.name).into(),
        digest: Digest::of(&credential.password),
        permissions: key.permissions,
        triggers: key.triggers.clone(),
        origins: Arc::clone(&key.origins),
        track: key.track_scope(|name| {
            let proving = generated.api_keys.get(name);
            proving.map(|credential| Secret::new(credential.password.as_str())).into_iter().collect()
        }),
    };
    if key.public {
        keyring.add_public(entry);
    } else {
        keyring.add_private(&credential.username, entry);
    }
}
