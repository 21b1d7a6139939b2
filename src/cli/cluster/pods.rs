//! The Pods that serve: one that is ready carries what a person asks.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _};

use super::ask::Ask;
use super::{ClusterError, runtime};
use crate::api::labels::RUNTIME_LABEL;

/// How long a replaced Pod may take; after that, the command says why there is none.
const REPLACED_WITHIN: Duration = Duration::from_secs(45);
/// How often it is looked for one.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The Pods of a Runtime.
#[derive(Debug)]
pub(super) struct Pods {
    ask: Ask,
    runtime: String,
}

/// A Pod that takes requests.
#[derive(Debug)]
pub(super) struct ReadyPod {
    /// Its name.
    pub(super) name: String,
    pod: Pod,
}

impl Pods {
    /// Those of a Runtime.
    pub(super) fn of(ask: &Ask, runtime: &str) -> Self {
        Pods { ask: ask.clone(), runtime: runtime.to_owned() }
    }

    /// One that is ready now.
    pub(super) async fn first_ready(&self) -> Result<ReadyPod, ClusterError> {
        match self.ready(None).await? {
            Some(pod) => Ok(pod),
            None => Err(runtime::why_not_ready(&self.ask, &self.runtime).await),
        }
    }

    /// One that is ready once another was lost, that one last; waits for a Pod that is being replaced.
    pub(super) async fn next_ready(&self, lost: &str) -> Result<ReadyPod, ClusterError> {
        let waited = tokio::time::timeout(REPLACED_WITHIN, async {
            loop {
                if let Some(pod) = self.ready(Some(lost)).await? {
                    return Ok(pod);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        match waited.await {
            Ok(found) => found,
            Err(_) => Err(runtime::why_not_ready(&self.ask, &self.runtime).await),
        }
    }

    async fn ready(&self, lost: Option<&str>) -> Result<Option<ReadyPod>, ClusterError> {
        let selector = format!("{RUNTIME_LABEL}={},app.kubernetes.io/component=runtime", self.runtime);
        let mut pods: Vec<Pod> = self.ask.list(&selector).await?;
        pods.retain(is_ready);
        pods.sort_by_key(|pod| (Some(pod.name_any().as_str()) == lost, pod.name_any()));
        Ok(pods.into_iter().next().map(|pod| ReadyPod { name: pod.name_any(), pod }))
    }

    /// What forwards ports, and what says that it is not allowed.
    pub(super) fn api(&self) -> (Api<Pod>, &Ask) {
        (Api::namespaced(self.ask.client.clone(), &self.ask.namespace), &self.ask)
    }
}

impl ReadyPod {
    /// The number of the port of this name.
    pub(super) fn port(&self, name: &str) -> Option<u16> {
        let containers = self.pod.spec.iter().flat_map(|spec| &spec.containers);
        let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
        let port = ports.find(|port| port.name.as_deref() == Some(name))?;
        u16::try_from(port.container_port).ok()
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().any(|it| it.type_ == "Ready" && it.status == "True")
}
