//! What the operator must know before it begins: which cluster it is in, and which image runtimes get.

use std::sync::PoisonError;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

use super::admin::Health;
use super::settings::OperatorSettings;
use crate::causes::in_words;

/// How often the API server is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long one such request may take.
const ASK_MAX: Duration = Duration::from_secs(5);
/// The operator's container within its Pod.
const CONTAINER: &str = "operator";

/// The time in which the API server is asked until it has answered.
pub(super) struct Beginning<'a> {
    pub client: &'a Client,
    pub settings: &'a OperatorSettings,
    pub health: &'a Health,
    pub stop: &'a CancellationToken,
}

impl Beginning<'_> {
    /// The cluster, by the UID of a namespace that every one has; `None` if told to stop before it is known.
    pub(super) async fn cluster_id(&self) -> Option<String> {
        let namespaces: &Api<Namespace> = &Api::all(self.client.clone());
        self.asked(|| async move {
            let asked = namespaces.get("kube-system").await;
            let found = asked
                .map_err(|error| format!("the API server has not answered yet: {}", in_words(&error)))?;
            Ok(found.metadata.uid.unwrap_or_default())
        })
        .await
    }

    /// The image of the runtimes: the one that is named, or what this process runs as, so that whatever sets the
    /// operator's image sets theirs too. `None` if told to stop before it is known.
    pub(super) async fn image(&self) -> Option<String> {
        let OperatorSettings { image, own_namespace, identity, .. } = self.settings;
        if !image.is_empty() {
            return Some(image.clone());
        }
        let pods: &Api<Pod> = &Api::namespaced(self.client.clone(), own_namespace);
        let found = self.asked(|| async move {
            let asked = pods.get(identity).await.map_err(|error| in_words(&error));
            let image = asked.and_then(|pod| image_of(pod).ok_or_else(|| "it has no container".into()));
            image.map_err(|error| {
                format!(
                    "the image of Pod {own_namespace}/{identity} is not known: {error}; name the runtimes' image by \
                     --image, or let the operator's account get the Pods of that namespace"
                )
            })
        });
        let image = found.await?;
        tracing::info!(image, "runtimes get the operator's own image");
        Some(image)
    }

    /// From here on nothing is awaited.
    pub(super) fn is_over(&self) {
        self.awaits(None);
    }

    fn awaits(&self, what: Option<String>) {
        *self.health.awaited.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// Asks until there is an answer, and says meanwhile what is awaited.
    async fn asked<T, F>(&self, ask: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, String>> + Send,
    {
        let mut is_told = false;
        loop {
            match tokio::time::timeout(ASK_MAX, ask()).await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(trouble)) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!("{trouble}");
                    }
                    self.awaits(Some(trouble));
                }
                Err(_) => {}
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
        }
    }
}

fn image_of(pod: Pod) -> Option<String> {
    let containers = pod.spec?.containers;
    let own = containers.iter().find(|it| it.name == CONTAINER).or_else(|| containers.first())?;
    own.image.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_container_is_found_among_others() {
        let image = |containers: serde_json::Value| {
            image_of(serde_json::from_value(serde_json::json!({"spec": {"containers": containers}})).unwrap())
        };
        let (proxy, operator) = (
            serde_json::json!({"name": "proxy", "image": "proxy:1"}),
            serde_json::json!({"name": "operator", "image": "fanfare:1"}),
        );
        assert_eq!(image(serde_json::json!([proxy, operator])).as_deref(), Some("fanfare:1"));
        assert_eq!(
            image(serde_json::json!([{"name": "main", "image": "fanfare:2"}])).as_deref(),
            Some("fanfare:2")
        );
        assert_eq!(image(serde_json::json!([])), None);
    }
}
