//! Who may do what, put together from what is in force, what was read of Secrets, and what the store knows of those that
//! were not read yet.

use super::content::Taken;
use super::kept::KeptDigests;
use super::secret_book::{Known, View};
use crate::api::labels::{api_key_secret_name, trigger_secret_name};
use crate::compile::references::SecretUse;
use crate::compile::{ApiKey, BasicSource, Snapshot};
use crate::domain::credentials::{ApiKeyEntry, Keyring, TriggerAccess};

/// A keyring, and its digests as they are kept.
pub(super) struct Gathered {
    pub keyring: Keyring,
    pub kept: KeptDigests,
}

/// Gathers every credential of the snapshot.
pub(super) fn gather(snapshot: &Snapshot, secrets: &View, kept: &KeptDigests) -> Gathered {
    let mut gathering = Gathering {
        secrets,
        kept,
        gathered: Gathered { keyring: Keyring::default(), kept: KeptDigests::default() },
    };
    for trigger in snapshot.triggers.values() {
        let basic = match &trigger.basic {
            None => vec![],
            Some(BasicSource::Generated) => {
                gathering.taken(&trigger_secret_name(trigger.name.as_str()), SecretUse::Generated)
            }
            Some(BasicSource::Secret(secret)) => gathering.taken(secret, SecretUse::Trigger),
        };
        let access = TriggerAccess { basic, api_keys: trigger.api_keys };
        gathering.gathered.keyring.add_trigger(trigger.name.clone(), access);
    }
    for key in snapshot.api_keys.values() {
        for taken in gathering.taken(&api_key_secret_name(&key.name), SecretUse::Generated) {
            add_api_key(&mut gathering.gathered.keyring, key, taken);
        }
    }
    gathering.gathered
}

struct Gathering<'a> {
    secrets: &'a View,
    kept: &'a KeptDigests,
    gathered: Gathered,
}

impl Gathering<'_> {
    fn taken(&mut self, secret: &str, wanted: SecretUse) -> Vec<Taken> {
        let taken = match self.secrets.known(secret) {
            // A Secret that does not hold what it should, or may not be used, is named in the report.
            Some(Known::Read(content)) => {
                if let Some(previous) = content.previous().filter(|_| wanted == SecretUse::Generated) {
                    self.gathered.keyring.add_previous(previous, secret.into());
                }
                content.credentials(secret, wanted).map(<[Taken]>::to_vec).unwrap_or_default()
            }
            Some(Known::Gone | Known::Refused) => vec![],
            Some(Known::Unread(_)) | None => self.kept.get(secret, wanted),
        };
        self.gathered.kept.put(secret, wanted, &taken);
        taken
    }
}

fn add_api_key(keyring: &mut Keyring, key: &ApiKey, (id, digest): Taken) {
    let entry = ApiKeyEntry {
        name: format!("key/{}", key.name).into(),
        digest,
        permissions: key.permissions,
        triggers: key.triggers.clone(),
    };
    match key.public {
        true => keyring.add_public(entry),
        false => keyring.add_private(id.as_ref(), entry),
    }
}
