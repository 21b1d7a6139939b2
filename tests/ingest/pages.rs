//! Public keys in pages: what they may write, of whom, and from which origins.

use aws_lc_rs::hmac;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::Place;
use crate::world::{Answer, World, bearer, secret};

const SHOP: &str = "https://shop.example";
const JSON: (&str, &str) = ("content-type", "application/json");

async fn world(place: Place) -> World {
    let page = json!({
        "type": "Public", "permissions": ["Track", "Trigger"], "triggers": [{"name": "t"}],
        "origins": [SHOP],
        "track": {"provenBy": {"name": "shop"}, "events": ["view"], "attributes": ["size"]},
    });
    let trusting = json!({
        "type": "Public", "permissions": ["Track"],
        "track": {"provenBy": {"name": "shop"}, "ids": ["cookie"], "consents": ["mail"]},
    });
    World::with(
        place,
        json!({
            "triggers": {"t": {"rateWindow": {"calls": 100, "per": "1m"}}, "u": {}},
            "apiKeys": {
                "shop": {"permissions": ["Track", "ReadCustomers"]},
                "page": page,
                "trusting": trusting,
            },
        }),
    )
    .await
}

/// The proof of an id for an hour, as the shop's server makes it.
fn proof(id: &str) -> String {
    proof_until(id, Timestamp::now().as_second() + 3600)
}

fn proof_until(id: &str, until: i64) -> String {
    format!("{until}.{}", signature(&format!("{until}.{id}")))
}

fn signature(text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret("shop").as_bytes());
    hmac::sign(&key, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn track(world: &World, key: &str, path: &str, line: Value) -> Answer {
    let token = format!("Token {}", secret(key));
    world.send("POST", path, &[("authorization", token.as_str()), JSON], line.to_string().as_bytes()).await
}

#[track_caller]
fn is_refused(answer: &Answer, because: &str) {
    assert_eq!(answer.status, 422, "{answer:?}");
    let error = answer.body["results"][0]["error"].as_str().unwrap();
    assert!(error.contains(because), "{error}");
}

async fn ann(world: &World) -> Value {
    world.send("GET", "/api/v1/customers/ann", &[("authorization", &bearer("shop"))], b"").await.body
}

pub async fn a_public_key_writes_what_it_lists_of_whom_is_proven(place: Place) {
    let world = world(place).await;
    let before = json!({"ids": {"registered": "ann"}, "attributes": {"phone": "+491", "size": 38},
        "consents": {"mail": true}});
    let kept = world
        .send(
            "POST",
            "/api/v1/customers",
            &[("authorization", &bearer("shop")), JSON],
            before.to_string().as_bytes(),
        )
        .await;
    assert_eq!(kept.status, 200);
    let ids = json!({"registered": "ann"});
    let (customers, events) = ("/api/v1/customers", "/api/v1/events");
    for (line, because) in [
        (json!({"ids": ids, "attributes": {"size": 41}}), "proof is missing or wrong"),
        (json!({"ids": ids, "attributes": {"size": 41}, "proof": proof("bob")}), "proof is missing or wrong"),
        (json!({"ids": ids, "attributes": {"size": 41}, "proof": signature("ann")}), "proof says no end"),
        (
            json!({"ids": ids, "attributes": {"size": 41}, "proof": proof_until("ann", 1)}),
            "proof held until 1970",
        ),
        (
            json!({"ids": ids, "attributes": {"size": 41}, "proof": proof_until("ann", 9_999_999_999)}),
            "31 days",
        ),
        (json!({"ids": ids, "attributes": {"phone": "+666"}, "proof": proof("ann")}), "attributes.phone"),
        (json!({"ids": ids, "attributes": {"phone": null}, "proof": proof("ann")}), "attributes.phone"),
        (json!({"ids": ids, "consents": {"mail": false}, "proof": proof("ann")}), "consents.mail"),
        (json!({"ids": {"registered": "ann", "cookie": "c"}, "proof": proof("ann")}), "ids.cookie"),
    ] {
        is_refused(&track(&world, "page", customers, line).await, because);
    }
    let line = json!({"ids": ids, "type": "policy_purchased", "proof": proof("ann")});
    is_refused(&track(&world, "page", events, line).await, "policy_purchased");
    is_refused(&track(&world, "page", events, json!({"ids": ids, "type": "view"})).await, "proof");
    let shown = ann(&world).await;
    assert_eq!(shown["attributes"], json!({"phone": "+491", "size": 38}));
    assert_eq!((&shown["consents"], shown["events"].as_array().unwrap().len()), (&json!({"mail": true}), 0));

    let line = json!({"ids": ids, "attributes": {"size": 41}, "proof": proof("ann")});
    assert_eq!(track(&world, "page", customers, line).await.status, 200);
    let line = json!({"ids": ids, "type": "view", "proof": proof("ann")});
    assert_eq!(track(&world, "page", events, line).await.status, 200);
    let shown = ann(&world).await;
    assert_eq!((&shown["attributes"]["size"], &shown["events"][0]["type"]), (&json!(41), &json!("view")));
    // Where the ApiKey says so, ids and consents too.
    let line = json!({"ids": {"registered": "ann", "cookie": "c"}, "consents": {"mail": false}, "proof": proof("ann")});
    assert_eq!(track(&world, "trusting", customers, line).await.status, 200);
    world.stop().await;
}

pub async fn a_conflict_names_nobody_to_a_page(place: Place) {
    let world = world(place).await;
    let line = |id: &str| json!({"ids": {"registered": id, "cookie": "c"}, "proof": proof(id)});
    assert_eq!(track(&world, "trusting", "/api/v1/customers", line("ann")).await.status, 200);
    let refused = track(&world, "trusting", "/api/v1/customers", line("bob")).await;
    is_refused(&refused, "belongs to another customer");
    assert!(!refused.body.to_string().contains("ann"), "{refused:?}");
    world.stop().await;
}

pub async fn pages_are_let_in_by_the_origins_that_a_public_key_lists(place: Place) {
    let world = world(place).await;
    let ask = [
        ("origin", SHOP),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    for path in ["/in/default/t", "/api/v1/customers", "/api/v1/events"] {
        let may = world.send("OPTIONS", path, &ask, b"").await;
        assert_eq!(may.status, 204, "{path}");
        assert_eq!(may.header("access-control-allow-origin"), Some(SHOP));
        assert_eq!(may.header("access-control-allow-methods"), Some("POST"));
        let headers = may.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("authorization") && headers.contains("content-type"), "{headers}");
        assert!(may.header("vary").unwrap().contains("origin"));
        assert_eq!(may.header("access-control-allow-credentials"), None);
    }
    let elsewhere = [("origin", "https://evil.example"), ask[1]];
    for (path, headers) in [
        ("/in/default/t", &elsewhere[..]),
        ("/api/v1/customers", &elsewhere),
        ("/in/default/u", &ask),
        ("/api/v1/calls", &ask),
        ("/in/default/t", &ask[..1]),
    ] {
        let refused = world.send("OPTIONS", path, headers, b"").await;
        let is_open = refused.header("access-control-allow-methods").is_some() || refused.status == 204;
        assert!(!is_open, "{path} {refused:?}");
    }
    let token = format!("Token {}", secret("page"));
    let called =
        world.send("POST", "/in/default/t", &[("authorization", &token), ("origin", SHOP)], b"").await;
    assert_eq!((called.status, called.header("access-control-allow-origin")), (202, Some(SHOP)));
    assert!(called.header("access-control-expose-headers").unwrap().contains("location"));
    // A page is told what is wrong, too.
    let wrong =
        world.send("POST", "/in/default/t", &[("authorization", "Token x"), ("origin", SHOP)], b"").await;
    assert_eq!((wrong.status, wrong.header("access-control-allow-origin")), (401, Some(SHOP)));
    let other = [("authorization", token.as_str()), ("origin", "https://evil.example")];
    let other = world.send("POST", "/in/default/t", &other, b"").await;
    assert_eq!((other.status, other.header("access-control-allow-origin")), (403, None));
    assert!(other.header("vary").unwrap().contains("origin"));
    world.stop().await;
}

pub async fn a_beacon_is_taken(place: Place) {
    let world = world(place).await;
    let line = json!({"ids": {"registered": "ann"}, "type": "view", "proof": proof("ann")});
    let path = format!("/api/v1/events?access_token={}", secret("page"));
    let headers = [("content-type", "text/plain;charset=UTF-8"), ("origin", SHOP)];
    let kept = world.send("POST", &path, &headers, line.to_string().as_bytes()).await;
    assert_eq!((kept.status, &kept.body["kept"]), (200, &json!(1)), "{kept:?}");
    let path = format!("/in/default/t?access_token={}", secret("page"));
    assert_eq!(world.send("POST", &path, &headers, b"{}").await.status, 202);
    world.stop().await;
}

pub async fn what_may_be_exposed_takes_public_keys_where_they_write_and_nothing_else(place: Place) {
    let world = world(place).await;
    let ids = json!({"registered": "ann"});
    let event = json!({"ids": ids, "type": "view", "proof": proof("ann")}).to_string();
    let customer = json!({"ids": ids, "attributes": {"size": 41}, "proof": proof("ann")}).to_string();
    let token = format!("Token {}", secret("page"));
    let (page, shop) = (("authorization", token.as_str()), bearer("shop"));
    let ask = async |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        world.send_to(world.exposed, method, path, headers, body.as_bytes()).await
    };
    assert_eq!(ask("POST", "/api/v1/events", &[page, JSON], &event).await.status, 200);
    assert_eq!(ask("POST", "/api/v1/customers/", &[page, JSON], &customer).await.status, 200);
    let preflight = [("origin", SHOP), ("access-control-request-method", "POST")];
    let asked = ask("OPTIONS", "/api/v1/events", &preflight, "").await;
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (204, Some(SHOP)));
    let private = ask("POST", "/api/v1/events", &[("authorization", shop.as_str()), JSON], &event).await;
    assert_eq!(private.status, 403);
    assert!(private.body["detail"].as_str().unwrap().contains("only Public keys"), "{private:?}");
    assert_eq!(ask("POST", "/api/v1/events", &[JSON], &event).await.status, 401);
    let owner = bearer("owner");
    for (method, path) in [
        ("GET", "/api/v1/customers/ann"),
        ("GET", "/api/v1/customers"),
        ("GET", "/api/v1/calls"),
        ("POST", "/api/v1/pauses"),
        ("GET", "/api/openapi.json"),
        ("GET", "/metrics"),
        ("POST", "/api/v1/events/x"),
        ("POST", "//api/v1/events"),
        ("POST", "/api/v1/%65vents"),
    ] {
        let answer = ask(method, path, &[("authorization", owner.as_str())], "").await;
        assert_eq!(answer.status, 404, "{method} {path}");
    }
    world.stop().await;
}
