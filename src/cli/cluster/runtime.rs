//! The Runtime in force of a namespace: the oldest.

use kube::ResourceExt as _;

use super::ClusterError;
use super::ask::Ask;
use crate::api::Runtime;
use crate::api::status::Condition;

/// The name of the Runtime in force.
pub(super) async fn in_force(ask: &Ask) -> Result<String, ClusterError> {
    let runtimes: Vec<Runtime> = ask.list("").await?;
    let oldest = runtimes.iter().min_by_key(|it| (it.creation_timestamp().map(|time| time.0), it.name_any()));
    let missing = || ClusterError::NoRuntime { namespace: ask.namespace.clone() };
    oldest.map(kube::ResourceExt::name_any).ok_or_else(missing)
}

/// Why none of its processes takes requests, in its own words.
pub(super) async fn why_not_ready(ask: &Ask, name: &str) -> ClusterError {
    // Listed, as a person who uses the plugin may do that in any case.
    let runtimes: Vec<Runtime> = match ask.list("").await {
        Ok(runtimes) => runtimes,
        Err(error) => return error,
    };
    let runtime = runtimes.into_iter().find(|runtime| runtime.name_any() == name);
    let Some(runtime) = runtime else {
        return ClusterError::NoRuntime { namespace: ask.namespace.clone() };
    };
    let conditions = runtime.status.map(|status| status.conditions).unwrap_or_default();
    let reason = match conditions.iter().find(|it| it.type_ == "Ready" && it.status != "True") {
        Some(Condition { reason, message, .. }) => format!("{reason}: {message}"),
        None if conditions.is_empty() => "no operator has looked at it yet; is one running?".to_owned(),
        None => "no Pod of it is ready at this moment".to_owned(),
    };
    ClusterError::NotReady { runtime: name.to_owned(), namespace: ask.namespace.clone(), reason }
}
