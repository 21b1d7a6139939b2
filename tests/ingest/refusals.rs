//! What is turned away: in the log with its reason, and only counted when it comes in floods.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::Place;
use crate::world::World;

pub async fn a_refused_call_is_in_the_log_without_what_it_brought(place: Place) {
    let world = World::with_trigger(place, json!({"parameters": [{"name": "a", "type": "integer"}]})).await;
    assert_eq!(world.post(&json!({"a": "hunter2"})).await.status, 422);
    assert_eq!(world.send("POST", "/in/default/t", &[], b"{\"a\": 1}").await.status, 401);
    let deadline = Instant::now() + Duration::from_secs(10);
    let calls = loop {
        let calls = world.calls().await;
        if calls.len() == 2 {
            break calls;
        }
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    };
    let of = |status| calls.iter().find(|call| call.http_status == status).unwrap();
    assert_eq!(of(422).credential.as_deref(), Some("t"));
    assert!(of(422).reason.as_deref().is_some_and(|reason| reason.contains("a: expected a whole number")));
    assert_eq!((&of(401).credential, &of(401).params), (&None, &None));
    world.stop().await;
}

pub async fn a_flood_is_counted(place: Place) {
    let world = World::with_trigger(place, json!({})).await;
    for _ in 0..100 {
        world.send("POST", "/in/default/t", &[], b"").await;
    }
    // Anybody can ask in another way or with too much, too.
    for _ in 0..100 {
        world.send("GET", "/in/default/t", &[], b"").await;
    }
    // The log says that there were more than it lists.
    let shown = async |path: &str| {
        let page = world.get(path).await.body;
        let counted = page["counted"].as_array().cloned().unwrap_or_default();
        let sum: u64 = counted.iter().map(|count| count["refusals"].as_u64().unwrap()).sum();
        (page["items"].as_array().unwrap().len() as u64 + sum, counted)
    };
    crate::harness::until_true("all are listed or counted", async || {
        shown("/api/v1/calls?limit=1000").await.0 == 200
    })
    .await;
    let (_, counted) = shown("/api/v1/calls?limit=1000&trigger=t&status=refused").await;
    assert!(counted.iter().any(|count| count["httpStatus"] == 401 && count["trigger"] == "t"), "{counted:?}");
    assert!(shown("/api/v1/calls?trigger=other").await.1.is_empty());
    assert!(shown("/api/v1/calls?status=done").await.1.is_empty());
    assert!(shown("/api/v1/calls?since=2100-01-01T00:00:00Z").await.1.is_empty());
    let place = world.stop_and_keep().await;
    let all_in_full = place.count("SELECT count(*) FROM call");
    assert!((10..120).contains(&all_in_full), "{all_in_full}");
    let in_full = place.count("SELECT count(*) FROM call WHERE http_status = 401");
    let counted = place.count("SELECT coalesce(sum(refusals), 0) FROM refusal_count WHERE http_status = 401");
    assert_eq!(in_full + counted, 100);
    assert!((10..100).contains(&in_full), "{in_full}");
}

pub async fn a_caller_that_hangs_up_in_its_body_leaves_no_call(place: Place) {
    let world = World::with_trigger(place, json!({})).await;
    let basic = world.basic("t");
    let head = format!(
        "POST /in/default/t HTTP/1.1\r\nhost: x\r\nauthorization: {basic}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(world.calls().await.iter().all(|call| call.http_status != 202));
    world.stop().await;
}

pub async fn a_head_that_is_too_large_is_answered_as_one_that_cannot_be_read(place: Place) {
    let world = World::with_trigger(place, json!({})).await;
    let many: String = (0..150).map(|n| format!("x-{n}: a\r\n")).collect();
    let long = "a".repeat(70_000);
    let heads = [
        format!("POST /in/default/t HTTP/1.1\r\n{many}\r\n"),
        format!("POST /in/default/{long} HTTP/1.1\r\n"),
    ];
    for head in heads {
        assert_eq!(world.exchange(head.as_bytes()).await.status, 400);
    }
    world.stop().await;
}
