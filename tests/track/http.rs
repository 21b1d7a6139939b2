//! Batches answered line by line, and a customer read back.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use fanfare::store::sqlite::SqliteCustomers;
use fanfare::track::http::{BatchAnswer, get_customer, post_customers, post_events};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

struct Api {
    store: SqliteCustomers,
    _folder: tempfile::TempDir,
}

impl Api {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Api { store: SqliteCustomers::open(&folder.path().join("customers.db")).unwrap(), _folder: folder }
    }

    async fn customers(&self, body: &Json) -> BatchAnswer {
        post_customers(&self.store, None, Some("application/json"), body.to_string().as_bytes(), NOW)
            .await
            .unwrap()
    }

    async fn customer(&self, registered: &str) -> Json {
        serde_json::to_value(get_customer(&self.store, registered).await.unwrap()).unwrap()
    }
}

#[tokio::test]
async fn each_line_is_answered_and_a_refused_one_leaves_nothing() {
    let api = Api::new();
    let cookie = |registered: &str| json!({"ids": {"registered": registered, "cookie": "c"}});
    let answer = api
        .customers(&json!([
            {"ids": {"registered": "ann", "cookie": "c"}, "attributes": {"age": 41}, "consents": {"sms": true}},
            {"ids": {"registered": "bob"}, "attributes": {"name": "b\u{0}b"}},
            cookie("cid"),
            {"ids": {"registered": "dan"}},
        ]))
        .await;
    assert_eq!((answer.kept, answer.refused), (2, 2));
    let kept: Vec<bool> = answer.results.iter().map(|line| line.kept).collect();
    assert_eq!(kept, [true, false, false, true]);
    assert!(answer.results[1].error.as_ref().unwrap().contains("attributes.name holds the character U+0000"));
    assert!(answer.results[2].error.as_ref().unwrap().contains("belongs to customer \"ann\""));
    assert_eq!(answer.into_response().status(), StatusCode::OK);
    assert_eq!(api.customer("ann").await["consents"], json!({"sms": true}));
    for nobody in ["bob", "cid", "Ann"] {
        let refused = get_customer(&api.store, nobody).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    }
    api.store.close().await;
}

#[tokio::test]
async fn members_come_back_in_the_order_in_which_they_were_written() {
    let api = Api::new();
    let line = |fields: &str| format!(r#"[{{"ids":{{"registered":"ann"}},{fields}}}]"#);
    for fields in [
        r#""attributes":{"zone":"B","hours":{"mon":8,"tue":9,"fri":7},"city":"Brno"}"#,
        r#""merge":{"hours":{"sun":0,"mon":10,"sat":6,"tue":null}}"#,
        r#""attributes":{"city":"Praha","area":"north"}"#,
    ] {
        let answer =
            post_customers(&api.store, None, Some("application/json"), line(fields).as_bytes(), NOW).await;
        assert_eq!(answer.unwrap().kept, 1, "{fields}");
    }
    let attributes = api.customer("ann").await["attributes"].to_string();
    let expected = r#"{"zone":"B","hours":{"mon":10,"fri":7,"sun":0,"sat":6},"city":"Praha","area":"north"}"#;
    assert_eq!(attributes, expected);
    api.store.close().await;
}

#[tokio::test]
async fn events_are_taken_as_ndjson_and_shown_newest_first() {
    let api = Api::new();
    let body = "{\"ids\":{\"registered\":\"ann\"},\"type\":\"buy\",\"timestamp\":1700000000.5,\"properties\":{\"n\":1}}\n\
                {\"ids\":{\"registered\":\"ann\"},\"type\":\"sell\",\"timestamp\":\"2024-05-01T10:00:00+02:00\"}\n\
                {\"ids\":{\"registered\":\"ann\"},\"type\":\"buy\",\"timestamp\":\"soon\"}\n";
    let now = Timestamp::UNIX_EPOCH;
    let answer =
        post_events(&api.store, None, Some("application/x-ndjson"), body.as_bytes(), now).await.unwrap();
    assert_eq!((answer.kept, answer.results[2].line, answer.results[2].kept), (2, 3, false));
    let events = api.customer("ann").await["events"].clone();
    assert_eq!(events[0]["timestamp"], "2024-05-01T08:00:00Z");
    assert_eq!(
        events[1],
        json!({"type": "buy", "timestamp": "2023-11-14T22:13:20.5Z", "properties": {"n": 1}})
    );
    api.store.close().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_dealt_with_says_why() {
    let api = Api::new();
    let nothing_kept = api.customers(&json!([{"ids": {}}])).await;
    assert_eq!(nothing_kept.into_response().status(), StatusCode::UNPROCESSABLE_ENTITY);
    for (content_type, body, status) in [
        ("text/csv", "a", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json", "3", StatusCode::BAD_REQUEST),
        ("application/json", &format!("[{}0]", "0,".repeat(1_000)), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let refused =
            post_customers(&api.store, None, Some(content_type), body.as_bytes(), NOW).await.unwrap_err();
        assert_eq!(refused.status(), status);
        let response = refused.into_response();
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    api.store.close().await;
    let closed =
        post_customers(&api.store, None, None, br#"{"ids": {"registered": "ann"}}"#, NOW).await.unwrap_err();
    assert_eq!(closed.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(closed.to_string().ends_with("nothing of this request was kept"));
}
