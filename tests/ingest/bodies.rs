//! Bodies as real senders write them: with a byte order mark, without a type, compressed, or as what they are not.

use std::io::Write as _;

use serde_json::json;

use crate::harness::Place;
use crate::world::{World, bearer};

const BODY: &str = r#"{"a": "x"}"#;
const JSON: (&str, &str) = ("content-type", "application/json");

async fn world(place: Place) -> World {
    let spec = json!({"parameters": [{"name": "a", "type": "string"}], "maxBodyBytes": 100_000});
    World::with(place, json!({"triggers": {"t": spec}, "apiKeys": {"crm": {"permissions": ["Track"]}}})).await
}

/// Sends a body to the trigger with its credentials and these headers, and no other.
async fn send(world: &World, headers: &[(&str, &str)], body: &[u8]) -> crate::world::Answer {
    let basic = world.basic("t");
    let all = [&[("authorization", basic.as_str())], headers].concat();
    world.send("POST", "/in/default/t", &all, body).await
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zstd(body: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest)
}

fn wide(body: &str) -> Vec<u8> {
    format!("\u{feff}{body}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub async fn json_is_read_however_it_is_announced(place: Place) {
    let world = world(place).await;
    let types = [
        "application/json",
        "application/cloudevents+json",
        "text/json",
        "text/plain; charset=UTF-8",
        "application/octet-stream",
    ];
    for content_type in types {
        let headers = [("content-type", content_type)];
        for body in [BODY.as_bytes().to_vec(), [b"\xef\xbb\xbf", BODY.as_bytes()].concat(), wide(BODY)] {
            let answer = send(&world, &headers, &body).await;
            assert_eq!(answer.status, 202, "{content_type} {body:?}: {answer:?}");
        }
    }
    assert_eq!(send(&world, &[], BODY.as_bytes()).await.status, 202);
    let calls = world.calls().await;
    assert!(calls.iter().all(|call| call.params.as_deref() == Some(r#"{"a":"x"}"#)), "{calls:?}");
    world.stop().await;
}

pub async fn what_is_not_json_says_what_is_taken(place: Place) {
    let world = world(place).await;
    let text = send(&world, &[("content-type", "text/plain")], b"snow").await;
    assert_eq!(text.status, 415);
    assert!(text.body["detail"].as_str().unwrap().contains("application/json"), "{text:?}");
    assert_eq!(send(&world, &[], b"a=x").await.status, 415);
    assert_eq!(send(&world, &[], b"{\"a\": ").await.status, 400);
    let csv = send(&world, &[("content-type", "text/csv")], b"a\nx").await;
    assert!(csv.status == 415 && csv.body["detail"].as_str().unwrap().contains("text/csv"), "{csv:?}");
    assert_eq!(csv.header("accept-encoding"), None);
    let latin = send(&world, &[("content-type", "application/json; charset=latin1")], BODY.as_bytes()).await;
    assert!(latin.status == 415 && latin.body["detail"].as_str().unwrap().contains("UTF-8"), "{latin:?}");
    let utf32: Vec<u8> = BODY.bytes().flat_map(|byte| [byte, 0, 0, 0]).collect();
    let utf32 = send(&world, &[JSON], &utf32).await;
    assert!(utf32.status == 400 && utf32.body["detail"].as_str().unwrap().contains("UTF-32"), "{utf32:?}");
    world.stop().await;
}

pub async fn json_that_is_sent_as_a_form_is_told_which_header_to_send(place: Place) {
    let world = world(place).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    for body in [BODY, r#"{"a": "x=y&z"}"#, "%7B%22a%22%3A%22x%22%7D", "[1]", "\u{feff}{\"a\": 1}"] {
        let answer = send(&world, &[form], body.as_bytes()).await;
        assert_eq!(answer.status, 422, "{body}");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains("Content-Type: application/json"), "{body}: {detail}");
    }
    for body in ["a=x", "a=%7B%22b%22%3A1%7D", "\u{feff}a=x"] {
        assert_eq!(send(&world, &[form], body.as_bytes()).await.status, 202, "{body}");
    }
    world.stop().await;
}

pub async fn compressed_bodies_are_unpacked_within_bounds(place: Place) {
    let world = world(place).await;
    let coded = |coding: &'static str| [JSON, ("content-encoding", coding)];
    assert_eq!(send(&world, &coded("gzip"), &gzip(BODY.as_bytes())).await.status, 202);
    assert_eq!(send(&world, &coded("x-gzip"), &gzip(BODY.as_bytes())).await.status, 202);
    assert_eq!(send(&world, &coded("zstd"), &zstd(BODY.as_bytes())).await.status, 202);
    assert_eq!(send(&world, &coded("identity"), BODY.as_bytes()).await.status, 202);
    for bomb in [gzip(&vec![b' '; 50 << 20]), zstd(&vec![b' '; 50 << 20])] {
        assert!(bomb.len() < 100_000);
        let coding = if bomb[0] == 0x1f { "gzip" } else { "zstd" };
        assert_eq!(send(&world, &coded(coding), &bomb).await.status, 413);
    }
    assert_eq!(send(&world, &coded("gzip"), BODY.as_bytes()).await.status, 400);
    for coding in ["br", "gzip, gzip", "deflate"] {
        let refused = send(&world, &coded(coding), &gzip(BODY.as_bytes())).await;
        assert_eq!(
            (refused.status, refused.header("accept-encoding")),
            (415, Some("gzip, zstd")),
            "{coding}"
        );
        assert!(refused.body["detail"].as_str().unwrap().contains("gzip, zstd"), "{refused:?}");
    }
    // The same body, compressed in another way, is the same body.
    let key = ("idempotency-key", "k");
    let first = send(&world, &[JSON, key], BODY.as_bytes()).await;
    let again = send(&world, &[JSON, key, ("content-encoding", "gzip")], &gzip(BODY.as_bytes())).await;
    assert_eq!((first.status, again.status, first.id()), (202, 202, again.id()));
    world.stop().await;
}

pub async fn customers_and_events_are_read_the_same_way(place: Place) {
    let world = world(place).await;
    let crm = bearer("crm");
    let post = async |path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let all = [&[("authorization", crm.as_str())], headers].concat();
        world.send("POST", path, &all, body).await
    };
    let lines = "{\"ids\": {\"registered\": \"ann\"}}\n{\"ids\": {\"registered\": \"bob\"}}\n";
    let array = format!("[{}]", lines.trim().replace('\n', ","));
    for content_type in ["application/x-www-form-urlencoded", "text/plain", "application/octet-stream"] {
        for body in [lines, &array] {
            let kept = post("/api/v1/customers", &[("content-type", content_type)], body.as_bytes()).await;
            assert_eq!((kept.status, &kept.body["kept"]), (200, &json!(2)), "{content_type}: {kept:?}");
        }
    }
    for (coding, body) in [("gzip", gzip(array.as_bytes())), ("zstd", zstd(array.as_bytes()))] {
        let kept = post("/api/v1/customers", &[JSON, ("content-encoding", coding)], &body).await;
        assert_eq!((kept.status, &kept.body["kept"]), (200, &json!(2)), "{kept:?}");
    }
    assert_eq!(post("/api/v1/customers", &[JSON], &wide(&array)).await.status, 200);
    let event = r#"{"ids": {"registered": "ann"}, "type": "buy"}"#;
    assert_eq!(post("/api/v1/events", &[], format!("\u{feff}{event}").as_bytes()).await.status, 200);
    assert_eq!(post("/api/v1/events/", &[JSON], event.as_bytes()).await.status, 200);
    let coded = [JSON, ("content-encoding", "br")];
    let refused = post("/api/v1/customers", &coded, b"{}").await;
    assert_eq!((refused.status, refused.header("accept-encoding")), (415, Some("gzip, zstd")));
    let bomb = gzip(&vec![b' '; 50 << 20]);
    let refused = post("/api/v1/customers", &[JSON, ("content-encoding", "gzip")], &bomb).await;
    assert_eq!(refused.status, 413);
    world.stop().await;
}

pub async fn one_more_slash_is_taken(place: Place) {
    let world = world(place).await;
    let headers = [("authorization", world.basic("t")), ("content-type", "application/json".into())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(world.send("POST", "/in/default/t/", &headers, BODY.as_bytes()).await.status, 202);
    assert_eq!(world.send("POST", "/in/default/t/?x=1", &headers, BODY.as_bytes()).await.status, 202);
    for path in ["/in/default/t//", "/in/default/", "/in/default//", "/in/default/t/more/"] {
        assert_eq!(world.send("POST", path, &headers, BODY.as_bytes()).await.status, 404, "{path}");
    }
    assert_eq!(world.get("/api/v1/calls/?limit=1").await.status, 200);
    assert_eq!(world.get("/livez/").await.status, 200);
    world.stop().await;
}

pub async fn a_newline_behind_a_credential_is_no_part_of_it(place: Place) {
    use base64::Engine as _;
    let world = world(place).await;
    let encoded = |text: String| {
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        format!("Basic {text}")
    };
    for (end, status) in [("\n", 202), ("\r\n", 202), ("\n\n", 401), (" ", 401)] {
        let authorization = encoded(format!("t:{}{end}", crate::world::secret("t")));
        let headers = [("authorization", authorization.as_str()), JSON];
        let answer = world.send("POST", "/in/default/t", &headers, BODY.as_bytes()).await;
        assert_eq!(answer.status, status, "{end:?}");
    }
    world.stop().await;
}
