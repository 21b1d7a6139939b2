//! What keeps a Pod from being ready, in the cluster's own words and the last ones of its process.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
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
    let ended = |state: Option<&ContainerState>| {
        let ended = state?.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
        Some(how_it_ended(ended))
    };
    let waits = container.state.as_ref().and_then(|state| state.waiting.as_ref());
    ended(container.state.as_ref()).or_else(|| ended(container.last_state.as_ref())).or_else(|| {
        let waiting = waits?;
        let reason = waiting
            .reason
            .as_deref()
            .filter(|reason| !matches!(*reason, "ContainerCreating" | "PodInitializing"))?;
        Some(format!("{reason}: {}", waiting.message.as_deref().unwrap_or_default()))
    })
}

/// Why a process ended: Kubernetes' reason in our words, or the process's last ones.
fn how_it_ended(ended: &ContainerStateTerminated) -> String {
    let words = last_words(ended.message.as_deref().unwrap_or_default());
    match (ended.reason.as_deref().unwrap_or_default(), ended.exit_code) {
        ("OOMKilled", _) => {
            "it was killed because it used more memory than it may (OOMKilled); give runtimes more: \
                             `runtime.memory` of the chart, --runtime-memory of the operator"
                .to_owned()
        }
        ("Evicted" | "DeadlineExceeded", code) => {
            format!(
                "it was ended by its node ({}, {code}): {words}",
                ended.reason.as_deref().unwrap_or_default()
            )
        }
        (_, 137) => {
            format!("it was killed (137), as when its probe failed or its node took it away: {words}")
        }
        (_, code) => format!("it ended with {code}: {words}"),
    }
}

/// What a log that ends says last: the message of a line that is JSON, else the text itself.
fn last_words(log: &str) -> String {
    let last = log.trim().lines().last().unwrap_or_default();
    let Ok(line) = serde_json::from_str::<serde_json::Value>(last) else { return log.trim().to_owned() };
    let fields = &line["fields"];
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let message = text(&fields["message"]).or_else(|| text(&line["message"])).unwrap_or_default();
    let error = text(&fields["error"]).or_else(|| text(&line["error"]));
    error.map_or_else(|| message.clone(), |error| format!("{message}: {error}"))
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

    #[test]
    fn how_a_process_ended_is_told_in_words() {
        let ended = |state: serde_json::Value| {
            told(json!({"containerStatuses": [{"name": "r", "ready": false, "image": "", "imageID": "", "restartCount": 1,
                "lastState": {"terminated": state}}]}))
            .unwrap()
        };
        let log =
            r#"{"timestamp":"2026-11-30T00:00:00Z","level":"INFO","fields":{"message":"calls are taken"}}"#;
        let memory = ended(json!({"exitCode": 137, "reason": "OOMKilled", "message": log}));
        assert!(
            memory.contains("more memory than it may (OOMKilled)") && memory.contains("runtime.memory"),
            "{memory}"
        );
        assert!(!memory.contains('{'), "{memory}");
        let killed = ended(json!({"exitCode": 137, "reason": "Error", "message": log}));
        assert!(killed.ends_with("took it away: calls are taken"), "{killed}");
        let log = format!(
            "{log}\n{}",
            r#"{"level":"ERROR","fields":{"message":"the store cannot be opened","error":"no space left"}}"#
        );
        let failed = ended(json!({"exitCode": 2, "reason": "Error", "message": log}));
        assert_eq!(failed, "Pod main-0: it ended with 2: the store cannot be opened: no space left");
    }
}
