//! A 202 means that it is on disk: what is answered while the disk is away, when the queue is full, and beside poison.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::domain::name::{CallId, TriggerName, VersionId};
use fanfare::store::StoreError;
use fanfare::store::calls::{Admitted, NewCall, NewRequest};
use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::Place;
use crate::world::World;

/// How many requests are put before a ledger that does not get on: more than its queue and its statements hold.
const TOO_MANY: usize = 12_000;

fn request(id: String) -> NewRequest {
    let params = "{}".to_owned();
    NewRequest {
        trigger: TriggerName::new("another"),
        credential: Arc::from("test"),
        received_at: Timestamp::from_second(1_800_000_000).unwrap(),
        version: VersionId::new("v"),
        body_digest: [0; 32],
        request: None,
        idempotency: None,
        calls: vec![NewCall { id: CallId::new(id), expires_at: None, params, deduplication: None }],
        gate: None,
        rate: None,
        trace: None,
    }
}

pub async fn nothing_is_answered_before_its_commit(place: Place) {
    let world = Arc::new(World::with_trigger(place, json!({})).await);
    let held = world.place().hold_commits().await;
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

pub async fn a_store_that_is_away_or_full_is_503_and_keeps_nothing(place: Place) {
    let world = World::with_trigger(place, json!({"rateWindow": {"calls": 1, "per": "1h"}})).await;
    let held = world.place().hold_commits().await;
    let mut waiting = JoinSet::new();
    for n in 0..TOO_MANY {
        let ledger = world.ledger.clone();
        waiting.spawn(async move { ledger.calls.accept(request(format!("c{n}"))).await });
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

pub async fn one_call_that_cannot_be_kept_takes_no_other_with_it(place: Place) {
    let world = World::with_trigger(place, json!({})).await;
    let ids = ["a", "b", "b", "c"];
    let accepts = ids.map(|id| world.ledger.calls.accept(request(id.to_owned())));
    let results = futures_util::future::join_all(accepts).await;
    let kept: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(kept, [true, true, false, true]);
    assert!(results[2].as_ref().is_err_and(|error| !error.is_transient()));
    assert_eq!(world.calls().await.len(), 3);
    world.stop().await;
}
