//! Idempotency keys: one body occupies one, and only by a 202.

use serde_json::json;

use crate::world::World;

const KEY: &[(&str, &str)] = &[("idempotency-key", "k-1")];

#[tokio::test]
async fn of_many_at_once_with_one_key_exactly_one_is_new() {
    let world = World::with_trigger(json!({"parameters": [{"name": "a", "type": "integer"}]})).await;
    let answers = futures_util::future::join_all((0..40).map(|_| world.post_with(KEY, b"{\"a\": 1}"))).await;
    let first = answers[0].id().to_owned();
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.id() == first), "{answers:?}");
    assert_eq!(world.calls().await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn another_body_is_a_conflict_and_another_credential_another_key() {
    let world = World::with(json!({
        "triggers": {"t": {"parameters": [{"name": "a", "type": "integer"}]}},
        "apiKeys": {"crm": {"permissions": ["Trigger"]}},
    }))
    .await;
    assert_eq!(world.post_with(KEY, b"{\"a\": 1}").await.status, 202);
    assert_eq!(world.post_with(KEY, b"{\"a\": 2}").await.status, 409);
    let pair = world.credentials.api_key("crm").unwrap();
    let bearer = format!("Bearer {}:{}", pair.username, pair.password.expose());
    let headers = [("idempotency-key", "k-1"), ("authorization", bearer.as_str())];
    assert_eq!(world.post_with(&headers, b"{\"a\": 2}").await.status, 202);
    world.stop().await;
}

#[tokio::test]
async fn no_refusal_occupies_a_key() {
    let world = World::with_trigger(json!({
        "parameters": [{"name": "a", "type": "integer"}],
        "rateWindow": {"calls": 1, "per": "1s"},
    }))
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
