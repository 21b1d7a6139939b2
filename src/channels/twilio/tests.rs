//! What is sent to Twilio, and what each of its answers means.

use std::sync::Arc;

use super::*;
use crate::api::{SecretKeyRef, SecretKeySource};
use crate::channels::egress::{Egress, HostMap};
use crate::channels::tests::scripted::{Hang, Hear, Scripted, Step};
use crate::channels::wire::Tls;

fn twilio(port: u16, from: &str) -> TwilioChannel {
    let network = Network { egress: Arc::new(Egress::for_dev(HostMap::default())), tls: Tls::default() };
    let settings = crate::api::Twilio {
        account_sid: "AC00000000000000000000000000000001".into(),
        from: from.into(),
        auth_token: SecretKeySource {
            secret_key_ref: SecretKeyRef { name: "sms".into(), key: "token".into() },
        },
        base_url: Some(format!("http://127.0.0.1:{port}/")),
    };
    TwilioChannel::new(network, &settings, &Secret::new("hunter2\n"), Duration::from_millis(300), 4).unwrap()
}

fn message() -> Outgoing {
    let content = Content::Sms { body: "Schnee & Eis + 5\u{20ac}".into() };
    Outgoing { key: "0af3".into(), address: "+43 123".into(), content, trace: None }
}

async fn answered(head: &str, body: &str) -> Attempt {
    let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let server = Scripted::play(vec![vec![Hear("From=%2B431"), Step::Say(answer)]]).await;
    twilio(server.port, "+431").attempt(&message()).await
}

#[tokio::test]
async fn a_message_is_a_form_with_basic_credentials() {
    let answer = "HTTP/1.1 201 Created\r\ncontent-length: 15\r\n\r\n{\"sid\": \"SM12\"}";
    let server = Scripted::play(vec![vec![Hear("From=%2B431"), Step::Say(answer.into())]]).await;
    let sent = twilio(server.port, "+431").attempt(&message()).await;
    assert_eq!(sent, Attempt::Sent { provider_id: Some("SM12".into()) });
    let heard = server.heard(0);
    let path = "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json";
    assert!(heard.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{heard}");
    let credentials = STANDARD.encode("AC00000000000000000000000000000001:hunter2");
    assert!(heard.contains(&format!("authorization: Basic {credentials}\r\n")), "{heard}");
    assert!(
        heard.ends_with("\r\n\r\nTo=%2B43+123&Body=Schnee+%26+Eis+%2B+5%E2%82%AC&From=%2B431"),
        "{heard}"
    );
}

#[test]
fn a_messaging_service_is_told_from_a_number() {
    assert_eq!(encoded_sender("+43 1"), "From=%2B43+1");
    let service = "MG0123456789abcdef0123456789abcdef";
    assert_eq!(encoded_sender(service), format!("MessagingServiceSid={service}"));
}

#[tokio::test]
async fn a_permanent_error_is_refused_with_code_and_message() {
    let refused =
        answered("400 Bad Request", r#"{"code": 21211, "message": "Invalid 'To' Phone Number"}"#).await;
    assert_eq!(refused, Attempt::refused("21211: Invalid 'To' Phone Number"));
    for head in ["403 Forbidden", "404 Not Found"] {
        let refused = answered(head, r#"{"code": 21408, "message": "not this region"}"#).await;
        assert_eq!(refused.reason(), Some("21408: not this region"), "{head}");
        assert!(matches!(refused, Attempt::Refused { reach: Reach::PerhapsAll { .. }, .. }), "{refused:?}");
    }
    let stopped = answered("400 Bad Request", r#"{"code": 21610, "message": "unsubscribed"}"#).await;
    assert_eq!(stopped, Attempt::Refused { reason: "21610: unsubscribed".into(), reach: Reach::OptedOut });
}

#[tokio::test]
async fn the_accounts_own_troubles_prove_that_nothing_was_taken() {
    let cases = [
        ("429 Too Many Requests", r#"{"code": 20429}"#),
        ("429 Too Many Requests", ""),
        ("400 Bad Request", r#"{"code": 21611, "message": "queue"}"#),
        ("401 Unauthorized", r#"{"code": 20003, "message": "Authenticate"}"#),
        ("403 Forbidden", r#"{"code": 20003, "message": "the account has been suspended"}"#),
        ("403 Forbidden", ""),
        ("404 Not Found", r#"{"code": 20404, "message": "The requested resource was not found"}"#),
        ("404 Not Found", "no such page"),
        ("503 Service Unavailable\r\nretry-after: 1", ""),
        ("400 Bad Request", r#"{"code": 21606, "message": "The 'From' number is not ours"}"#),
        ("400 Bad Request", r#"{"code": 21608, "message": "a trial account"}"#),
        ("400 Bad Request", r#"{"code": 21703, "message": "the messaging service has no number"}"#),
        ("400 Bad Request", "<html>a proxy</html>"),
        ("302 Found", ""),
    ];
    for (head, body) in cases {
        let attempt = answered(head, body).await;
        let waits =
            matches!(attempt, Attempt::NotTaken { provider_down: true, .. } | Attempt::Throttled { .. });
        assert!(waits, "{head}: {attempt:?}");
        let is_throttled = head.starts_with("429") || head.starts_with("503") || body.contains("21611");
        assert_eq!(matches!(attempt, Attempt::Throttled { .. }), is_throttled, "{head}: {attempt:?}");
    }
}

#[tokio::test]
async fn a_5xx_or_no_answer_is_unknown() {
    for head in ["500 Internal Server Error", "503 Service Unavailable"] {
        assert!(matches!(answered(head, "").await, Attempt::Unknown { .. }), "{head}");
    }
    let server = Scripted::play(vec![vec![Hear("From=%2B431"), Hang]]).await;
    assert!(matches!(twilio(server.port, "+431").attempt(&message()).await, Attempt::Unknown { .. }));
}
