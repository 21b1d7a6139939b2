//! What an object refers to: ConfigMaps, and Secrets with the use they must be labelled for.
//!
//! The operator names exactly these Secrets in the runtime's Role, and the runtime reads exactly these.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Sources;
use crate::api::labels::{ALLOW_LABEL, api_key_secret_name, trigger_secret_name};
use crate::api::{ApiTriggerSpec, AuthorizationScheme, ChannelSpec, ScenarioSpec};

/// Why a Secret is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretUse {
    /// Fanfare generated it: credentials of a trigger or an ApiKey.
    Generated,
    /// A user's: a channel's credentials.
    Channel,
    /// A user's: a trigger's credentials.
    Trigger,
    /// A user's: where the database is.
    Storage,
}

impl SecretUse {
    /// What the label `fanfare.dev/allow` of a user's Secret must say; `None` for a generated one.
    pub fn label(self) -> Option<&'static str> {
        match self {
            SecretUse::Generated => None,
            SecretUse::Channel => Some("channel"),
            SecretUse::Trigger => Some("trigger"),
            SecretUse::Storage => Some("storage"),
        }
    }

    /// The word by which a replica reports it.
    pub fn word(self) -> &'static str {
        self.label().unwrap_or("generated")
    }

    /// Whether a Secret with this label may be used so.
    ///
    /// # Errors
    /// It may not; the text says how to allow it.
    pub fn check(self, secret: &str, allowed: Option<&str>) -> Result<(), String> {
        match self.label() {
            Some(label) if allowed != Some(label) => Err(format!(
                "Secret {secret} may not be used for this; allow it with \
                 `kubectl label secret {secret} {ALLOW_LABEL}={label}`"
            )),
            _ => Ok(()),
        }
    }
}

/// A key that is read of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretKey {
    /// The Secret.
    pub secret: String,
    /// The key.
    pub key: String,
}

/// The ConfigMaps a scenario names, wherever it does.
pub fn config_maps(scenario: &ScenarioSpec) -> BTreeSet<String> {
    let spec =
        serde_json::to_value(scenario).expect("a spec holds only texts as keys and no failing serializers");
    let mut names = BTreeSet::new();
    collect_config_maps(&spec, &mut names);
    names
}

fn collect_config_maps(json: &Value, names: &mut BTreeSet<String>) {
    match json {
        Value::Array(items) => items.iter().for_each(|item| collect_config_maps(item, names)),
        Value::Object(members) => {
            let name = members.get("configMapKeyRef").and_then(|key| key["name"].as_str());
            names.extend(name.map(str::to_owned));
            members.values().for_each(|member| collect_config_maps(member, names));
        }
        _ => {}
    }
}

/// The Secret keys a channel reads.
pub fn channel_secrets(channel: &ChannelSpec) -> Vec<SecretKey> {
    let key = |secret: &str, key: &str| SecretKey { secret: secret.into(), key: key.into() };
    let mut keys = Vec::new();
    if let Some(credentials) = channel.smtp.as_ref().and_then(|smtp| smtp.credentials_ref.as_ref()) {
        keys.extend(["username", "password"].map(|name| key(&credentials.name, name)));
    }
    if let Some(twilio) = &channel.twilio {
        let token = &twilio.auth_token.secret_key_ref;
        keys.push(key(&token.name, &token.key));
    }
    if let Some(signing) = channel.webhook.as_ref().and_then(|webhook| webhook.signing_secret.as_ref()) {
        let secret = &signing.secret_key_ref;
        keys.push(key(&secret.name, &secret.key));
    }
    if let Some(authorization) =
        channel.webhook.as_ref().and_then(|webhook| webhook.authorization_ref.as_ref())
    {
        let names = authorization_keys(authorization.scheme);
        keys.extend(names.iter().map(|name| key(&authorization.name, name)));
    }
    keys
}

/// The keys of a Secret that a scheme of `Authorization` needs.
pub fn authorization_keys(scheme: AuthorizationScheme) -> &'static [&'static str] {
    match scheme {
        AuthorizationScheme::Bearer => &["token"],
        AuthorizationScheme::Basic => &["username", "password"],
        AuthorizationScheme::Custom => &["authorization"],
    }
}

/// The Secret that holds a trigger's own credentials, if it has any.
pub fn trigger_secret(name: &str, trigger: &ApiTriggerSpec) -> Option<(String, SecretUse)> {
    let generated = || Some((trigger_secret_name(name), SecretUse::Generated));
    let Some(auth) = &trigger.auth else { return generated() };
    match auth.basic.as_ref()?.secret_ref.as_ref() {
        Some(secret) => Some((secret.name.clone(), SecretUse::Trigger)),
        None => generated(),
    }
}

/// Every Secret that what is declared makes a runtime read, with its uses. Where the database is, is not among them:
/// that one is mounted.
pub fn runtime_secrets(sources: &Sources) -> BTreeMap<String, BTreeSet<SecretUse>> {
    let triggers = sources.triggers.iter().map(|(name, spec)| (name.as_str(), spec));
    secrets_of(triggers, sources.channels.values(), sources.api_keys.keys().map(String::as_str))
}

/// The same of what is declared, wherever it is.
pub fn secrets_of<'a>(
    triggers: impl Iterator<Item = (&'a str, &'a ApiTriggerSpec)>,
    channels: impl Iterator<Item = &'a ChannelSpec>,
    api_keys: impl Iterator<Item = &'a str>,
) -> BTreeMap<String, BTreeSet<SecretUse>> {
    let mut secrets: BTreeMap<String, BTreeSet<SecretUse>> = BTreeMap::new();
    let triggers = triggers.filter_map(|(name, trigger)| trigger_secret(name, trigger));
    let channels = channels.flat_map(channel_secrets).map(|key| (key.secret, SecretUse::Channel));
    let keys = api_keys.map(|name| (api_key_secret_name(name), SecretUse::Generated));
    for (name, use_) in triggers.chain(channels).chain(keys) {
        secrets.entry(name).or_default().insert(use_);
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_is_found_with_its_use() {
        let mut sources = Sources::default();
        let yaml = "{smtp: {host: mail, from: a@b, credentialsRef: {name: mail}}}";
        sources.channels.insert("mail".into(), serde_yaml_ng::from_str(yaml).unwrap());
        let yaml = "{twilio: {accountSid: AC, from: F, authToken: {secretKeyRef: {name: sms, key: t}}}}";
        sources.channels.insert("sms".into(), serde_yaml_ng::from_str(yaml).unwrap());
        sources.triggers.insert("own".into(), serde_yaml_ng::from_str("{}").unwrap());
        let yaml = "{auth: {basic: {secretRef: {name: theirs}}}}";
        sources.triggers.insert("given".into(), serde_yaml_ng::from_str(yaml).unwrap());
        sources.triggers.insert("keys".into(), serde_yaml_ng::from_str("{auth: {}}").unwrap());
        sources.api_keys.insert("crm".into(), serde_yaml_ng::from_str("{permissions: [Track]}").unwrap());
        let found: Vec<(String, Vec<SecretUse>)> = runtime_secrets(&sources)
            .into_iter()
            .map(|(name, uses)| (name, uses.into_iter().collect()))
            .collect();
        let expected = [
            ("crm-apikey", SecretUse::Generated),
            ("mail", SecretUse::Channel),
            ("own-trigger", SecretUse::Generated),
            ("sms", SecretUse::Channel),
            ("theirs", SecretUse::Trigger),
        ];
        assert_eq!(found, expected.map(|(name, use_)| (name.to_owned(), vec![use_])));
    }
}
