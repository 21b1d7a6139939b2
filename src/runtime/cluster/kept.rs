//! The digests of the credentials that were taken last, as the store keeps them.
//!
//! They hold for a Secret that this process has not been able to read yet, and for no other. Passwords that people chose are
//! kept as slow digests: who steals the store can try only a few of them a second.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::content::{Previous, Taken};
use crate::compile::references::SecretUse;
use crate::domain::credentials::{Digest, SlowDigest};

/// A username and a text, as they are stored.
type Stored = (String, String);

/// Usernames and digests by what the Secret is for and its name: `generated/weather-alert-trigger`.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptDigests {
    /// Those that were generated: a digest of 192 random bits cannot be guessed.
    generated: BTreeMap<String, Vec<Stored>>,
    /// Those that people chose.
    chosen: BTreeMap<String, Vec<Chosen>>,
}

#[derive(Debug, Clone)]
struct Chosen {
    username: Arc<str>,
    /// The plain digest, where the Secret was read; it is not stored.
    digest: Option<Digest>,
    slow: Option<Arc<SlowDigest>>,
}

impl KeptDigests {
    /// Keeps what a Secret holds for a use.
    pub(super) fn put(
        &mut self,
        secret: &str,
        wanted: SecretUse,
        taken: &[Taken],
        previous: Option<&Previous>,
    ) {
        if wanted == SecretUse::Trigger {
            let chosen = taken.iter().map(|(username, digest)| Chosen {
                username: Arc::clone(username),
                digest: Some(*digest),
                slow: None,
            });
            self.chosen.insert(key(secret, wanted), chosen.collect());
            return;
        }
        let taken = taken.iter().map(|(username, digest)| {
            (username.as_ref().to_owned(), STANDARD_NO_PAD.encode(digest.as_bytes()))
        });
        self.generated.insert(key(secret, wanted), taken.collect());
        if let Some((digest, until)) = previous {
            // Under a key of its own: versions before read all others as they did.
            let ends = (STANDARD_NO_PAD.encode(digest.as_bytes()), until.to_string());
            self.generated.insert(until_key(secret, wanted), vec![ends]);
        }
    }

    /// Keeps what was kept of a Secret that is still unread.
    pub(super) fn keep_chosen(&mut self, secret: &str, wanted: SecretUse, before: &KeptDigests) {
        let key = key(secret, wanted);
        if let Some(chosen) = before.chosen.get(&key) {
            self.chosen.insert(key, chosen.clone());
        }
    }

    /// Makes the slow digests that are to be stored; those of passwords that are the same as before stay. Takes a good part
    /// of a second for each that is new, or that a process before this one made.
    pub(super) fn stretch(&mut self, before: &KeptDigests) {
        for (key, chosen) in &mut self.chosen {
            let before = before.chosen.get(key).map(Vec::as_slice).unwrap_or_default();
            for it in chosen.iter_mut().filter(|it| it.slow.is_none()) {
                let Some(digest) = &it.digest else { continue };
                let same =
                    before.iter().find(|before| before.username == it.username && before.is_of(digest));
                // Without randomness nothing is stored, and nothing holds while the Secret cannot be read.
                it.slow = match same.and_then(|same| same.slow.clone()) {
                    Some(slow) => Some(slow),
                    None => SlowDigest::of(digest).ok().map(Arc::new),
                };
            }
        }
    }

    /// Whether [`Self::stretch`] has anything to do.
    pub(super) fn is_to_stretch(&self) -> bool {
        self.chosen.values().flatten().any(|it| it.slow.is_none() && it.digest.is_some())
    }

    /// The previous credentials among those of a Secret.
    pub(super) fn previous(&self, secret: &str, wanted: SecretUse) -> Option<Previous> {
        let (digest, until) = self.generated.get(&until_key(secret, wanted))?.first()?;
        Some((digest_of(digest)?, until.parse().ok()?))
    }

    /// What a Secret held for a use; nothing, if that is not known or kept as slow digests.
    pub(super) fn get(&self, secret: &str, wanted: SecretUse) -> Vec<Taken> {
        let key = key(secret, wanted);
        let chosen = self.chosen.get(&key).into_iter().flatten();
        let chosen = chosen.filter_map(|it| Some((Arc::clone(&it.username), it.digest?)));
        let kept = self.generated.get(&key).into_iter().flatten();
        let kept =
            kept.filter_map(|(username, digest)| Some((Arc::from(username.as_str()), digest_of(digest)?)));
        chosen.chain(kept).collect()
    }

    /// The slow digests of what a Secret held for a use.
    pub(super) fn slow(&self, secret: &str, wanted: SecretUse) -> Vec<(Arc<str>, Arc<SlowDigest>)> {
        let chosen = self.chosen.get(&key(secret, wanted)).into_iter().flatten();
        let unread = chosen.filter(|it| it.digest.is_none());
        unread.filter_map(|it| Some((Arc::clone(&it.username), it.slow.clone()?))).collect()
    }

    /// As the store keeps it.
    pub(super) fn to_json(&self) -> String {
        let chosen = self.chosen.iter().map(|(key, chosen)| {
            let stored =
                chosen.iter().filter_map(|it| Some((it.username.to_string(), it.slow.as_ref()?.to_text())));
            (key.clone(), stored.collect::<Vec<Stored>>())
        });
        let all: BTreeMap<String, Vec<Stored>> = chosen.chain(self.generated.clone()).collect();
        serde_json::to_string(&all).expect("texts by text keys are always JSON")
    }

    /// As the store kept it. What a newer version wrote differently is not known; a version before kept plain digests of
    /// what people chose, which hold until slow ones take their place.
    pub(super) fn from_json(json: &str) -> Self {
        let all: BTreeMap<String, Vec<Stored>> = serde_json::from_str(json).unwrap_or_default();
        let chosen_key = key("", SecretUse::Trigger);
        let (chosen, generated) = all.into_iter().partition(|(key, _)| key.starts_with(&chosen_key));
        let read = |(username, text): Stored| Chosen {
            username: username.into(),
            digest: digest_of(&text),
            slow: SlowDigest::from_text(&text).map(Arc::new),
        };
        let chosen: BTreeMap<String, Vec<Stored>> = chosen;
        let chosen = chosen.into_iter().map(|(key, stored)| (key, stored.into_iter().map(read).collect()));
        KeptDigests { generated, chosen: chosen.collect() }
    }
}

impl Chosen {
    fn is_of(&self, digest: &Digest) -> bool {
        match (&self.digest, &self.slow) {
            (Some(known), _) => known.matches(digest),
            (None, Some(slow)) => slow.is_proven(digest) || slow.prove(digest),
            (None, None) => false,
        }
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
        assert_eq!(KeptDigests::from_json("{\"a\": 1}").to_json(), "{}");
    }

    #[test]
    fn what_people_chose_is_stored_as_slow_digests_that_stay_while_it_is_the_same() {
        let put = |password: &str| {
            let mut kept = KeptDigests::default();
            kept.put("theirs", SecretUse::Trigger, &[(Arc::from("ann"), Digest::of(password))], None);
            kept
        };
        let mut first = put("sommer2026");
        first.stretch(&KeptDigests::default());
        let json = first.to_json();
        let plain = STANDARD_NO_PAD.encode(Digest::of("sommer2026").as_bytes());
        assert!(json.contains("pbkdf2-sha256$") && !json.contains(&plain), "{json}");
        // The process after this one, before and after it has read the Secret.
        let stored = KeptDigests::from_json(&json);
        assert!(stored.get("theirs", SecretUse::Trigger).is_empty());
        let [(username, slow)] = &stored.slow("theirs", SecretUse::Trigger)[..] else {
            panic!("one is kept")
        };
        assert!(username.as_ref() == "ann" && slow.prove(&Digest::of("sommer2026")));
        let mut same = put("sommer2026");
        assert!(same.is_to_stretch());
        same.stretch(&stored);
        assert_eq!(same.to_json(), json);
        assert!(same.slow("theirs", SecretUse::Trigger).is_empty() && !same.is_to_stretch());
        let mut unread = KeptDigests::default();
        unread.keep_chosen("theirs", SecretUse::Trigger, &stored);
        assert_eq!(unread.to_json(), json);
        let mut other = put("winter2026");
        other.stretch(&same);
        assert_ne!(other.to_json(), json);
    }

    #[test]
    fn plain_digests_of_a_version_before_hold_until_slow_ones_take_their_place() {
        let plain = STANDARD_NO_PAD.encode(Digest::of("sommer2026").as_bytes());
        let stored = KeptDigests::from_json(&format!("{{\"trigger/theirs\":[[\"ann\",\"{plain}\"]]}}"));
        let taken = stored.get("theirs", SecretUse::Trigger);
        assert!(taken.len() == 1 && taken[0].1.matches(&Digest::of("sommer2026")));
        assert!(!stored.to_json().contains(&plain));
    }
}
