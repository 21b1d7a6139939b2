//! Of several operators one works; the next one follows at once when it ends in order.

use crate::stage::{Operator, Stage};
use crate::stories::TRIGGER;

async fn leads(operator: &Operator) -> bool {
    let metrics = operator.metrics().await;
    metrics.lines().any(|line| line.starts_with("fanfare_operator_leader{") && line.ends_with(" 1"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_works_and_the_next_one_follows() {
    let stage = Stage::new("leader").await;
    let first = stage.operator(&[]).await;
    stage.until("the first one leads", async || leads(&first).await).await;
    let second = stage.operator(&[]).await;
    stage.apply(TRIGGER);
    stage.until_reason("apitrigger", "storm", "Ready", "NoRuntime").await;
    assert!(leads(&first).await && !leads(&second).await, "one stands by, and is ready to follow");
    assert_eq!(first.terminate().await, Some(0));
    // It gave its Lease back, or the second one would wait for it to run out.
    let lease =
        ["get", "lease", "fanfare-operator", "-n", &stage.system, "-o", "jsonpath={.spec.holderIdentity}"];
    stage.until("the second one leads", async || leads(&second).await).await;
    let holder = stage.cluster.ask(&lease);
    assert!(holder.starts_with(&format!("{}_", second.identity())), "{holder}");
    stage.apply(&TRIGGER.replace("type: string", "type: string, pattern: '('"));
    stage.until_reason("apitrigger", "storm", "Ready", "Invalid").await;
    assert_eq!(second.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_with_leases_of_their_own_work_side_by_side() {
    let stage = Stage::new("leases").await;
    let first = stage.operator(&[]).await;
    let own = ["-n", &stage.system];
    let role = ["create", "role", "other", "--verb=get,update", "--resource=leases", "--resource-name=other"];
    stage.kubectl(&[&role[..], &own].concat());
    let account = format!("--serviceaccount={}:fanfare-operator", stage.system);
    stage.kubectl(&[&["create", "rolebinding", "other", "--role=other", &account], &own[..]].concat());
    let elsewhere = stage.another("two");
    let second = elsewhere.operator(&["--lease-name", "other"]).await;
    stage.until("both lead", async || leads(&first).await && leads(&second).await).await;
    assert!(second.metrics().await.contains("fanfare_operator_leader{lease=\"other\"} 1"));
    stage.apply(TRIGGER);
    elsewhere.apply(TRIGGER);
    stage.until_reason("apitrigger", "storm", "Ready", "NoRuntime").await;
    elsewhere.until_reason("apitrigger", "storm", "Ready", "NoRuntime").await;
}
