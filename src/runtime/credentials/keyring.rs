//! From what is declared and what is known to the keyring that requests are held against.

use std::sync::Arc;

use super::Pair;
use crate::compile::{BasicSource, Snapshot};
use crate::domain::credentials::{ApiKeyEntry, Digest, Keyring, Permissions, TriggerAccess};

/// The credentials that are known, wherever they are kept.
pub trait Known {
    /// Those of a trigger that were generated.
    fn of_trigger(&self, trigger: &str) -> Vec<Pair>;
    /// Those in a user's Secret, if it may be read for triggers.
    fn of_secret(&self, secret: &str) -> Option<Pair>;
    /// A shared key's.
    fn of_api_key(&self, name: &str) -> Vec<Pair>;
    /// Those of the one who runs the server, who may do everything.
    fn of_operator(&self) -> Option<Pair>;
}

/// Makes the keyring. What has no credentials lets nobody in.
pub fn keyring(snapshot: &Snapshot, known: &dyn Known) -> Keyring {
    let mut ring = Keyring::default();
    for trigger in snapshot.triggers.values() {
        let pairs = match &trigger.basic {
            None => Vec::new(),
            Some(BasicSource::Generated) => known.of_trigger(trigger.name.as_str()),
            Some(BasicSource::Secret(name)) => known.of_secret(name).into_iter().collect(),
        };
        let digested = pairs.iter().map(|pair| (Arc::from(pair.username.as_str()), digest(pair)));
        let access = TriggerAccess { basic: digested.collect(), api_keys: trigger.api_keys };
        ring.add_trigger(trigger.name.clone(), access);
    }
    for key in snapshot.api_keys.values() {
        for pair in known.of_api_key(&key.name) {
            let entry = ApiKeyEntry {
                name: format!("key/{}", key.name).into(),
                digest: digest(&pair),
                permissions: key.permissions,
                triggers: key.triggers.clone(),
            };
            if key.public {
                ring.add_public(entry);
            } else {
                ring.add_private(pair.username, entry);
            }
        }
    }
    if let Some(pair) = known.of_operator() {
        let (name, permissions) = ("operator".into(), Permissions::all());
        let entry = ApiKeyEntry { name, digest: digest(&pair), permissions, triggers: None };
        ring.add_private(pair.username, entry);
    }
    ring
}

fn digest(pair: &Pair) -> Digest {
    Digest::of(pair.password.expose())
}
