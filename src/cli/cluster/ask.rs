//! Reads of the API server, whose refusals are told as what a person may not do and who can change that.

use kube::api::ListParams;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::ClusterError;

/// The most objects of a kind that are looked at.
const LIST_MAX: u32 = 500;

/// The API server, as it is asked about one namespace.
#[derive(Clone)]
pub(super) struct Ask {
    /// Asks it.
    pub(super) client: Client,
    /// The namespace.
    pub(super) namespace: String,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ask").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Ask {
    /// All objects of a kind that this version understands.
    pub(super) async fn list<K>(&self, selector: &str) -> Result<Vec<K>, ClusterError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let objects: Api<DeserializeGuard<K>> = Api::namespaced(self.client.clone(), &self.namespace);
        let parameters = ListParams::default().labels(selector).limit(LIST_MAX);
        let listed =
            objects.list(&parameters).await.map_err(|error| self.refused::<K>("list", None, error))?;
        Ok(listed.items.into_iter().filter_map(|guard| guard.0.ok()).collect())
    }

    /// One object; `None` if there is none.
    pub(super) async fn get<K>(&self, name: &str) -> Result<Option<K>, ClusterError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let objects: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        objects.get_opt(name).await.map_err(|error| self.refused::<K>("get", Some(name), error))
    }

    fn refused<K: Resource<DynamicType = ()>>(
        &self,
        verb: &'static str,
        name: Option<&str>,
        error: kube::Error,
    ) -> ClusterError {
        let group = K::group(&());
        let resource = match group.is_empty() {
            true => K::plural(&()).into_owned(),
            false => format!("{}.{group}", K::plural(&())),
        };
        match error {
            kube::Error::Api(status) if status.code == 403 => {
                self.forbidden(verb, resource, name, status.message)
            }
            kube::Error::Api(status) if status.code == 401 => {
                ClusterError::Unknown { reason: status.message }
            }
            // A list of a kind that is not defined.
            kube::Error::Api(status) if status.code == 404 && group == crate::api::GROUP => {
                ClusterError::NotInstalled
            }
            other => ClusterError::Unreachable { reason: crate::causes::in_words(&other) },
        }
    }

    /// What a person may not do in this namespace.
    pub(super) fn forbidden(
        &self,
        verb: &'static str,
        resource: String,
        name: Option<&str>,
        reason: String,
    ) -> ClusterError {
        ClusterError::Forbidden {
            verb,
            resource,
            name: name.map(str::to_owned),
            namespace: self.namespace.clone(),
            reason,
        }
    }
}
