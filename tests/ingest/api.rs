//! The API over what was called: who may ask, and the shapes that scripts rely on.

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::name::ScenarioName;
use fanfare::store::runs::{Matched, UnmatchedScenario};
use serde_json::json;

use crate::harness::Place;
use crate::world::{World, bearer};

async fn world(place: Place) -> World {
    World::with(
        place,
        json!({
            "triggers": {"t": {"parameters": [{"name": "a", "type": "integer"}]}, "u": {}},
            "apiKeys": {
                "log": {"permissions": ["ReadLog"]},
                "crm": {"permissions": ["Track"]},
                "desk": {"permissions": ["ReadCustomers", "Control"]},
            },
        }),
    )
    .await
}

pub async fn the_log_pages_and_filters(place: Place) {
    let world = world(place).await;
    let mut ids = Vec::new();
    for a in 0..5 {
        ids.push(world.post(&json!({"a": a})).await.id().to_owned());
    }
    world.send("POST", "/in/default/u", &[("authorization", &world.basic("u"))], b"").await;

    let first = world.get("/api/v1/calls?trigger=t&limit=2").await.body;
    let next = first["next"].as_str().unwrap().to_owned();
    assert_eq!(first["items"][0].get("params"), None, "a page has no params unless they are asked for");
    let with_params = world.get("/api/v1/calls?trigger=t&limit=2&params=true").await.body;
    assert!(with_params["items"][0]["params"].is_object(), "{with_params}");
    assert_eq!(world.get("/api/v1/calls?limit=21&params=true").await.status, 400);
    let second = world.get(&format!("/api/v1/calls?trigger=t&limit=3&after={next}")).await.body;
    let shown: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|call| call["id"].as_str().unwrap())
        .collect();
    assert_eq!(shown.len(), 5);
    assert!(ids.iter().all(|id| shown.contains(&id.as_str())));
    let end = format!("/api/v1/calls?trigger=t&limit=3&after={}", second["next"].as_str().unwrap());
    assert_eq!(world.get(&end).await.body, json!({"items": [], "next": null}));

    assert_eq!(world.get("/api/v1/calls?status=accepted").await.body["items"].as_array().unwrap().len(), 6);
    assert_eq!(world.get("/api/v1/calls?since=2100-01-01T00:00:00Z").await.body["items"], json!([]));
    assert_eq!(world.get("/api/v1/calls?until=2000-01-01T00:00:00Z").await.body["items"], json!([]));
    for wrong in ["status=lost", "limit=0", "limit=1001", "since=soon", "triger=t"] {
        assert_eq!(world.get(&format!("/api/v1/calls?{wrong}")).await.status, 400, "{wrong}");
    }
    world.stop().await;
}

pub async fn a_page_with_large_params_ends_early_and_goes_on_behind(place: Place) {
    let trigger = json!({"maxBodyBytes": 10_485_760, "parameters": [{"name": "text", "type": "string"}]});
    let sources = json!({"triggers": {"t": trigger}, "apiKeys": {"log": {"permissions": ["ReadLog"]}}});
    let world = World::with(place, sources).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, world.post(&json!({"text": "x".repeat(3 << 20)})).await.id().to_owned());
    }
    let (mut shown, mut after) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/api/v1/calls?params=true&limit=20{after}")).await.body;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2, "{} items of 3 MiB", items.len());
        assert!(items.iter().all(|call| call["params"]["text"].as_str().unwrap().len() == 3 << 20));
        shown.extend(items.iter().map(|call| call["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(shown, ids);
    let without = world.get("/api/v1/calls?limit=20").await.body;
    assert_eq!((without["items"].as_array().unwrap().len(), &without["next"]), (5, &json!(null)));
    world.stop().await;
}

pub async fn what_no_name_holds_is_not_found_and_no_error(place: Place) {
    let world = world(place).await;
    world.post(&json!({"a": 1})).await;
    let (log, desk) = (bearer("log"), bearer("desk"));
    let ask = async |method: &str, path: &str, key: &str| {
        world.send(method, path, &[("authorization", key)], b"").await
    };
    for filter in ["trigger", "request"] {
        let page = ask("GET", &format!("/api/v1/calls?{filter}=%00"), &log).await;
        assert_eq!((page.status, page.body), (200, json!({"items": [], "next": null})), "{filter}");
    }
    assert_eq!(ask("GET", "/api/v1/calls?after=%00", &log).await.status, 400);
    for path in ["/api/v1/calls/a%00", "/api/v1/calls/%00/deliveries"] {
        let answer = ask("GET", path, &log).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(ask("GET", "/api/v1/customers/%00", &desk).await.status, 404);
    for what in ["calls/%00/pause", "calls/%00/resume", "scenarios/%00/resume", "calls/%00/cancel"] {
        assert_eq!(ask("POST", &format!("/api/v1/{what}"), &desk).await.status, 404, "{what}");
    }
    world.stop().await;
}

pub async fn a_call_shows_what_came_of_it(place: Place) {
    let world = world(place).await;
    let id = world.post(&json!({"a": 1})).await.id().to_owned();
    let call = world.ledger.calls.open_calls(10).await.unwrap().remove(0).unwrap();
    let matched = Matched {
        fired: vec![ScenarioName::new("storm")],
        not_fired: vec![UnmatchedScenario {
            scenario: ScenarioName::new("heat"),
            reason: "params.a == 2 is false".into(),
            more: 0,
        }],
    };
    let runs = world.ledger.runs.begin_runs(call.seq, matched, "me", call.received_at).await.unwrap();
    let keys = vec![vec![CustomerKey(1), CustomerKey(2)]];
    world
        .ledger
        .runs
        .set_audience(runs[0], std::sync::Arc::new(keys), "by index".into(), "test")
        .await
        .unwrap();

    let shown = world.get(&format!("/api/v1/calls/{id}")).await.body;
    assert_eq!(
        (&shown["id"], &shown["trigger"], &shown["status"]),
        (&json!(id), &json!("t"), &json!("running"))
    );
    assert_eq!(shown["params"], json!({"a": 1}));
    assert_eq!(shown["notFired"], json!([{"scenario": "heat", "reason": "params.a == 2 is false"}]));
    let run = &shown["runs"][0];
    assert_eq!((&run["scenario"], &run["audience"]), (&json!("storm"), &json!(2)));
    assert_eq!(run["deliveries"]["sent"], json!(0));
    let deliveries = world.get(&format!("/api/v1/calls/{id}/deliveries?state=held")).await;
    assert_eq!((deliveries.status, deliveries.body), (200, json!({"items": [], "next": null})));
    assert_eq!(world.get("/api/v1/calls/none").await.status, 404);
    assert_eq!(world.get("/api/v1/calls/none/deliveries").await.status, 404);
    let unreadable = world.get("/api/v1/calls/%ff").await;
    assert_eq!(unreadable.status, 400);
    assert_eq!(unreadable.header("content-type"), Some("application/problem+json"));
    world.stop().await;
}

pub async fn a_key_may_do_what_it_is_for_and_nothing_else(place: Place) {
    let world = world(place).await;
    let ask = async |method: &str, path: &str, key: &str| {
        let headers = [("authorization", key), ("content-type", "application/json")];
        world.send(method, path, &headers, b"{\"ids\": {\"registered\": \"ann\"}}").await.status
    };
    let (log, crm, desk) = (bearer("log"), bearer("crm"), bearer("desk"));
    assert_eq!(ask("POST", "/api/v1/customers", &crm).await, 200);
    assert_eq!(ask("POST", "/api/v1/customers", &log).await, 403);
    assert_eq!(ask("GET", "/api/v1/customers/ann", &desk).await, 200);
    assert_eq!(ask("GET", "/api/v1/customers/Ann", &desk).await, 404);
    assert_eq!(ask("GET", "/api/v1/customers/ann", &log).await, 403);
    assert_eq!(ask("GET", "/api/v1/calls", &log).await, 200);
    assert_eq!(ask("GET", "/api/v1/calls", &crm).await, 403);
    assert_eq!(ask("GET", "/api/v1/calls", &world.basic("t")).await, 401);
    assert_eq!(ask("POST", "/api/v1/deliveries/1-1-0/resend", &log).await, 403);
    assert_eq!(ask("POST", "/api/v1/deliveries/1-1-0/resend", &desk).await, 503);
    assert_eq!(ask("DELETE", "/api/v1/calls", &log).await, 405);
    assert_eq!(ask("GET", "/api/v2", &log).await, 404);
    world.stop().await;
}

pub async fn probes_metrics_and_the_description_are_for_everyone(place: Place) {
    let world = world(place).await;
    world.post(&json!({"a": 1})).await;
    world.post(&json!({})).await;
    world.send("POST", "/in/default/made-up", &[], b"").await;
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(world.send("GET", path, &[], b"").await.status, 200, "{path}");
    }
    let metrics = world.app.metrics.text();
    assert!(metrics.contains("fanfare_calls_total{trigger=\"t\",status=\"202\"} 1"), "{metrics}");
    assert!(metrics.contains("fanfare_calls_total{trigger=\"t\",status=\"422\"} 1"), "{metrics}");
    assert!(!metrics.contains("made-up"), "{metrics}");
    let described = world.send("GET", "/api/openapi.json", &[], b"").await.body;
    let paths: Vec<&String> = described["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths.len(), 21, "{paths:?}");
    world.stop().await;
}

pub async fn every_problem_is_sent_as_it_is_described(place: Place) {
    let world = world(place).await;
    let described = world.send("GET", "/api/openapi.json", &[], b"").await.body;
    let (desk, log, crm) = (bearer("desk"), bearer("log"), bearer("crm"));
    let large = vec![b' '; 17 << 20];
    let json = "application/json";
    for (method, path, at, key, content_type, body, status) in [
        ("POST", "/api/v1/{kind}/{name}/pause", "calls/%ff/pause", &desk, json, &b""[..], 400),
        ("POST", "/api/v1/{kind}/{name}/resume", "calls/%ff/resume", &desk, json, b"", 400),
        ("POST", "/api/v1/{kind}/{name}/cancel", "calls/%ff/cancel", &desk, json, b"", 400),
        ("POST", "/api/v1/{kind}/{name}/pause", "calls/x/pause", &desk, json, &large, 413),
        ("POST", "/api/v1/runtime/pause", "runtime/pause", &desk, json, &large, 413),
        ("POST", "/api/v1/customers", "customers", &crm, json, &large, 413),
        ("POST", "/api/v1/customers", "customers", &crm, json, b"3", 400),
        ("POST", "/api/v1/events", "events", &crm, "text/csv", b"a", 415),
        ("POST", "/api/v1/events", "events", &log, json, b"[]", 403),
        ("GET", "/api/v1/customers/{id}", "customers/nobody", &desk, json, b"", 404),
        ("GET", "/api/v1/customers/{id}", "customers/%ff", &desk, json, b"", 400),
        ("GET", "/api/v1/calls/{id}", "calls/%ff", &log, json, b"", 400),
        ("GET", "/api/v1/calls/{id}/deliveries", "calls/%ff/deliveries", &log, json, b"", 400),
        ("POST", "/api/v1/deliveries/{id}/resend", "deliveries/%ff/resend", &desk, json, b"", 400),
    ] {
        let headers = [("authorization", key.as_str()), ("content-type", content_type)];
        let answer = world.send(method, &format!("/api/v1/{at}"), &headers, body).await;
        assert_eq!(answer.status, status, "{method} {at}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {at}");
        assert_eq!(answer.body["type"], "about:blank", "{method} {at}");
        assert_eq!(answer.body["status"], status);
        let operation = &described["paths"][path][method.to_ascii_lowercase()];
        let content = &operation["responses"][status.to_string()]["content"];
        assert!(content["application/problem+json"].is_object(), "{method} {path} {status}: {content}");
    }
    world.stop().await;
}

pub async fn a_batch_that_is_too_large_is_a_problem_like_others(place: Place) {
    let world = world(place).await;
    let headers = [("authorization", bearer("crm")), ("content-type", "application/json".to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = world.send("POST", "/api/v1/customers", &headers, &vec![b' '; 17 << 20]).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    world.stop().await;
}
