//! A 202 means that it is on disk: what is answered while the disk is away, when the queue is full, and beside poison.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::domain::name::{CallId, TriggerName, VersionId};
use fanfare::store::StoreError;
use fanfare::store::calls::{Admitted, Calls, NewCall, NewRequest};
use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinSet;

use crate::world::World;

/// Keeps every commit of the ledger waiting until it is dropped.
fn lock(folder: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(folder.join("ledger.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

fn request(id: String) -> NewRequest {
    let params = "{}".to_owned();
    NewRequest {
        trigger: TriggerName::new("t"),
        credential: Arc::from("test"),
        received_at: Timestamp::from_second(1_800_000_000).unwrap(),
        version: VersionId::new("v"),
        body_digest: [0; 32],
        request: None,
        idempotency: None,
        calls: vec![NewCall { id: CallId::new(id), expires_at: None, params, deduplication: None }],
        gate: None,
        rate: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_answered_before_its_commit() {
    let world = Arc::new(World::with_trigger(json!({})).await);
    let held = lock(world.folder());
    let post = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.post(&json!({})).await }
    });
    // The call has arrived once its row can only be waiting for the lock; it must not be answered by then.
    assert_eq!(world.get("/livez").await.status, 200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!post.is_finished());
    assert!(world.calls().await.is_empty());
    drop(held);
    assert_eq!(post.await.unwrap().status, 202);
    assert_eq!(world.calls().await.len(), 1);
    Arc::into_inner(world).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_or_full_is_503_and_keeps_nothing() {
    let world = World::with_trigger(json!({"rateWindow": {"calls": 1, "per": "1h"}})).await;
    let held = lock(world.folder());
    let mut waiting = JoinSet::new();
    for n in 0..10_000 {
        let ledger = world.ledger.clone();
        waiting.spawn(async move { ledger.accept(request(format!("c{n}"))).await });
    }
    let mut refused = 0;
    while refused == 0 {
        let ended = waiting.join_next().await.unwrap().unwrap();
        assert_eq!(ended, Err(StoreError::Busy));
        refused += 1;
    }
    let asked = Instant::now();
    let answer = world.post(&json!({})).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(asked.elapsed() < Duration::from_secs(4), "a full queue must be told at once");
    drop(held);
    let mut kept = 0;
    while let Some(ended) = waiting.join_next().await {
        match ended.unwrap() {
            Ok(Admitted::Accepted(_)) => kept += 1,
            other => assert_eq!(other, Err(StoreError::Busy)),
        }
    }
    assert!(kept >= 8_192, "{kept}");
    // The refused call gave its place of the rate window back.
    assert_eq!(world.post(&json!({})).await.status, 202);
    world.stop().await;
}

#[tokio::test]
async fn one_call_that_cannot_be_kept_takes_no_other_with_it() {
    let world = World::with_trigger(json!({})).await;
    let ids = ["a", "b", "b", "c"];
    let accepts = ids.map(|id| world.ledger.accept(request(id.to_owned())));
    let results = futures_util::future::join_all(accepts).await;
    let kept: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(kept, [true, true, false, true]);
    assert!(results[2].as_ref().is_err_and(|error| !error.is_transient()));
    assert_eq!(world.calls().await.len(), 3);
    world.stop().await;
}
