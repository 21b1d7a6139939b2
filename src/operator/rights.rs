//! Every right that the operator uses, asked for one by one: what is missing shows before something cannot be made.
//!
//! They are read from the roles that are to be bound, so that no list of them can be out of date.

use futures_util::StreamExt as _;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::api::PostParams;
use kube::{Api, Client};
use serde::Deserialize as _;

use crate::causes::in_words;

/// The roles, as they are to be bound.
const ROLES: &str = include_str!("../../config/operator/rbac.yaml");
/// How many questions are asked at once.
const AT_ONCE: usize = 16;
/// How many missing rights are named.
const TOLD_MAX: usize = 12;

/// Which of the roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// What is done in each namespace that is served.
    Served,
    /// What is done for the whole cluster.
    Cluster,
    /// What is done in the operator's own namespace.
    Own,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Served => "fanfare-operator",
            Role::Cluster => "fanfare-operator-cluster",
            Role::Own => "fanfare-operator-own",
        }
    }
}

/// Whether this account has every right of a role in a namespace, or in all; else which it lacks.
pub(super) async fn has_all(
    client: &Client,
    role: Role,
    namespace: Option<&str>,
    lease: Option<&str>,
) -> Result<(), String> {
    let reviews: &Api<SelfSubjectAccessReview> = &Api::all(client.clone());
    let asked = futures_util::stream::iter(rights(role, namespace, lease)?).map(async |right| {
        let spec =
            SelfSubjectAccessReviewSpec { resource_attributes: Some(right.clone()), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let answer = reviews.create(&PostParams::default(), &review).await;
        let answer =
            answer.map_err(|error| format!("its rights cannot be asked for: {}", in_words(&error)))?;
        Ok::<_, String>((!answer.status.is_some_and(|status| status.allowed)).then_some(right))
    });
    let mut asked = std::pin::pin!(asked.buffered(AT_ONCE));
    let mut missing = Vec::new();
    while let Some(answer) = asked.next().await {
        missing.extend(answer?.map(|right| in_short(&right)));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let more = match missing.len().checked_sub(TOLD_MAX) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    missing.truncate(TOLD_MAX);
    Err(format!(
        "it may not {}{more}; bind the role {} of config/operator/rbac.yaml, or upgrade the release with rbac.create=true",
        missing.join(", "),
        role.name()
    ))
}

/// `patch services`, `get leases.coordination.k8s.io fanfare-operator`.
fn in_short(right: &ResourceAttributes) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (group, subresource) = (text(&right.group), text(&right.subresource));
    let mut resource = text(&right.resource);
    if !subresource.is_empty() {
        resource = format!("{resource}/{subresource}");
    }
    if !group.is_empty() {
        resource = format!("{resource}.{group}");
    }
    format!("{} {resource} {}", text(&right.verb), text(&right.name)).trim_end().to_owned()
}

/// The rights of a role. `lease` takes the place of the name of the Lease.
fn rights(
    role: Role,
    namespace: Option<&str>,
    lease: Option<&str>,
) -> Result<Vec<ResourceAttributes>, String> {
    let found = serde_yaml_ng::Deserializer::from_str(ROLES)
        .map(ClusterRole::deserialize)
        .find_map(|parsed| parsed.ok().filter(|parsed| parsed.metadata.name.as_deref() == Some(role.name())));
    let rules = found.and_then(|found| found.rules).ok_or("the roles of this version cannot be read")?;
    Ok(rules.iter().flat_map(|rule| of_rule(rule, namespace, lease)).collect())
}

fn of_rule(rule: &PolicyRule, namespace: Option<&str>, lease: Option<&str>) -> Vec<ResourceAttributes> {
    let is_lease = rule.resources.iter().flatten().any(|resource| resource == "leases");
    let named = rule.resource_names.clone().unwrap_or_default();
    let names: Vec<Option<String>> = match (named.is_empty(), lease) {
        (true, _) => vec![None],
        (false, Some(lease)) if is_lease => vec![Some(lease.to_owned())],
        (false, _) => named.into_iter().map(Some).collect(),
    };
    let mut all = Vec::new();
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            let (resource, subresource) = match resource.split_once('/') {
                Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
                None => (resource.as_str(), None),
            };
            for (verb, name) in rule.verbs.iter().flat_map(|verb| names.iter().map(move |name| (verb, name)))
            {
                all.push(ResourceAttributes {
                    group: Some(group.clone()),
                    resource: Some(resource.to_owned()),
                    subresource: subresource.clone(),
                    verb: Some(verb.clone()),
                    name: name.clone(),
                    namespace: namespace.map(str::to_owned),
                    ..ResourceAttributes::default()
                });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(role: Role, lease: Option<&str>) -> Vec<String> {
        rights(role, Some("shop"), lease).unwrap().iter().map(in_short).collect()
    }

    #[test]
    fn every_right_of_the_roles_is_asked_for() {
        let served = told(Role::Served, None);
        for right in [
            "update secrets",
            "delete secrets",
            "patch statefulsets.apps",
            "create roles.rbac.authorization.k8s.io",
            "patch runtimes/status.fanfare.dev",
            "delete pods",
            "watch scenarios.fanfare.dev",
        ] {
            assert!(served.iter().any(|it| it == right), "{right}: {served:?}");
        }
        assert_eq!(told(Role::Cluster, None)[0], "get namespaces kube-system");
        let own = told(Role::Own, Some("other"));
        let prefix = |verb: &str| format!("{verb} leases.coordination.k8s.io");
        assert_eq!(own, [prefix("create"), prefix("get") + " other", prefix("update") + " other"]);
    }
}
