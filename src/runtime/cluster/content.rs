//! What a Secret holds, as far as its label and its maker allow it to be used.
//!
//! Credentials of callers are kept as digests at once; what a channel presents to its provider stays a secret, and what an
//! ApiKey proves ids with.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret as Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::ResourceExt as _;

use crate::api::GROUP;
use crate::api::labels::{
    ALLOW_LABEL, MANAGED_BY, MANAGED_BY_LABEL, PREVIOUS_EXPIRES_ANNOTATION, api_key_secret_name,
    trigger_secret_name,
};
use crate::compile::references::SecretUse;
use crate::domain::credentials::{Digest, KeptCredentials};
use crate::domain::secret::{Secret, without_last_newline};

/// A username, empty for a token, and the digest of what is presented with it.
pub(super) type Taken = (Arc<str>, Digest);

/// Previous credentials: the digest of what is presented, and until when they work.
pub(super) type Previous = (Digest, Timestamp);

/// For how long previous credentials work where the Secret does not say it, from the time the Secret was made.
const USUAL_OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// A Secret as it was read.
#[derive(Debug)]
pub(super) struct Content {
    /// Its `resourceVersion`.
    pub revision: String,
    /// What a user's label allows it for.
    allowed: Option<String>,
    generated: Result<Vec<Taken>, String>,
    /// The previous credentials that were generated.
    previous: Option<Previous>,
    own: Result<Vec<Taken>, String>,
    /// The generated passwords, by which servers prove ids.
    secrets: Vec<Secret>,
    channel: BTreeMap<String, Secret>,
    /// Whether it was read whole, and not only its metadata.
    pub is_whole: bool,
}

impl Content {
    /// Takes what may be used of it.
    pub(super) fn of(object: &Object) -> Self {
        let name = object.name_any();
        let allowed = object.labels().get(ALLOW_LABEL).cloned();
        let data = object.data.iter().flatten();
        let text = |bytes: &[u8]| Some(without_last_newline(std::str::from_utf8(bytes).ok()?).to_owned());
        let texts: BTreeMap<String, String> =
            data.filter_map(|(key, value)| Some((key.clone(), text(&value.0)?))).collect();
        let is_ours = is_ours(object);
        Content {
            revision: object.resource_version().unwrap_or_default(),
            previous: previous(&texts).filter(|_| is_ours).map(|digest| (digest, previous_until(object))),
            generated: if is_ours { generated(&name, &texts) } else { Err(not_ours(&name)) },
            own: own(&name, &texts),
            secrets: if is_ours { secrets(&texts) } else { Vec::new() },
            channel: match allowed.as_deref() {
                Some("channel") => texts.into_iter().map(|(key, text)| (key, Secret::new(text))).collect(),
                _ => BTreeMap::new(),
            },
            allowed,
            is_whole: true,
        }
    }

    /// What the metadata alone say: what it may be used for, and nothing it holds.
    pub(super) fn of_metadata(metadata: ObjectMeta) -> Self {
        let object = Object { metadata, ..Object::default() };
        Content { is_whole: false, ..Content::of(&object) }
    }

    /// The credentials it holds for a use.
    ///
    /// # Errors
    /// It may not be used so, or does not hold them; the text says what to do.
    pub(super) fn credentials(&self, name: &str, wanted: SecretUse) -> Result<&[Taken], String> {
        self.may(name, wanted)?;
        let found = match wanted {
            SecretUse::Generated => &self.generated,
            _ => &self.own,
        };
        found.as_deref().map_err(Clone::clone)
    }

    /// What is presented as the previous credentials, while they still work.
    pub(super) fn previous(&self) -> Option<&Previous> {
        self.previous.as_ref()
    }

    /// The passwords that were generated and are in force, for those that servers sign with.
    pub(super) fn generated_secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// One key of it, for a channel.
    ///
    /// # Errors
    /// It may not be used so, or has no such key.
    pub(super) fn key(&self, name: &str, key: &str) -> Result<Secret, String> {
        self.may(name, SecretUse::Channel)?;
        self.channel.get(key).cloned().ok_or_else(|| format!("Secret {name} has no key {key}; add it"))
    }

    /// What keeps it from a use, if anything does.
    pub(super) fn problem(&self, name: &str, wanted: SecretUse) -> Option<String> {
        match wanted {
            SecretUse::Channel | SecretUse::Storage => self.may(name, wanted).err(),
            SecretUse::Generated | SecretUse::Trigger => self.credentials(name, wanted).err(),
        }
    }

    /// Whether its label allows a use. A generated one has none: its maker decides.
    pub(super) fn may(&self, name: &str, wanted: SecretUse) -> Result<(), String> {
        wanted.check(name, self.allowed.as_deref())
    }
}

/// Whether Fanfare made it: it carries the label or, if somebody took that off, belongs to the trigger or key after which
/// it is called. An account that can write the one can write the other; whether its owner is still the same object
/// is not asked, as the cluster removes what belongs to one that is gone.
fn is_ours(object: &Object) -> bool {
    let owner = object.owner_references().iter().find(|reference| reference.controller == Some(true));
    let is_called_after = |owner: &OwnerReference| {
        let name = match owner.kind.as_str() {
            "ApiTrigger" => trigger_secret_name(&owner.name),
            "ApiKey" => api_key_secret_name(&owner.name),
            _ => return false,
        };
        let group = owner.api_version.split_once('/').map(|(group, _)| group);
        group == Some(GROUP) && object.name_any() == name
    };
    object.labels().get(MANAGED_BY_LABEL).map(String::as_str) == Some(MANAGED_BY)
        || owner.is_some_and(is_called_after)
}

fn not_ours(name: &str) -> String {
    format!("Secret {name} was not made by Fanfare; rename or delete it, so that Fanfare can make its own")
}

fn generated(name: &str, texts: &BTreeMap<String, String>) -> Result<Vec<Taken>, String> {
    let kept = KeptCredentials::read(texts).map_err(|error| format!("Secret {name}: {error}"))?;
    let taken = |pair: &crate::domain::credentials::Pair| {
        (Arc::from(pair.username.as_str()), Digest::of(pair.password.expose()))
    };
    Ok(kept.taken().map(taken).collect())
}

fn secrets(texts: &BTreeMap<String, String>) -> Vec<Secret> {
    let kept = KeptCredentials::read(texts).ok();
    let of_private = |kept: &KeptCredentials| {
        kept.taken().filter(|pair| !pair.username.is_empty()).map(|pair| pair.password.clone()).collect()
    };
    kept.as_ref().map(of_private).unwrap_or_default()
}

fn previous(texts: &BTreeMap<String, String>) -> Option<Digest> {
    let previous = KeptCredentials::read(texts).ok()?.previous?;
    Some(Digest::of(previous.password.expose()))
}

/// Until when the previous credentials work, as the operator notes; it moves that while somebody may still use them.
fn previous_until(object: &Object) -> Timestamp {
    let noted = object.annotations().get(PREVIOUS_EXPIRES_ANNOTATION).and_then(|text| text.parse().ok());
    let made = object.creation_timestamp().map_or(Timestamp::MIN, |made| made.0);
    noted.unwrap_or_else(|| made.checked_add(USUAL_OVERLAP).unwrap_or(made))
}

fn own(name: &str, texts: &BTreeMap<String, String>) -> Result<Vec<Taken>, String> {
    let read = |key: &str| {
        let text = texts.get(key).filter(|text| !text.is_empty());
        text.ok_or_else(|| format!("Secret {name} has no key {key}; add it"))
    };
    Ok(vec![(Arc::from(read("username")?.as_str()), Digest::of(read("password")?))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(labels: serde_json::Value, keys: &[&str]) -> Content {
        let data: BTreeMap<&str, &str> = keys.iter().map(|key| (*key, "eA==")).collect();
        let metadata = serde_json::json!({"name": "s", "resourceVersion": "7", "labels": labels});
        Content::of(&serde_json::from_value(serde_json::json!({"metadata": metadata, "data": data})).unwrap())
    }

    #[test]
    fn a_users_secret_is_used_for_what_its_label_says_and_nothing_else() {
        let pair = ["username", "password"];
        let channel = secret(serde_json::json!({"fanfare.dev/allow": "channel"}), &pair);
        assert_eq!(channel.problem("s", SecretUse::Channel), None);
        assert_eq!(channel.key("s", "password").unwrap().expose(), "x");
        let refused = channel.problem("s", SecretUse::Trigger).unwrap();
        assert!(refused.contains("kubectl label secret s fanfare.dev/allow=trigger"), "{refused}");
        assert!(channel.problem("s", SecretUse::Generated).unwrap().contains("not made by Fanfare"));
        let trigger = secret(serde_json::json!({"fanfare.dev/allow": "trigger"}), &pair);
        assert_eq!(trigger.credentials("s", SecretUse::Trigger).unwrap().len(), 1);
        assert!(trigger.key("s", "password").is_err());
        assert!(secret(serde_json::json!({}), &pair).problem("s", SecretUse::Channel).is_some());
    }

    #[test]
    fn one_newline_at_the_end_of_a_value_is_no_part_of_it() {
        let written = |text: &str, allow: &str| {
            use base64::Engine as _;
            let value = base64::engine::general_purpose::STANDARD.encode(text);
            let metadata = serde_json::json!({"name": "s", "labels": {"fanfare.dev/allow": allow,
                "app.kubernetes.io/managed-by": "fanfare"}});
            let data = serde_json::json!({"username": value, "password": value});
            let object = serde_json::json!({"metadata": metadata, "data": data});
            Content::of(&serde_json::from_value(object).unwrap())
        };
        for text in ["x\n", "x\r\n", "x"] {
            assert_eq!(written(text, "channel").key("s", "password").unwrap().expose(), "x");
            for (allow, wanted) in [("trigger", SecretUse::Trigger), ("", SecretUse::Generated)] {
                let content = written(text, allow);
                let [(username, digest)] = content.credentials("s", wanted).unwrap() else {
                    panic!("one pair")
                };
                assert!(username.as_ref() == "x" && digest.matches(&Digest::of("x")), "{text:?} {wanted:?}");
            }
        }
        assert!(written("\n", "trigger").credentials("s", SecretUse::Trigger).is_err());
    }

    #[test]
    fn a_generated_secret_that_lost_its_label_is_known_by_whom_it_belongs_to() {
        let problem = |name: &str, kind: &str, group: &str, controls: bool| {
            let owner = serde_json::json!({"apiVersion": format!("{group}/v1alpha1"), "kind": kind, "name": "storm",
                "uid": "1", "controller": controls});
            let metadata = serde_json::json!({"name": name, "ownerReferences": [owner],
                "labels": {"app.kubernetes.io/managed-by": "argocd"}});
            let object =
                serde_json::json!({"metadata": metadata, "data": {"username": "eA==", "password": "eA=="}});
            Content::of(&serde_json::from_value(object).unwrap()).problem(name, SecretUse::Generated)
        };
        assert_eq!(problem("storm-trigger", "ApiTrigger", GROUP, true), None);
        assert_eq!(problem("storm-apikey", "ApiKey", GROUP, true), None);
        for (name, kind, group, controls) in [
            ("storm-trigger", "ApiKey", GROUP, true),
            ("other-trigger", "ApiTrigger", GROUP, true),
            ("storm-trigger", "ApiTrigger", "example.com", true),
            ("storm-trigger", "ApiTrigger", GROUP, false),
            ("storm-trigger", "Deployment", "apps", true),
        ] {
            let refused = problem(name, kind, group, controls);
            assert!(refused.is_some_and(|it| it.contains("not made by Fanfare")), "{name} {kind} {group}");
        }
    }

    #[test]
    fn every_generated_pair_is_taken_while_a_rotation_lasts() {
        let labels = serde_json::json!({"app.kubernetes.io/managed-by": "fanfare"});
        let keys = ["username", "password", "nextUsername", "nextPassword"];
        assert_eq!(secret(labels.clone(), &keys).credentials("s", SecretUse::Generated).unwrap().len(), 2);
        assert_eq!(
            secret(labels.clone(), &["token"]).credentials("s", SecretUse::Generated).unwrap().len(),
            1
        );
        assert!(secret(labels, &["username"]).problem("s", SecretUse::Generated).is_some());
    }
}
