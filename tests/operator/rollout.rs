//! What an edit repairs: a runtime of which no process could start gets the next template all the same.

use crate::kubelet::MISSING_IMAGE;
use crate::scene::RUNTIME;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_never_became_ready_is_repaired_by_an_edit() {
    let stage = Stage::new("repair").await;
    let wrong = stage.operator(&["--image", MISSING_IMAGE]).await;
    let _kubelet = stage.kubelet(&[]);
    stage.apply(RUNTIME);
    let message = stage.until_reason("runtime", "main", "WorkloadReady", "PodFailing").await;
    assert!(message.contains("ImagePullBackOff"), "{message}");
    let stuck = stage.get("pod", "main-runtime-0")["metadata"]["uid"].clone();
    assert_eq!(wrong.terminate().await, Some(0));
    let _right = stage.operator(&["--no-leader-election"]).await;
    stage.until_ready("runtime", "main").await;
    let pod = stage.get("pod", "main-runtime-0");
    assert_eq!(pod["spec"]["containers"][0]["image"], "fanfare:test");
    assert_ne!(pod["metadata"]["uid"], stuck);
}
