//! `forEach`: one request, many calls, all or none.

use serde_json::{Value, json};

use crate::harness::Place;
use crate::world::World;

async fn world(place: Place) -> World {
    World::with_trigger(
        place,
        json!({
            "forEach": "body.features",
            "parameters": [
                {"name": "id", "type": "string"},
                {"name": "alert", "type": "string", "from": "item.properties.event | lower"},
                {"name": "sender", "type": "string", "from": "body.sender", "required": false},
            ],
            "deduplicate": {"by": "params.id", "within": "1h"},
        }),
    )
    .await
}

fn feature(id: &str) -> Value {
    json!({"id": id, "properties": {"event": "Flood"}})
}

pub async fn each_element_becomes_a_call_once(place: Place) {
    let world = world(place).await;
    let body = json!({"sender": "nws", "features": [feature("1"), feature("2"), feature("1")]});
    let answer = world.post(&body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let calls = answer.body["calls"].as_array().unwrap();
    assert!(calls[0]["id"].is_string() && calls[1]["id"].is_string());
    assert_eq!(calls[2], json!({"duplicateOf": calls[0]["id"]}));
    assert_eq!(answer.header("location"), Some(format!("/api/v1/calls?request={}", answer.id()).as_str()));

    let later = world.post(&json!({"features": [feature("2"), feature("3")]})).await;
    assert_eq!(later.body["calls"][0], json!({"duplicateOf": calls[1]["id"]}));
    let kept = world.calls().await;
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|call| call.request.is_some()));
    world.stop().await;
}

pub async fn one_wrong_element_refuses_the_request(place: Place) {
    let world = world(place).await;
    let wrong = json!({"id": 7, "properties": {}});
    let answer = world.post(&json!({"features": [feature("1"), wrong, feature("2")]})).await;
    assert_eq!(answer.status, 422);
    assert_eq!(
        answer.body["errors"],
        json!([
            {"index": 1, "parameter": "id", "expected": "a text", "found": "the number 7"},
            {"index": 1, "parameter": "alert", "expected": "a text", "found": "nothing"},
        ])
    );
    assert!(world.calls().await.iter().all(|call| call.http_status == 422));
    world.stop().await;
}

pub async fn none_is_fine_a_thousand_is_most_and_no_list_is_refused(place: Place) {
    let world = world(place).await;
    let answer = world.post(&json!({"features": []})).await;
    assert_eq!((answer.status, &answer.body["calls"]), (202, &json!([])));
    let most: Vec<Value> = (0..1_000).map(|id| feature(&id.to_string())).collect();
    assert_eq!(world.post(&json!({"features": most})).await.status, 202);
    let more: Vec<Value> = (0..1_001).map(|id| feature(&id.to_string())).collect();
    assert_eq!(world.post(&json!({"features": more})).await.status, 422);
    assert_eq!(world.post(&json!({"features": "none"})).await.status, 422);
    assert_eq!(world.post(&json!({})).await.status, 422);
    world.stop().await;
}

pub async fn the_idempotency_key_is_the_requests(place: Place) {
    let world = world(place).await;
    let key = [("idempotency-key", "batch-1")];
    let body = json!({"features": [feature("1"), feature("2")]}).to_string();
    let first = world.post_with(&key, body.as_bytes()).await;
    let again = world.post_with(&key, body.as_bytes()).await;
    assert_eq!(first.body, again.body);
    let other = json!({"features": [feature("3")]}).to_string();
    assert_eq!(world.post_with(&key, other.as_bytes()).await.status, 409);
    world.stop().await;
}
