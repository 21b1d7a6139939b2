//! What edits of a runtime on files come to: one repairs what could not start, and none makes a volume smaller.

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

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_cannot_shrink_and_nothing_else_waits_for_it() {
    let stage = Stage::new("shrink").await;
    let _operator = stage.operator(&[]).await;
    let _kubelet = stage.kubelet(&[]);
    stage.apply(RUNTIME);
    stage.until_ready("runtime", "main").await;
    stage.apply(&RUNTIME.replace("1Gi", "512Mi"));
    let message = stage.until_reason("runtime", "main", "Accepted", "VolumeCannotShrink").await;
    assert!(message.contains("512Mi is less than the 1Gi of PersistentVolumeClaim data-main"), "{message}");
    assert_eq!(stage.reason("runtime", "main", "Stalled").0, "True");
    assert_eq!(stage.reason("runtime", "main", "WorkloadReady").1, "Succeeded");
    stage.kubectl(&["delete", "poddisruptionbudget", "main-runtime", "-n", &stage.namespace]);
    let restored = async || !stage.get("poddisruptionbudget", "main-runtime").is_null();
    stage.until("its objects are kept as they should be", restored).await;
    stage.apply(RUNTIME);
    stage.until_ready("runtime", "main").await;
}
