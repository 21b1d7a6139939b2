//! Which key opens the Runtime: the trigger's own for a call, else that of an ApiKey which may do it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;

use super::ask::Ask;
use super::{ClusterError, Need};
use crate::api::labels::{api_key_secret_name, trigger_secret_name};
use crate::api::{ApiKey, ApiTrigger, KeyType};
use crate::domain::expression::nearest;
use crate::domain::secret::without_last_newline;

/// Of so many keys that may do it, the Secrets are tried.
const TRIED_MAX: usize = 16;

/// What is presented to the Runtime.
#[derive(Debug)]
pub(in crate::cli) struct Key {
    /// The Secret it was read from.
    pub(in crate::cli) secret: String,
    /// The header's value.
    pub(in crate::cli) authorization: http::HeaderValue,
}

/// Finds a key that is good for what is needed and that the person may read.
pub(super) async fn find(ask: &Ask, need: Need<'_>, named: Option<&str>) -> Result<Key, ClusterError> {
    if let Need::Call(trigger) | Need::Watch(trigger) = need {
        let found: Option<ApiTrigger> = ask.get(trigger).await?;
        let Some(found) = found else {
            return Err(no_trigger(ask, trigger).await);
        };
        if named.is_none()
            && let Some(secret) = secret_of_trigger(&found)
        {
            return read(ask, &secret).await;
        }
    }
    of_api_key(ask, need, named).await
}

/// The Secret with the credentials of the trigger itself; `None` if it only lets ApiKeys in.
fn secret_of_trigger(trigger: &ApiTrigger) -> Option<String> {
    let Some(auth) = &trigger.spec.auth else {
        return Some(trigger_secret_name(&trigger.name_any()));
    };
    let basic = auth.basic.as_ref()?;
    let own = basic.secret_ref.as_ref().map(|secret| secret.name.clone());
    Some(own.unwrap_or_else(|| trigger_secret_name(&trigger.name_any())))
}

async fn no_trigger(ask: &Ask, trigger: &str) -> ClusterError {
    // A person who may not list them only misses the hint.
    let triggers: Vec<ApiTrigger> = ask.list("").await.unwrap_or_default();
    let names: Vec<String> = triggers.iter().map(kube::ResourceExt::name_any).collect();
    let near = nearest(trigger, names.iter().map(String::as_str)).map(str::to_owned);
    ClusterError::NoTrigger { trigger: trigger.to_owned(), namespace: ask.namespace.clone(), near, names }
}

async fn of_api_key(ask: &Ask, need: Need<'_>, named: Option<&str>) -> Result<Key, ClusterError> {
    let keys: Vec<ApiKey> = ask.list("").await?;
    if let Some(name) = named {
        return read(ask, &api_key_secret_name(&chosen(ask, &keys, name, need)?.name_any())).await;
    }
    let mut last = None;
    for key in candidates(&keys, need).into_iter().take(TRIED_MAX) {
        match read(ask, &api_key_secret_name(&key.name_any())).await {
            Ok(key) => return Ok(key),
            // Another one may be readable; the first refusal is the one that is told.
            Err(error @ (ClusterError::Forbidden { .. } | ClusterError::NoSecret { .. })) => {
                last.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    let (permission, namespace) = (need.permission(), ask.namespace.clone());
    Err(last.unwrap_or(ClusterError::NoKey { permission, namespace }))
}

fn chosen<'a>(ask: &Ask, keys: &'a [ApiKey], name: &str, need: Need<'_>) -> Result<&'a ApiKey, ClusterError> {
    let Some(key) = keys.iter().find(|key| key.name_any() == name) else {
        let names: Vec<String> = keys.iter().map(kube::ResourceExt::name_any).collect();
        let near = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
        return Err(ClusterError::NoSuchKey {
            name: name.to_owned(),
            namespace: ask.namespace.clone(),
            near,
            names,
        });
    };
    match is_good(key, need) {
        true => Ok(key),
        false => Err(ClusterError::KeyMayNot { name: name.to_owned(), permission: need.permission() }),
    }
}

/// The keys that may do it: the one that may do the least else first.
fn candidates<'a>(keys: &'a [ApiKey], need: Need<'_>) -> Vec<&'a ApiKey> {
    let mut good: Vec<&ApiKey> = keys.iter().filter(|key| is_good(key, need)).collect();
    good.sort_by_key(|key| (key.spec.permissions.len(), key.name_any()));
    good
}

fn is_good(key: &ApiKey, need: Need<'_>) -> bool {
    let calls = |trigger: &str| {
        key.spec.triggers.is_empty() || key.spec.triggers.iter().any(|listed| listed.name == trigger)
    };
    let is_open = match need {
        Need::Call(trigger) | Need::Watch(trigger) => calls(trigger),
        Need::May(_) => true,
    };
    key.spec.r#type == KeyType::Private && key.spec.permissions.contains(&need.permission()) && is_open
}

async fn read(ask: &Ask, name: &str) -> Result<Key, ClusterError> {
    let missing = || ClusterError::NoSecret { name: name.to_owned(), namespace: ask.namespace.clone() };
    let secret: Secret = ask.get(name).await?.ok_or_else(missing)?;
    let data = secret.data.unwrap_or_default();
    let text = |key: &str| Some(without_last_newline(std::str::from_utf8(&data.get(key)?.0).ok()?));
    let (Some(username), Some(password)) = (text("username"), text("password")) else {
        return Err(missing());
    };
    let pair = STANDARD.encode(format!("{username}:{password}"));
    let mut authorization: http::HeaderValue =
        format!("Basic {pair}").parse().expect("base64 has only characters a header may have");
    authorization.set_sensitive(true);
    Ok(Key { secret: name.to_owned(), authorization })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Permission;

    fn key(name: &str, spec: &str) -> ApiKey {
        ApiKey::new(name, serde_yaml_ng::from_str(spec).unwrap())
    }

    #[test]
    fn the_key_that_may_do_the_least_is_taken() {
        let keys = [
            key("all", "permissions: [ReadLog, Track, Control]"),
            key("page", "{type: Public, permissions: [Track]}"),
            key("crm", "permissions: [Track]"),
            key("other", "{permissions: [Trigger], triggers: [{name: goal}]}"),
        ];
        let names = |need| candidates(&keys, need).iter().map(|key| key.name_any()).collect::<Vec<_>>();
        assert_eq!(names(Need::May(Permission::Track)), ["crm", "all"]);
        assert_eq!(names(Need::May(Permission::ReadCustomers)), Vec::<String>::new());
        assert_eq!(names(Need::Call("goal")), ["other"]);
        assert_eq!(names(Need::Call("storm")), Vec::<String>::new());
    }

    #[test]
    fn a_trigger_says_which_secret_is_its_own() {
        let secret =
            |spec: &str| secret_of_trigger(&ApiTrigger::new("storm", serde_yaml_ng::from_str(spec).unwrap()));
        assert_eq!(secret("{}").as_deref(), Some("storm-trigger"));
        assert_eq!(secret("auth: {basic: {generate: true}}").as_deref(), Some("storm-trigger"));
        assert_eq!(secret("auth: {basic: {secretRef: {name: mine}}}").as_deref(), Some("mine"));
        assert_eq!(secret("auth: {apiKeys: Allowed}"), None);
    }
}
