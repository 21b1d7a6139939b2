//! What keeps a Pod from being ready, in the cluster's own words and the last ones of its process.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt as _;

/// The most that is told of one Pod.
const TOLD_BYTES_MAX: usize = 600;

/// Why the Pod is not ready, if something is wrong with it; `None` of one that is ready or just takes its time.
pub(super) fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    let failing = containers.filter(|container| !container.ready).find_map(failure);
    let unschedulable = || {
        let conditions = status.conditions.iter().flatten();
        let unplaced = conditions.into_iter().find(|it| it.type_ == "PodScheduled" && it.status == "False");
        unplaced.and_then(|condition| condition.message.clone())
    };
    let told = failing.or_else(unschedulable)?;
    let end = told.floor_char_boundary(TOLD_BYTES_MAX.min(told.len()));
    Some(format!("Pod {}: {}", pod.name_any(), told[..end].trim()))
}

fn failure(container: &ContainerStatus) -> Option<String> {
    let last_words = |state: Option<&k8s_openapi::api::core::v1::ContainerState>| {
        let ended = state?.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
        let message = ended.message.clone().unwrap_or_default();
        Some(format!("it ended with {}: {message}", ended.exit_code))
    };
    let waits = container.state.as_ref().and_then(|state| state.waiting.as_ref());
    last_words(container.state.as_ref()).or_else(|| last_words(container.last_state.as_ref())).or_else(|| {
        let waiting = waits?;
        let reason = waiting
            .reason
            .as_deref()
            .filter(|reason| !matches!(*reason, "ContainerCreating" | "PodInitializing"))?;
        Some(format!("{reason}: {}", waiting.message.as_deref().unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(status: serde_json::Value) -> Option<String> {
        trouble(&serde_json::from_value(json!({"metadata": {"name": "main-0"}, "status": status})).unwrap())
    }

    #[test]
    fn last_words_come_before_the_wait_for_another_try() {
        let crash = json!({"containerStatuses": [{"name": "r", "ready": false, "image": "", "imageID": "", "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
            "lastState": {"terminated": {"exitCode": 2, "message": "fanfare runtime: the tenant shop is held\n"}}}]});
        assert_eq!(
            told(crash).unwrap(),
            "Pod main-0: it ended with 2: fanfare runtime: the tenant shop is held"
        );
        let image = json!({"containerStatuses": [{"name": "r", "ready": false, "image": "", "imageID": "", "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]});
        assert_eq!(told(image).unwrap(), "Pod main-0: ImagePullBackOff: no such image");
        let unplaced = json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]});
        assert_eq!(told(unplaced).unwrap(), "Pod main-0: 0/3 nodes are available");
        let begins = json!({"containerStatuses": [{"name": "r", "ready": false, "image": "", "imageID": "", "restartCount": 0,
            "state": {"waiting": {"reason": "ContainerCreating"}}}]});
        assert_eq!(told(begins), None);
    }
}
