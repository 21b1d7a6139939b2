//! A call that was accepted is said to be accepted, whatever comes after: who repeats it messages everybody twice.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

use crate::command::{Ended, Example, example_file};

fn trigger_key(example: &Example) -> String {
    let trigger = example.dev.trigger("weather-alert");
    format!("{}:{}", trigger.username, trigger.password)
}

#[test]
fn the_key_that_made_a_call_may_watch_it_and_no_other_call() {
    let example = Example::start();
    let (server, key) = (example.dev.server.as_str(), trigger_key(&example));
    let data = format!("@{}", example_file("calls/winter-storm.json"));
    let call = ["call", "weather-alert", "--data", &data, "--watch", "-o", "json"];
    let watched = example.run_with(&call, server, Some(&key)).code(0);
    let id = watched.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(watched.json()["status"], "done");
    assert_eq!(watched.err, format!("accepted {id}\n"));
    assert!(example.run_with(&["log", &id], server, Some(&key)).code(0).out.contains("sent 68"));

    // Made with another key, of the same trigger.
    let others = example.run(&["call", "weather-alert", "--data", &data, "-o", "json"]).code(0).json();
    let others = others["id"].as_str().unwrap();
    for asked in [vec!["log", others], vec!["log", "019b2f6c-3c1e-7d40-a3f5-8f1d2c4b5a69"], vec!["log"]] {
        example.run_with(&asked, server, Some(&key)).code(4);
    }
    for asked in
        [vec!["deliveries", "--call", &id], vec!["customers", "get", "C-10001"], vec!["pause", "runtime"]]
    {
        example.run_with(&asked, server, Some(&key)).code(4);
    }
    let wrong = format!("{}:wrong", example.dev.trigger("weather-alert").username);
    example.run_with(&["log", &id], server, Some(&wrong)).code(4);
}

/// Answers requests one after the other, each as it is told; `None` closes the connection without an answer.
fn server(answers: &'static [Option<(&'static str, &'static str)>]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            read_request(&mut stream);
            if let Some((status, body)) = answer {
                let length = body.len();
                let text = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                );
                stream.write_all(text.as_bytes()).unwrap();
            }
        }
    });
    address
}

/// Reads the head, and a body of `{}`.
fn read_request(stream: &mut TcpStream) {
    let (mut read, mut piece) = (Vec::new(), [0; 1024]);
    loop {
        let count = stream.read(&mut piece).unwrap();
        read.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase().lines().find_map(|line| {
            line.strip_prefix("content-length:").map(|length| length.trim().parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            return;
        }
    }
}

fn call(answers: &'static [Option<(&'static str, &'static str)>], watch: bool) -> Ended {
    let mut command = crate::harness::Process::command(["call", "storm"]);
    command.args(watch.then_some("--watch"));
    command.env("FANFARE_SERVER", server(answers)).env("FANFARE_API_KEY", "storm:secret");
    Ended::of(&command.output().unwrap())
}

const ACCEPTED: Option<(&str, &str)> = Some(("202 Accepted", r#"{"id": "c-1"}"#));

#[test]
fn what_cannot_be_watched_is_accepted_all_the_same() {
    for answers in [
        &[ACCEPTED, Some(("401 Unauthorized", "{}"))],
        &[ACCEPTED, Some(("403 Forbidden", "{}"))],
        &[ACCEPTED, Some(("500 Internal Server Error", "{}"))],
        &[ACCEPTED, Some(("200 OK", "<html>"))],
        &[ACCEPTED, None],
    ] {
        let ended = call(answers, true).code(6);
        assert!(ended.err.starts_with("accepted c-1\n"), "{ended:?}");
        assert!(ended.err.contains("the call was accepted as c-1") && ended.err.contains("do not repeat it"));
    }
    for status in ["cancelled", "expired", "failed", "partly", "a-state-of-a-newer-server"] {
        let seen =
            format!(r#"{{"id": "c-1", "trigger": "storm", "receivedAt": "", "status": "{status}"}}"#).leak();
        let answers: &'static _ = Box::leak(Box::new([ACCEPTED, Some(("200 OK", &*seen))]));
        call(answers, true).code(5);
    }
}

#[test]
fn what_may_have_been_accepted_is_never_said_to_be_refused() {
    for answers in [
        &[None],
        &[Some(("202 Accepted", "<html>"))],
        &[Some(("503 Service Unavailable", "{}"))],
        &[Some(("504 Gateway Timeout", "<html>"))],
    ] {
        let ended = call(answers, false).code(6);
        assert!(ended.err.contains("may have been accepted all the same"), "{ended:?}");
    }
    assert_eq!(call(&[Some(("422 Unprocessable Content", "{}"))], true).code, 1);
    assert_eq!(call(&[Some(("401 Unauthorized", "{}"))], true).code, 4);
}

#[test]
fn what_others_wrote_does_nothing_to_a_terminal() {
    let example = Example::start();
    let evil = "\u{1b}]52;c;cm0=\u{7}\u{202e}";
    let customer = json!({"ids": {"registered": "evil"}, "attributes": {"name": evil, evil: "x\ny"}});
    example.dev.post("/api/v1/customers", &json!([customer])).expect(200);
    let event = json!({"ids": {"registered": "evil"}, "type": evil, "properties": {evil: evil}});
    example.dev.post("/api/v1/events", &json!([event])).expect(200);
    let harmless = |text: &str| {
        !text.contains(|c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}'))
    };
    let shown = example.run(&["customers", "get", "evil"]).code(0).out;
    assert!(harmless(&shown) && shown.contains(r"\u{1b}]52;c;cm0=\u{7}\u{202e}"), "{shown:?}");
    assert!(shown.contains(r"x\ny"), "{shown}");
    let json = example.run(&["customers", "get", "evil", "-o", "json"]).code(0);
    assert!(harmless(&json.out), "{:?}", json.out);
    assert_eq!(json.json()["attributes"]["name"], evil);
    let missing = example.run(&["customers", "get", evil]).code(1);
    assert!(harmless(&missing.err), "{:?}", missing.err);
    let file = example.file("bad.csv", &format!("registered,consents.sms\nann,{evil}\n"));
    let refused = example.run(&["import", "customers", &file]).code(1);
    assert!(harmless(&refused.err) && refused.err.contains(r"\u{202e}"), "{:?}", refused.err);
    example
        .run(&["call", "weather-alert", "--data", &json!({"properties": {"severity": evil}}).to_string()])
        .code(1);
    let log = example.run(&["log"]).code(0).out;
    assert!(harmless(&log), "{log:?}");
}
