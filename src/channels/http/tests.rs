//! How far a request gets, by a server that plays each way it can end.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::*;
use crate::channels::egress::{Egress, HostMap};
use crate::channels::tests::scripted::{Hang, Hear, Reset, Scripted, Step, say};
use crate::channels::wire::{Network, Tls};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

fn client(port: u16, timeout: Duration) -> Client {
    let egress = Egress::for_dev(HostMap::default());
    let network = Network { egress: std::sync::Arc::new(egress), tls: Tls::default() };
    Client::new(network, HttpTarget::parse(&format!("http://127.0.0.1:{port}/in?x=1")).unwrap(), timeout, 4)
}

async fn post(client: &Client) -> Result<HttpAnswer, HttpFailure> {
    client.post(HeaderMap::new(), Bytes::from_static(b"[1]")).await
}

async fn one(script: Vec<Step>) -> Result<HttpAnswer, HttpFailure> {
    let server = Scripted::play(vec![script]).await;
    post(&client(server.port, Duration::from_millis(300))).await
}

#[tokio::test]
async fn a_request_is_written_and_its_answer_read() {
    let server = Scripted::play(vec![vec![Hear("[1]"), say(OK), Hear("[1]"), say(OK)]]).await;
    let client = client(server.port, Duration::from_secs(5));
    for _ in 0..2 {
        let answer = post(&client).await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"hi"[..]));
    }
    let heard = server.heard(0);
    assert!(heard.starts_with("POST /in?x=1 HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("host: 127.0.0.1:{}\r\n", server.port)), "{heard}");
    assert!(heard.contains("content-length: 3\r\n"), "{heard}");
}

#[tokio::test]
async fn nobody_listening_is_not_connected() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let failed = post(&client(free, Duration::from_secs(5))).await.unwrap_err();
    assert!(matches!(failed, HttpFailure::NotConnected(_)), "{failed}");
}

#[tokio::test]
async fn a_connection_lost_after_the_request_is_on_its_way() {
    for script in [vec![Hear("[1]")], vec![Hear("[1]"), Reset], vec![Hear("[1]"), say("HTTP/1.1 2")]] {
        let failed = one(script.clone()).await.unwrap_err();
        assert!(matches!(failed, HttpFailure::OnItsWay(_)), "{script:?}: {failed}");
    }
}

#[tokio::test]
async fn an_answer_counts_even_if_its_body_is_cut_short() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi";
    for script in [vec![Hear("[1]"), say(cut)], vec![Hear("[1]"), say(cut), Hang]] {
        let answer = one(script).await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"hi"[..]));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_on_its_way() {
    let failed = one(vec![Hear("[1]"), Hang]).await.unwrap_err();
    assert_eq!(failed, HttpFailure::OnItsWay("no answer came in time".into()));
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_is_not_used() {
    let server = Scripted::play(vec![vec![Hear("[1]"), say(OK)], vec![Hear("[1]"), say(OK)]]).await;
    let client = client(server.port, Duration::from_secs(5));
    post(&client).await.unwrap();
    // The server's end has to arrive: nothing else can be waited for.
    tokio::time::sleep(Duration::from_millis(50)).await;
    post(&client).await.unwrap();
    assert!(server.heard(1).ends_with("[1]"));
}

#[tokio::test]
async fn a_connection_that_the_server_will_close_is_not_kept() {
    let closing = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";
    let server =
        Scripted::play(vec![vec![Hear("[1]"), say(closing), Hang], vec![Hear("[1]"), say(OK)]]).await;
    let client = client(server.port, Duration::from_secs(5));
    post(&client).await.unwrap();
    post(&client).await.unwrap();
    assert!(server.heard(1).ends_with("[1]"));
}

#[tokio::test]
async fn keep_alive_shorter_than_ours_is_honoured() {
    let soon = "HTTP/1.1 200 OK\r\nkeep-alive: timeout=1, max=9\r\ncontent-length: 2\r\n\r\nhi";
    let server = Scripted::play(vec![vec![Hear("[1]"), say(soon), Hang], vec![Hear("[1]"), say(OK)]]).await;
    let client = client(server.port, Duration::from_secs(5));
    post(&client).await.unwrap();
    post(&client).await.unwrap();
    assert!(server.heard(1).ends_with("[1]"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere =
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(one(vec![Hear("[1]"), say(elsewhere)]).await.unwrap().status, 307);
}

#[tokio::test]
async fn a_long_answer_is_cut_off() {
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{}", "x".repeat(100_000));
    assert_eq!(one(vec![Hear("[1]"), say(&long)]).await.unwrap().body.len(), 64 * 1024);
}

#[tokio::test]
async fn what_is_not_http_is_on_its_way() {
    let failed = one(vec![Hear("[1]"), say("220 mail.example ESMTP\r\n")]).await.unwrap_err();
    assert!(matches!(failed, HttpFailure::OnItsWay(_)), "{failed}");
}
