//! The digests of the credentials that were taken last, as the store keeps them.
//!
//! They hold for a Secret that this process has not been able to read yet, and for no other.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use super::content::{Previous, Taken};
use crate::compile::references::SecretUse;
use crate::domain::credentials::Digest;

/// Usernames and digests by what the Secret is for and its name: `generated/weather-alert-trigger`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KeptDigests(BTreeMap<String, Vec<(String, String)>>);

impl KeptDigests {
    /// Keeps what a Secret holds for a use.
    pub(super) fn put(
        &mut self,
        secret: &str,
        wanted: SecretUse,
        taken: &[Taken],
        previous: Option<&Previous>,
    ) {
        let taken = taken.iter().map(|(username, digest)| {
            (username.as_ref().to_owned(), STANDARD_NO_PAD.encode(digest.as_bytes()))
        });
        self.0.insert(key(secret, wanted), taken.collect());
        if let Some((digest, until)) = previous {
            // Under a key of its own: versions before read all others as they did.
            let ends = (STANDARD_NO_PAD.encode(digest.as_bytes()), until.to_string());
            self.0.insert(until_key(secret, wanted), vec![ends]);
        }
    }

    /// The previous credentials among those of a Secret.
    pub(super) fn previous(&self, secret: &str, wanted: SecretUse) -> Option<Previous> {
        let (digest, until) = self.0.get(&until_key(secret, wanted))?.first()?;
        Some((digest_of(digest)?, until.parse().ok()?))
    }

    /// What a Secret held for a use; nothing, if that is not known.
    pub(super) fn get(&self, secret: &str, wanted: SecretUse) -> Vec<Taken> {
        let kept = self.0.get(&key(secret, wanted)).into_iter().flatten();
        kept.filter_map(|(username, digest)| Some((Arc::from(username.as_str()), digest_of(digest)?)))
            .collect()
    }

    /// As the store keeps it.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts by text keys are always JSON")
    }

    /// As the store kept it. What a newer version wrote differently is not known.
    pub(super) fn from_json(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }
}

fn digest_of(text: &str) -> Option<Digest> {
    let bytes: [u8; 32] = STANDARD_NO_PAD.decode(text).ok()?.try_into().ok()?;
    Some(Digest::from_bytes(bytes))
}

fn until_key(secret: &str, wanted: SecretUse) -> String {
    format!("until/{}", key(secret, wanted))
}

fn key(secret: &str, wanted: SecretUse) -> String {
    format!("{}/{secret}", wanted.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_lead_back_for_their_use_only_and_hold_no_secret() {
        let mut kept = KeptDigests::default();
        let previous = (Digest::of("hunter2"), jiff::Timestamp::UNIX_EPOCH);
        let taken = [(Arc::from("storm"), Digest::of("hunter2"))];
        kept.put("a-trigger", SecretUse::Generated, &taken, Some(&previous));
        let json = kept.to_json();
        assert!(!json.contains("hunter2"));
        let back = KeptDigests::from_json(&json);
        let taken = back.get("a-trigger", SecretUse::Generated);
        assert!(taken.len() == 1 && taken[0].1.matches(&Digest::of("hunter2")));
        let (digest, until) = back.previous("a-trigger", SecretUse::Generated).unwrap();
        assert!(digest.matches(&Digest::of("hunter2")) && until == jiff::Timestamp::UNIX_EPOCH);
        assert!(back.get("a-trigger", SecretUse::Trigger).is_empty());
        assert_eq!(KeptDigests::from_json("{\"a\": 1}"), KeptDigests::default());
    }
}
