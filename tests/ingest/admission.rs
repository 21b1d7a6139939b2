//! Each rule of admission, in its order.

use fanfare::domain::state::CallState;
use serde_json::json;

use crate::harness::Place;
use crate::world::{World, bearer, secret};

pub async fn a_call_is_on_disk_when_it_is_answered(place: Place) {
    let world = World::with_trigger(
        place,
        json!({"parameters": [
            {"name": "alert", "type": "string", "enum": ["snowstorm", "flood"]},
            {"name": "until", "type": "timestamp", "required": false},
        ]}),
    )
    .await;
    let answer =
        world.post(&json!({"alert": "flood", "until": "2030-01-31T19:00:00+01:00", "more": 1})).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.header("location"), Some(format!("/api/v1/calls/{}", answer.id()).as_str()));
    let calls = world.calls().await;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].id.as_str(), answer.id());
    assert_eq!(calls[0].state, CallState::Accepted);
    assert_eq!(calls[0].params.as_deref(), Some(r#"{"alert":"flood","until":"2030-01-31T18:00:00Z"}"#));
    world.stop().await;
}

pub async fn method_and_size_come_before_authentication(place: Place) {
    let world = World::with_trigger(place, json!({"maxBodyBytes": 16})).await;
    let answer = world.send("GET", "/in/default/t", &[], b"").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let answer = world.send("POST", "/in/default/t", &[], &[b' '; 17]).await;
    assert_eq!(answer.status, 413);
    let answer = world.send("POST", "/in/default/t", &[], b"{}").await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Basic")));
    for path in ["/in/default/other", "/in/elsewhere/t", "/in/default", "/in/default/t/more"] {
        assert_eq!(world.send("POST", path, &[], b"{}").await.status, 404, "{path}");
    }
    world.stop().await;
}

pub async fn a_body_that_does_not_say_its_length_is_cut_at_the_limit(place: Place) {
    let world = World::with_trigger(place, json!({"maxBodyBytes": 16})).await;
    let basic = world.basic("t");
    let chunks = "10\r\n{\"a\": \"0123456\",\r\n".repeat(2);
    let request = format!(
        "POST /in/default/t HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {basic}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
    );
    assert_eq!(world.exchange(request.as_bytes()).await.status, 413);
    world.stop().await;
}

pub async fn every_wrong_parameter_is_named(place: Place) {
    let world = World::with_trigger(
        place,
        json!({"unknownFields": "Refuse", "parameters": [
            {"name": "alert", "type": "string"},
            {"name": "level", "type": "integer", "minimum": 1, "maximum": 5},
            {"name": "postcodes", "type": "list"},
        ]}),
    )
    .await;
    let answer = world.post(&json!({"level": 9, "postcodes": "60200", "extra": true})).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(
        answer.body["errors"],
        json!([
            {"parameter": "alert", "expected": "a text", "found": "nothing"},
            {"parameter": "level", "expected": "a number from 1 to 5", "found": "the number 9"},
            {"parameter": "postcodes", "expected": "a list", "found": "the text `60200`"},
            {"parameter": "extra", "expected": "no such field: the trigger declares no parameter of this name",
             "found": "one"},
        ])
    );
    world.stop().await;
}

pub async fn what_cannot_be_read_is_400_and_what_is_not_taken_415(place: Place) {
    let world = World::with_trigger(place, json!({"parameters": [{"name": "a", "type": "string"}]})).await;
    for body in ["{", "{\"a\": 1e999}", "{\"a\": \"\u{1}\"}"] {
        assert_eq!(world.post_with(&[], body.as_bytes()).await.status, 400, "{body}");
    }
    assert_eq!(world.post_with(&[], b"{\"a\": \"\xff\"}").await.status, 400);
    assert_eq!(world.post(&json!(["a"])).await.status, 422);
    assert_eq!(world.post(&json!({"a": "nul \u{0}"})).await.status, 422);
    assert_eq!(world.post_with(&[("content-type", "text/xml")], b"<a/>").await.status, 415);
    let form = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    assert_eq!(world.post_with(&[form], b"a=b").await.status, 202);
    assert_eq!(world.post_with(&[("idempotency-key", "")], b"{\"a\": \"b\"}").await.status, 400);
    let long = "k".repeat(256);
    assert_eq!(world.post_with(&[("idempotency-key", &long)], b"{\"a\": \"b\"}").await.status, 400);
    world.stop().await;
}

pub async fn keys_are_let_in_as_far_as_they_go(place: Place) {
    let rate = json!({"rateWindow": {"calls": 100, "per": "1m"}});
    let world = World::with(
        place,
        json!({
            "triggers": {"t": rate, "own": {"auth": {"basic": {}, "apiKeys": "Refused"}}},
            "apiKeys": {
                "crm": {"permissions": ["Trigger"]},
                "log": {"permissions": ["ReadLog"]},
                "page": {"type": "Public", "permissions": ["Trigger"], "triggers": [{"name": "t"}]},
            },
        }),
    )
    .await;
    let call = async |path: &str, authorization: &str| {
        world.send("POST", path, &[("authorization", authorization)], b"").await.status
    };
    assert_eq!(call("/in/default/t", &bearer("crm").replace("Bearer", "bearer")).await, 202);
    assert_eq!(call("/in/default/own", &bearer("crm")).await, 403);
    assert_eq!(call("/in/default/t", "Bearer crm:wrong").await, 401);
    assert_eq!(call("/in/default/t", &bearer("log")).await, 403);
    let token = secret("page");
    assert_eq!(call("/in/default/t", &format!("Token {token}")).await, 202);
    assert_eq!(call("/in/default/own", &format!("Token {token}")).await, 403);
    let path = format!("/in/default/t?access_token={token}");
    assert_eq!(world.send("POST", &path, &[], b"").await.status, 202);
    assert_eq!(call("/in/default/own", &world.basic("own")).await, 202);
    assert_eq!(call("/in/default/t", &world.basic("own")).await, 401);
    let credentials: Vec<_> = world.calls().await.into_iter().filter_map(|call| call.credential).collect();
    assert!(credentials.contains(&"key/crm".to_owned()) && credentials.contains(&"key/page".to_owned()));
    world.stop().await;
}
