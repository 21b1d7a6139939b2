//! Expiry, the rate window and the queue, in this order and after the keys.

use serde_json::json;

use crate::harness::Place;
use crate::world::World;

pub async fn what_is_already_expired_is_refused_and_what_will_be_is_kept_with_its_time(place: Place) {
    let world = World::with_trigger(
        place,
        json!({
            "parameters": [{"name": "until", "type": "timestamp", "required": false}],
            "expires": {"at": "params.until"},
            "rateWindow": {"calls": 2, "per": "1h"},
        }),
    )
    .await;
    assert_eq!(world.post(&json!({"until": "2020-01-01T00:00:00Z"})).await.status, 422);
    assert_eq!(world.post(&json!({"until": "2100-01-01T00:00:00Z"})).await.status, 202);
    // The refused one took no place of the rate window.
    assert_eq!(world.post(&json!({})).await.status, 202);
    let refused = world.post(&json!({})).await;
    assert_eq!(refused.status, 429);
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    // Expiry is asked before the rate window.
    assert_eq!(world.post(&json!({"until": "2020-01-01T00:00:00Z"})).await.status, 422);
    let expiries: Vec<bool> = world
        .calls()
        .await
        .iter()
        .filter(|call| call.http_status == 202)
        .map(|call| call.expires_at.is_some())
        .collect();
    assert_eq!(expiries, [false, true]);
    world.stop().await;
}

pub async fn a_length_counts_from_the_receipt(place: Place) {
    let world = World::with_trigger(place, json!({"expires": {"after": "2h"}})).await;
    assert_eq!(world.post(&json!({})).await.status, 202);
    let call = &world.calls().await[0];
    let length = call.expires_at.unwrap().duration_since(call.received_at);
    assert_eq!(length.as_secs(), 7_200);
    world.stop().await;
}

pub async fn duplicates_take_no_place_of_the_rate_window(place: Place) {
    let world = World::with_trigger(
        place,
        json!({
            "forEach": "body",
            "parameters": [{"name": "id", "type": "integer"}],
            "deduplicate": {"by": "params.id", "within": "1h"},
            "rateWindow": {"calls": 3, "per": "1h"},
        }),
    )
    .await;
    assert_eq!(world.post(&json!([{"id": 1}, {"id": 2}, {"id": 1}])).await.status, 202);
    assert_eq!(world.post(&json!([{"id": 1}, {"id": 2}])).await.status, 202);
    assert_eq!(world.post(&json!([{"id": 3}, {"id": 4}])).await.status, 429);
    let last = world.post(&json!([{"id": 2}, {"id": 3}])).await;
    assert_eq!(last.status, 202);
    assert!(last.body["calls"][1]["id"].is_string());
    world.stop().await;
}

pub async fn a_restart_forgets_no_call_of_the_rate_window(place: Place) {
    let world = World::with_trigger(place, json!({"rateWindow": {"calls": 1, "per": "1h"}})).await;
    assert_eq!(world.post(&json!({})).await.status, 202);
    let world = world.restart().await;
    assert_eq!(world.post(&json!({})).await.status, 429);
    world.stop().await;
}
