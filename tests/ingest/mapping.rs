//! Parameters that are taken from elsewhere in the request.

use serde_json::json;

use crate::harness::Place;
use crate::world::World;

pub async fn params_come_from_body_headers_and_query(place: Place) {
    let world = World::with_trigger(
        place,
        json!({"parameters": [
            {"name": "alert", "type": "string", "from": "body.properties.event | lower"},
            {"name": "source", "type": "string", "from": "headers['x-source']"},
            {"name": "region", "type": "string", "from": "query.region"},
            {"name": "ends", "type": "timestamp", "from": "body.properties.ends", "required": false},
            {"name": "plain", "type": "integer"},
        ]}),
    )
    .await;
    let basic = world.basic("t");
    let headers =
        [("authorization", basic.as_str()), ("content-type", "application/geo+json"), ("x-source", "nws")];
    let body =
        json!({"properties": {"event": "Winter Storm", "ends": "2030-01-01T00:00:00-06:00"}, "plain": 7});
    let path = "/in/default/t?region=IL&access_token=unused";
    let answer = world.send("POST", path, &headers, body.to_string().as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let params = world.calls().await[0].params.clone().unwrap();
    let params: serde_json::Value = serde_json::from_str(&params).unwrap();
    let expected = json!({"alert": "winter storm", "source": "nws", "region": "IL",
                          "ends": "2030-01-01T06:00:00Z", "plain": 7});
    assert_eq!(params, expected);
    world.stop().await;
}

pub async fn a_value_nests_as_deep_as_can_be_read_back(place: Place) {
    let all = json!({"parameters": [{"name": "all", "type": "object", "from": "body"}]});
    let world = World::with_trigger(place, all).await;
    let basic = world.basic("t");
    let headers = [("authorization", basic.as_str()), ("content-type", "application/json")];
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    for (levels, status) in [(126, 422), (65, 422), (60, 202)] {
        let answer = world.send("POST", "/in/default/t", &headers, nested(levels).as_bytes()).await;
        assert_eq!(answer.status, status, "{levels}: {answer:?}");
    }
    let open = world.ledger.calls.open_calls(10).await.unwrap();
    assert!(open.len() == 1 && open[0].is_ok(), "{open:?}");
    world.stop().await;
}

pub async fn secrets_of_a_request_are_out_of_reach(place: Place) {
    let world = World::with_trigger(
        place,
        json!({"parameters": [
            {"name": "a", "type": "string", "from": "headers.authorization", "required": false},
            {"name": "b", "type": "string", "from": "query.access_token", "required": false},
        ]}),
    )
    .await;
    let basic = world.basic("t");
    let path = "/in/default/t?access_token=unused";
    assert_eq!(world.send("POST", path, &[("authorization", &basic)], b"").await.status, 202);
    assert_eq!(world.calls().await[0].params.as_deref(), Some("{}"));
    world.stop().await;
}

pub async fn fields_that_a_mapping_reads_are_known(place: Place) {
    let world = World::with_trigger(
        place,
        json!({"unknownFields": "Refuse", "parameters": [
            {"name": "alert", "type": "string", "from": "body.properties.event"},
        ]}),
    )
    .await;
    assert_eq!(world.post(&json!({"properties": {"event": "x", "more": 1}})).await.status, 202);
    let answer = world.post(&json!({"properties": {"event": "x"}, "alert": "y"})).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.body["errors"][0]["parameter"], "alert");
    world.stop().await;
}

pub async fn with_for_each_the_fields_around_the_elements_are_checked_too(place: Place) {
    let world = World::with_trigger(
        place,
        json!({"unknownFields": "Refuse", "forEach": "body.features", "parameters": [
            {"name": "id", "type": "string"},
            {"name": "sender", "type": "string", "from": "body.sender", "required": false},
        ]}),
    )
    .await;
    assert_eq!(world.post(&json!({"features": [{"id": "a"}], "sender": "x"})).await.status, 202);
    assert_eq!(world.post(&json!({"features": []})).await.status, 202);
    let around = world.post(&json!({"features": [{"id": "a"}], "title": "x"})).await;
    assert_eq!((around.status, &around.body["errors"][0]["parameter"]), (422, &json!("title")));
    assert_eq!(around.body["errors"][0].get("index"), None);
    let both = world.post(&json!({"features": [{"id": "a"}, {"id": "b", "more": 1}], "title": "x"})).await;
    let errors = both.body["errors"].as_array().unwrap();
    assert_eq!((both.status, errors.len(), &errors[1]["index"]), (422, 2, &json!(1)));
    world.stop().await;
}

pub async fn members_keep_the_order_in_which_they_were_posted(place: Place) {
    let world = World::with_trigger(
        place,
        json!({"parameters": [
            {"name": "route", "type": "object"},
            {"name": "stops", "type": "list", "from": "body.trip.stops"},
        ]}),
    )
    .await;
    let body =
        r#"{"trip":{"stops":[{"to":"Wien","at":"9:10"}]},"route":{"zone":"B","line":7,"by":{"z":1,"a":2}}}"#;
    let answer = world.post_with(&[("content-type", "application/json")], body.as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let params = world.calls().await[0].params.clone().unwrap();
    let posted =
        [r#""route":{"zone":"B","line":7,"by":{"z":1,"a":2}}"#, r#""stops":[{"to":"Wien","at":"9:10"}]"#];
    assert!(posted.iter().all(|part| params.contains(part)), "{params}");
    world.stop().await;
}

pub async fn a_form_is_read_as_the_declared_types(place: Place) {
    let world = World::with_trigger(
        place,
        json!({"parameters": [
            {"name": "level", "type": "integer"},
            {"name": "postcodes", "type": "list"},
            {"name": "sure", "type": "boolean", "from": "body.confirmed"},
        ]}),
    )
    .await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = world.post_with(&form, b"level=3&postcodes=60200&postcodes=60300&confirmed=true").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let params = world.calls().await[0].params.clone().unwrap();
    assert_eq!(params, r#"{"level":3,"postcodes":["60200","60300"],"sure":true}"#);
    let answer = world.post_with(&form, b"level=three&confirmed=maybe").await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 3, "{answer:?}");
    world.stop().await;
}

pub async fn a_null_element_is_refused_by_its_own_index(place: Place) {
    let world = World::with_trigger(
        place,
        json!({"forEach": "body.features", "parameters": [
            {"name": "id", "type": "string"},
        ]}),
    )
    .await;
    let answer = world.post(&json!({"features": [{"id": "a"}, null, {"id": "c"}]})).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(answer.body["errors"][0]["index"], 1, "{answer:?}");
    world.stop().await;
}
