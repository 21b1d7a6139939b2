//! Who may do what, put together from what is in force, what was read of Secrets, and what the store knows of those that
//! were not read yet.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::content::{Previous, Taken};
use super::kept::KeptDigests;
use super::secret_cache::{Known, View};
use crate::api::labels::{api_key_secret_name, trigger_secret_name};
use crate::compile::references::SecretUse;
use crate::compile::{ApiKey, BasicSource, Snapshot};
use crate::domain::credentials::{ApiKeyEntry, Keyring, SlowDigest, TriggerAccess};

/// A keyring, and its digests as they are kept.
pub(super) struct Gathered {
    pub keyring: Keyring,
    pub kept: KeptDigests,
    /// When previous credentials end next: it is to be gathered anew then.
    pub ends_at: Option<Timestamp>,
}

/// How long previous credentials work beyond their time: clocks differ, and the operator ends them first if it is there.
const GRACE: SignedDuration = SignedDuration::from_secs(10);

/// Gathers every credential of the snapshot.
pub(super) fn gather(snapshot: &Snapshot, secrets: &View, kept: &KeptDigests, now: Timestamp) -> Gathered {
    let mut gathering = Gathering {
        secrets,
        kept,
        now,
        gathered: Gathered { keyring: Keyring::default(), kept: KeptDigests::default(), ends_at: None },
    };
    for trigger in snapshot.triggers.values() {
        let basic = match &trigger.basic {
            None => vec![],
            Some(BasicSource::Generated) => {
                gathering.taken(&trigger_secret_name(trigger.name.as_str()), SecretUse::Generated)
            }
            Some(BasicSource::Secret(secret)) => gathering.taken(secret, SecretUse::Trigger),
        };
        let slow = match &trigger.basic {
            Some(BasicSource::Secret(secret)) => gathering.slow(secret),
            _ => vec![],
        };
        let access = TriggerAccess { basic, slow, api_keys: trigger.api_keys };
        gathering.gathered.keyring.add_trigger(trigger.name.clone(), access);
    }
    for key in snapshot.api_keys.values() {
        for taken in gathering.taken(&api_key_secret_name(&key.name), SecretUse::Generated) {
            add_api_key(&mut gathering.gathered.keyring, key, taken, secrets);
        }
    }
    gathering.gathered
}

struct Gathering<'a> {
    secrets: &'a View,
    kept: &'a KeptDigests,
    now: Timestamp,
    gathered: Gathered,
}

impl Gathering<'_> {
    fn taken(&mut self, secret: &str, wanted: SecretUse) -> Vec<Taken> {
        let (mut taken, previous) = match self.secrets.known(secret) {
            // A Secret that does not hold what it should, or may not be used, is named in the report.
            Some(Known::Read(content)) => {
                let taken = content.credentials(secret, wanted).map(<[Taken]>::to_vec).unwrap_or_default();
                (taken, content.previous().filter(|_| wanted == SecretUse::Generated).copied())
            }
            Some(Known::Gone | Known::Refused) => (vec![], None),
            Some(Known::Unread(_)) | None => {
                (self.kept.get(secret, wanted), self.kept.previous(secret, wanted))
            }
        };
        let previous = previous.filter(|previous| self.works(secret, previous, &mut taken));
        self.gathered.kept.put(secret, wanted, &taken, previous.as_ref());
        taken
    }

    /// Passwords that people chose, of a Secret that was not read yet.
    fn slow(&mut self, secret: &str) -> Vec<(Arc<str>, Arc<SlowDigest>)> {
        let wanted = SecretUse::Trigger;
        match self.secrets.known(secret) {
            Some(Known::Read(_) | Known::Gone | Known::Refused) => vec![],
            Some(Known::Unread(_)) | None => {
                self.gathered.kept.keep_chosen(secret, wanted, self.kept);
                self.kept.slow(secret, wanted)
            }
        }
    }

    /// Whether previous credentials still work; if not, they are refused, also while no operator runs.
    fn works(&mut self, secret: &str, (digest, until): &Previous, taken: &mut Vec<Taken>) -> bool {
        let ends_at = until.checked_add(GRACE).unwrap_or(*until);
        if ends_at <= self.now {
            taken.retain(|(_, it)| !it.matches(digest));
            return false;
        }
        self.gathered.keyring.add_previous(digest, secret.into());
        let next = self.gathered.ends_at.map_or(ends_at, |earlier| earlier.min(ends_at));
        self.gathered.ends_at = Some(next);
        true
    }
}

fn add_api_key(keyring: &mut Keyring, key: &ApiKey, (id, digest): Taken, secrets: &View) {
    let entry = ApiKeyEntry {
        name: format!("key/{}", key.name).into(),
        digest,
        permissions: key.permissions,
        triggers: key.triggers.clone(),
        origins: Arc::clone(&key.origins),
        track: key.track_scope(|name| match secrets.known(&api_key_secret_name(name)) {
            Some(Known::Read(content)) => content.generated_secrets().to_vec(),
            // They are kept as digests only: until they are read, nothing can be proven by them.
            _ => Vec::new(),
        }),
    };
    match key.public {
        true => keyring.add_public(entry),
        false => keyring.add_private(id.as_ref(), entry),
    }
}
