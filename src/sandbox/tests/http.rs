//! The Twilio-shaped API, the webhook sink and the control API.

use serde_json::{Value, json};

use super::*;

const MESSAGES: &str = "/2010-04-01/Accounts/AC1/Messages.json";
/// Basic credentials `AC1:secret`.
const BASIC: &str = "Authorization: Basic QUMxOnNlY3JldA==\r\n";

async fn post(running: &RunningSandbox, path: &str, headers: &str, body: &str) -> Peer {
    let mut peer = Peer::connect(running.http_addr).await;
    let length = body.len();
    peer.say(&format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"))
        .await;
    peer
}

/// The whole answer and its JSON body, if it has one.
async fn answer(mut peer: Peer) -> (String, Value) {
    let answer = peer.hear_all().await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap_or(Value::Null))
}

async fn ask(running: &RunningSandbox, method: &str, path: &str, body: &Value) -> (String, Value) {
    let mut peer = Peer::connect(running.http_addr).await;
    let body = body.to_string();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}", body.len());
    peer.say(&format!("{head}\r\n\r\n{body}")).await;
    answer(peer).await
}

async fn sms(running: &RunningSandbox, to: &str) -> Peer {
    let body = format!("To=%2B{to}&From=%2B15005550006&Body=Stay+home");
    post(running, MESSAGES, BASIC, &body).await
}

#[tokio::test]
async fn an_sms_is_queued_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(recording(folder.path(), &[])).await;
    let (head, body) = answer(sms(&running, "4366412345").await).await;
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    assert_eq!((&body["status"], &body["to"]), (&json!("queued"), &json!("+4366412345")));
    assert!(body["sid"].as_str().is_some_and(|sid| sid.len() == 34 && sid.starts_with("SM")), "{body}");

    let [message] = &record(folder.path())[..] else { panic!("one message is recorded") };
    assert_eq!(
        (message.content.endpoint.as_str(), message.content.to.join(",")),
        ("AC1", "+4366412345".into())
    );
    assert_eq!(message.content.text.as_deref(), Some("Stay home"));
    assert!(!message.content.headers.contains_key("authorization"));
    running.stop().await;
}

#[tokio::test]
async fn twilio_refuses_in_twilios_words() {
    let settings = SandboxSettings {
        twilio_credentials: Some("AC1:other".parse().unwrap()),
        ..SandboxSettings::default()
    };
    let strict = start(settings).await;
    let open = start(SandboxSettings::default()).await;
    for (running, headers, form, status, code) in [
        (&open, "", "To=%2B4366412345&From=%2B1500&Body=a", 401, 20003),
        (&strict, BASIC, "To=%2B4366412345&From=%2B1500&Body=a", 401, 20003),
        (&open, BASIC, "To=4366412345&From=%2B1500&Body=a", 400, 21211),
        (&open, BASIC, "From=%2B1500&Body=a", 400, 21604),
        (&open, BASIC, "To=%2B4366412345&Body=a", 400, 21603),
        (&open, BASIC, "To=%2B4366412345&From=%2B1500", 400, 21602),
    ] {
        let (head, body) = answer(post(running, MESSAGES, headers, form).await).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{form}: {head}");
        assert_eq!((&body["code"], &body["status"]), (&json!(code), &json!(status)), "{form}");
    }
    assert_eq!(open.stats().twilio.received, 0);
    strict.stop().await;
    open.stop().await;
}

#[tokio::test]
async fn faults_answer_as_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let faults =
        ["twilio:throttle,retry-after=3,count=1", "twilio:fail,keep,count=1", "webhook:close,keep,to=gone"];
    let running =
        start(recording(folder.path(), &[&faults[..], &["webhook:reset,to=bad", "webhook:hang"]].concat()))
            .await;

    let (head, body) = answer(sms(&running, "4366412345").await).await;
    assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("retry-after: 3"), "{head}");
    assert_eq!(body["code"], 20429);
    let (head, _) = answer(sms(&running, "4366412345").await).await;
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");

    let mut closed = post(&running, "/hooks/gone", "webhook-id: w1\r\n", "{}").await;
    assert_eq!(closed.hear_all().await.unwrap(), "");
    let mut reset = post(&running, "/hooks/bad", "webhook-id: w2\r\n", "{}").await;
    assert_eq!(reset.hear_all().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    let mut hung = post(&running, "/hooks/any", "webhook-id: w3\r\n", "{}").await;
    assert!(hung.is_silent().await);

    let told: Vec<_> =
        record(folder.path()).into_iter().map(|m| (m.content.message_id, m.answered, m.taken)).collect();
    let expected = [
        (None, "429", false),
        (None, "500", true),
        (Some("w1"), "closed", true),
        (Some("w2"), "reset", false),
        (Some("w3"), "none", false),
    ];
    assert_eq!(
        told,
        expected.map(|(id, answered, taken)| (id.map(str::to_owned), answered.to_owned(), taken))
    );
    timeout(DEADLINE, running.stop()).await.expect("a hanging request does not hold up the stop");
}

#[tokio::test]
async fn the_control_api_lists_filters_and_forgets() {
    let running = start(SandboxSettings::default()).await;
    for hook in ["a", "b", "a"] {
        let (head, _) = answer(post(&running, &format!("/hooks/{hook}"), "", "{\"n\":1}").await).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
    answer(sms(&running, "4366412345").await).await;
    let seqs =
        |page: &Value| page["items"].as_array().unwrap().iter().map(|m| m["seq"].clone()).collect::<Vec<_>>();
    for (query, expected) in [
        ("", vec![1, 2, 3, 4]),
        ("?protocol=webhook&endpoint=a", vec![1, 3]),
        ("?to=%2B4366412345", vec![4]),
        ("?after=1&limit=2", vec![2, 3]),
    ] {
        let (_, page) = ask(&running, "GET", &format!("/sandbox/messages{query}"), &Value::Null).await;
        assert_eq!(seqs(&page), expected, "{query}: {page}");
    }
    let (head, _) = ask(&running, "GET", "/sandbox/messages?channel=a", &Value::Null).await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");

    let (_, stats) = ask(&running, "GET", "/sandbox/stats", &Value::Null).await;
    assert_eq!((&stats["webhook"]["taken"], &stats["twilio"]["received"]), (&json!(3), &json!(1)));
    ask(&running, "DELETE", "/sandbox/messages", &Value::Null).await;
    assert!(running.messages(&Filter::default()).items.is_empty());
    assert_eq!(running.stats().webhook.received, 0);
    running.stop().await;
}

#[tokio::test]
async fn faults_are_put_and_read_back_while_it_runs() {
    let running = start(SandboxSettings::default()).await;
    let rules = json!({"rules": [{"protocol": "webhook", "answer": "fail", "status": 503, "count": 1}]});
    let (head, _) = ask(&running, "PUT", "/sandbox/faults", &rules).await;
    assert!(head.starts_with("HTTP/1.1 204 "), "{head}");
    for status in [503, 200] {
        let (head, _) = answer(post(&running, "/hooks/a", "", "").await).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
    let (_, faults) = ask(&running, "GET", "/sandbox/faults", &Value::Null).await;
    assert_eq!((&faults["rules"][0]["applied"], &faults["rules"][0]["status"]), (&json!(1), &json!(503)));

    let typo = json!({"rules": [{"protocol": "webhook", "answer": "fail", "sometimes": 1}]});
    let (head, body) = ask(&running, "PUT", "/sandbox/faults", &typo).await;
    assert!(
        head.starts_with("HTTP/1.1 400 ") && body["detail"].as_str().unwrap().contains("sometimes"),
        "{body}"
    );
    running.stop().await;
}
