//! Idempotency and deduplication: one body occupies a key, only by a 202, and however many come at once.

use serde_json::json;

use crate::harness::Place;
use crate::world::{World, bearer};

const KEY: &[(&str, &str)] = &[("idempotency-key", "k-1")];

pub async fn of_many_at_once_with_one_key_exactly_one_is_new(place: Place) {
    let world = World::with_trigger(place, json!({"parameters": [{"name": "a", "type": "integer"}]})).await;
    let answers = futures_util::future::join_all((0..40).map(|_| world.post_with(KEY, b"{\"a\": 1}"))).await;
    let first = answers[0].id().to_owned();
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.id() == first), "{answers:?}");
    assert_eq!(world.calls().await.len(), 1);
    world.stop().await;
}

pub async fn another_body_is_a_conflict_and_another_credential_another_key(place: Place) {
    let world = World::with(
        place,
        json!({
            "triggers": {"t": {"parameters": [{"name": "a", "type": "integer"}]}},
            "apiKeys": {"crm": {"permissions": ["Trigger"]}},
        }),
    )
    .await;
    assert_eq!(world.post_with(KEY, b"{\"a\": 1}").await.status, 202);
    assert_eq!(world.post_with(KEY, b"{\"a\": 2}").await.status, 409);
    let bearer = bearer("crm");
    let headers = [("idempotency-key", "k-1"), ("authorization", bearer.as_str())];
    assert_eq!(world.post_with(&headers, b"{\"a\": 2}").await.status, 202);
    world.stop().await;
}

pub async fn no_refusal_occupies_a_key(place: Place) {
    let world = World::with_trigger(
        place,
        json!({
            "parameters": [{"name": "a", "type": "integer"}],
            "rateWindow": {"calls": 1, "per": "1s"},
        }),
    )
    .await;
    assert_eq!(world.post_with(KEY, b"{}").await.status, 422);
    assert_eq!(world.post_with(&[], b"{\"a\": 1}").await.status, 202);
    let refused = world.post_with(KEY, b"{\"a\": 2}").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let accepted = loop {
        let answer = world.post_with(KEY, b"{\"a\": 2}").await;
        if answer.status == 202 {
            break answer;
        }
        assert!(std::time::Instant::now() < deadline, "{answer:?}");
    };
    // A known key is answered before the rate window is asked.
    assert_eq!(world.post_with(KEY, b"{\"a\": 2}").await.id(), accepted.id());
    world.stop().await;
}

pub async fn one_happening_is_one_call_however_often_it_is_reported(place: Place) {
    let world = World::with_trigger(place, json!({
        "parameters": [{"name": "alert", "type": "string"}, {"name": "text", "type": "string", "required": false}],
        "deduplicate": {"by": "params.alert", "within": "1h"},
    }))
    .await;
    let body = json!({"alert": "a"});
    let answers = futures_util::future::join_all((0..20).map(|_| world.post(&body)));
    let answers = answers.await;
    let first = answers[0].id().to_owned();
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.id() == first), "{answers:?}");
    assert_eq!(world.post(&json!({"alert": "a", "text": "again"})).await.status, 409);
    assert_eq!(world.post(&json!({"alert": "b"})).await.status, 202);
    assert_eq!(world.calls().await.iter().filter(|call| call.http_status == 202).count(), 2);
    world.stop().await;
}

pub async fn numbers_that_are_equal_report_one_happening(place: Place) {
    let world = World::with_trigger(
        place,
        json!({
            "forEach": "body",
            "parameters": [{"name": "n", "type": "number"}],
            "deduplicate": {"by": "params.n", "within": "1h"},
        }),
    )
    .await;
    let basic = world.basic("t");
    let headers = [("authorization", basic.as_str()), ("content-type", "application/json")];
    let body = br#"[{"n": 5}, {"n": 5.0}, {"n": 5e0}, {"n": -0.0}, {"n": 0}, {"n": 5.5}]"#;
    assert_eq!(world.send("POST", "/in/default/t", &headers, body).await.status, 202);
    assert_eq!(world.calls().await.iter().filter(|call| call.http_status == 202).count(), 3);
    world.stop().await;
}

pub async fn a_key_is_free_again_when_it_has_expired(place: Place) {
    let world = World::with_trigger(
        place,
        json!({
            "parameters": [{"name": "alert", "type": "string"}],
            "deduplicate": {"by": "params.alert", "within": "200ms"},
        }),
    )
    .await;
    let first = world.post(&json!({"alert": "a"})).await.id().to_owned();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let answer = world.post(&json!({"alert": "a"})).await;
        assert_eq!(answer.status, 202);
        if answer.id() != first {
            break;
        }
        assert!(std::time::Instant::now() < deadline);
    }
    let later = jiff::Timestamp::now() + std::time::Duration::from_secs(60);
    assert_eq!(world.ledger.calls.forget_keys(later, 100).await, Ok(1));
    assert_eq!(world.ledger.calls.forget_keys(later, 100).await, Ok(0));
    world.stop().await;
}
