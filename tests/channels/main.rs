//! Every channel against the sandbox's every fault, over real sockets: what the attempt says, and what the provider
//! has of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

use std::sync::Arc;
use std::time::Duration;

use fanfare::channels::connect::{SecretSource, connect};
use fanfare::channels::egress::{Egress, HostMap};
use fanfare::channels::wire::{Network, Tls};
use fanfare::channels::{Attempt, Channel, Outgoing};
use fanfare::compile::{Sources, compile};
use fanfare::domain::content::Content;
use fanfare::domain::secret::Secret;
use harness::Sandbox;
use serde_json::json;

const CHANNELS: &str = r#"
namespace: default
channels:
  smtp: {smtp: {host: sandbox, port: 25, tls: None, from: a@example.com}, timeout: 500ms}
  twilio:
    twilio: {accountSid: AC0123456789abcdef0123456789abcdef, from: "+1716", baseUrl: "http://sandbox", authToken: {secretKeyRef: {name: s, key: k}}}
    timeout: 500ms
  webhook: {webhook: {url: "http://sandbox/hooks/orders", signingSecret: {secretKeyRef: {name: s, key: k}}}, timeout: 500ms}
"#;

struct Known;

impl SecretSource for Known {
    fn secret(&self, _: &str, _: &str) -> Result<Secret, String> {
        Ok(Secret::new("hunter2"))
    }
}

struct World {
    sandbox: Sandbox,
    channels: Vec<(String, Arc<dyn Channel>)>,
    _folder: tempfile::TempDir,
}

/// What an attempt came to, as far as these stories tell it.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Sent,
    Refused,
    NotTaken { after: Option<u64> },
    Unknown,
}

impl World {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(folder.path(), &[]);
        let sources: Sources = serde_yaml_ng::from_str(CHANNELS).unwrap();
        let hosts = sandbox.hosts();
        let hosts = HostMap::parse(hosts.iter().map(String::as_str)).unwrap();
        let network = Network { egress: Arc::new(Egress::new(vec![], hosts)), tls: Tls::default() };
        let compiled = compile(&sources);
        assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
        let connected = |channel: &Arc<fanfare::compile::CompiledChannel>| {
            (channel.name.as_str().to_owned(), connect(channel, &Known, &network).unwrap())
        };
        let channels = compiled.snapshot.channels.values().map(connected).collect();
        World { sandbox, channels, _folder: folder }
    }

    /// Puts a fault in force on every channel, sends a message by each, and expects this of it; `kept` says whether
    /// the provider has the message in the end.
    async fn expect(&self, fault: serde_json::Value, told: impl Fn(&str) -> Told, kept: bool) {
        for (name, channel) in &self.channels {
            let mut rule = fault.clone();
            rule["protocol"] = name.as_str().into();
            self.sandbox.set_faults(&json!([rule]));
            let before = self.taken(name);
            let attempt = channel.attempt(&message(name)).await;
            assert_eq!(tell(&attempt), told(name), "{name}, {fault}: {attempt:?}");
            assert_eq!(self.taken(name) - before, u64::from(kept), "{name}, {fault}");
        }
        self.sandbox.set_faults(&json!([]));
        for (name, channel) in &self.channels {
            let attempt = channel.attempt(&message(name)).await;
            assert_eq!(tell(&attempt), Told::Sent, "{name} after {fault}: {attempt:?}");
        }
    }

    fn taken(&self, protocol: &str) -> u64 {
        self.sandbox.stats()[protocol]["taken"].as_u64().unwrap()
    }
}

fn message(channel: &str) -> Outgoing {
    let (address, content) = match channel {
        "smtp" => {
            ("ann@example.org", Content::Email { subject: "S".into(), text: Some("T".into()), html: None })
        }
        "twilio" => ("+431", Content::Sms { body: "T".into() }),
        _ => ("", Content::Webhook { body: "{}".into() }),
    };
    Outgoing { key: "0af3".into(), address: address.into(), content, trace: None }
}

fn tell(attempt: &Attempt) -> Told {
    match attempt {
        Attempt::Sent { .. } => Told::Sent,
        Attempt::Refused { .. } => Told::Refused,
        Attempt::NotTaken { retry_after, .. } | Attempt::Throttled { retry_after, .. } => {
            Told::NotTaken { after: retry_after.map(|after| after.as_secs()) }
        }
        Attempt::Unknown { .. } => Told::Unknown,
    }
}

#[tokio::test]
async fn throttling_says_when_to_come_back() {
    let told = |name: &str| Told::NotTaken { after: (name != "smtp").then_some(7) };
    World::start().expect(json!({"answer": "throttle", "retryAfter": 7}), told, false).await;
}

#[tokio::test]
async fn a_failure_over_http_leaves_it_open_and_one_over_smtp_does_not() {
    let world = World::start();
    let told = |name: &str| if name == "smtp" { Told::Refused } else { Told::Unknown };
    world.expect(json!({"answer": "fail"}), told, false).await;
    world.expect(json!({"answer": "fail", "keep": true}), told, true).await;
}

#[tokio::test]
async fn no_answer_leaves_it_open_whether_it_was_kept_or_not() {
    let world = World::start();
    for answer in ["hang", "close", "reset"] {
        for keep in [false, true] {
            world.expect(json!({"answer": answer, "keep": keep}), |_| Told::Unknown, keep).await;
        }
    }
}

#[tokio::test]
async fn a_slow_answer_is_waited_for_and_a_late_one_is_not() {
    let world = World::start();
    world.expect(json!({"answer": "ok", "delayMs": 100}), |_| Told::Sent, true).await;
    world.expect(json!({"answer": "ok", "delayMs": 2000}), |_| Told::Unknown, true).await;
}

#[tokio::test]
async fn a_repetition_has_the_same_identity() {
    let world = World::start();
    for (_, channel) in &world.channels {
        channel.close().await;
    }
    for _ in 0..2 {
        for (name, channel) in &world.channels {
            assert_eq!(tell(&channel.attempt(&message(name)).await), Told::Sent, "{name}");
        }
    }
    let ids = |protocol: &str| -> Vec<String> {
        let messages = world.sandbox.messages();
        let of_it = messages.iter().filter(|message| json!(message.protocol) == protocol);
        of_it.map(|message| message.content.message_id.clone().unwrap_or_default()).collect()
    };
    assert_eq!(ids("smtp"), ["<0af3@example.com>", "<0af3@example.com>"]);
    assert_eq!(ids("webhook"), ["0af3", "0af3"]);
}

#[tokio::test]
async fn a_provider_that_is_gone_took_nothing() {
    let mut world = World::start();
    world.sandbox.process.kill();
    for (name, channel) in &world.channels {
        let attempt =
            tokio::time::timeout(Duration::from_secs(5), channel.attempt(&message(name))).await.unwrap();
        assert!(matches!(attempt, Attempt::NotTaken { provider_down: true, .. }), "{name}: {attempt:?}");
    }
}
