//! What is posted to a webhook, and what each answer means.

use std::sync::Arc;

use super::*;
use crate::channels::egress::{Egress, HostMap};
use crate::channels::tests::scripted::{Hang, Hear, Reset, Scripted, Step, say};
use crate::channels::wire::Tls;
use crate::domain::secret::Secret;

fn webhook(port: u16) -> WebhookChannel {
    let network = Network { egress: Arc::new(Egress::for_dev(HostMap::default())), tls: Tls::default() };
    let target = HttpTarget::parse(&format!("http://127.0.0.1:{port}/hook")).unwrap();
    let key = SigningKey::new(&Secret::new("secret")).unwrap();
    WebhookChannel::new(network, target, Some(key), Duration::from_millis(300), 4)
}

fn message() -> Outgoing {
    let content = Content::Webhook { body: r#"{"n":1}"#.into() };
    Outgoing { key: "0af3".into(), address: String::new(), content, trace: None }
}

async fn answered(head: &str) -> Attempt {
    let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 4\r\n\r\nwhy\n");
    outcome(vec![Hear("}"), Step::Say(answer)]).await
}

async fn outcome(script: Vec<Step>) -> Attempt {
    let server = Scripted::play(vec![script]).await;
    webhook(server.port).attempt(&message()).await
}

#[tokio::test]
async fn a_message_is_signed_and_named() {
    let server = Scripted::play(vec![vec![Hear("}"), say("HTTP/1.1 204 No Content\r\n\r\n")]]).await;
    assert_eq!(webhook(server.port).attempt(&message()).await, Attempt::Sent { provider_id: None });
    let heard = server.heard(0);
    let value = |name: &str| heard.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    assert_eq!(value("webhook-id: "), "0af3");
    assert_eq!(value("content-type: "), "application/json");
    let seconds = value("webhook-timestamp: ").parse().unwrap();
    let expected = SigningKey::new(&Secret::new("secret")).unwrap().sign("0af3", seconds, r#"{"n":1}"#);
    assert_eq!(value("webhook-signature: "), expected);
}

#[tokio::test]
async fn only_2xx_is_success_and_a_refusal_of_this_body_is_final() {
    assert_eq!(answered("202 Accepted").await, Attempt::Sent { provider_id: None });
    for head in
        ["400 Bad Request", "413 Payload Too Large", "415 Unsupported Media Type", "422 Unprocessable Entity"]
    {
        assert_eq!(answered(head).await, Attempt::refused(format!("{head}: why")));
    }
}

#[tokio::test]
async fn any_other_refusal_is_the_endpoints_and_waits() {
    for head in [
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "405 Method Not Allowed",
        "409 Conflict",
        "421 Misdirected Request",
        "423 Locked",
        "425 Too Early",
        "451 Unavailable For Legal Reasons",
    ] {
        let attempt = answered(head).await;
        let expected =
            Attempt::NotTaken { reason: format!("{head}: why"), retry_after: None, provider_down: true };
        assert_eq!(attempt, expected);
    }
    assert_eq!(
        answered("410 Gone").await,
        Attempt::Refused { reason: "410 Gone: why".into(), reach: Reach::Gone }
    );
}

#[tokio::test]
async fn a_redirect_is_refused_and_says_where_to() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let attempt = answered(&format!("{status}\r\nlocation: https://elsewhere.example/in")).await;
        let Attempt::Refused { reason, reach: Reach::PerhapsAll { .. } } = attempt else {
            panic!("{attempt:?}")
        };
        let words = " to https://elsewhere.example/in; redirects are not followed";
        assert!(reason.starts_with(&format!("{status}{words}")), "{reason}");
    }
}

#[tokio::test]
async fn throttling_proves_that_nothing_was_taken() {
    let throttled = answered("429 Too Many Requests\r\nretry-after: 7").await;
    let reason = "429 Too Many Requests: why".into();
    assert_eq!(throttled, Attempt::Throttled { reason, retry_after: Some(Duration::from_secs(7)) });
    let down = answered("503 Service Unavailable\r\nretry-after: 3").await;
    let reason = "503 Service Unavailable: why".into();
    assert_eq!(down, Attempt::Throttled { reason, retry_after: Some(Duration::from_secs(3)) });
}

#[tokio::test]
async fn whatever_may_have_been_taken_is_unknown() {
    for head in
        ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "408 Request Timeout"]
    {
        assert!(matches!(answered(head).await, Attempt::Unknown { .. }), "{head}");
    }
    for script in [vec![Hear("}"), Hang], vec![Hear("}"), Reset], vec![Hear("}")]] {
        assert!(matches!(outcome(script.clone()).await, Attempt::Unknown { .. }), "{script:?}");
    }
}

#[tokio::test]
async fn no_connection_means_that_the_provider_is_down() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let attempt = webhook(free).attempt(&message()).await;
    assert!(matches!(attempt, Attempt::NotTaken { provider_down: true, .. }), "{attempt:?}");
}

#[tokio::test]
async fn another_kind_of_content_is_refused() {
    let message = Outgoing { content: Content::Log { text: "x".into() }, ..message() };
    assert!(matches!(webhook(1).attempt(&message).await, Attempt::Refused { .. }));
}
