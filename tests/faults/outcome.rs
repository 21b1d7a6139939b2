//! Tells the story to faulty providers, and what came of each message: its state, and how each attempt was answered.

use std::collections::BTreeMap;
use std::time::Duration;

use fanfare::sandbox::{Protocol, ReceivedMessage};
use serde_json::json;

use crate::checker::{Claims, Ledger, Mark, Record, check};
use crate::harness::{Dev, Sandbox, wait_for};
use crate::story::{Customers, Manifests, STORM_STEPS};

/// Ten SMS, twenty mails of the storm with their webhooks, four mails of the briefing.
const CUSTOMERS: Customers = Customers { north: 30 };
/// Shorter than the default, so that a hanging provider does not take half a minute; longer than a busy machine
/// needs for an answer.
const CHANNEL: &str = "timeout: 4s";

/// What came of each message that a provider saw, by protocol, recipient and step, and how many have failed that none saw.
pub struct Outcome(BTreeMap<(Protocol, Mark), Delivery>, usize);

#[derive(Debug)]
struct Delivery {
    state: &'static str,
    reason: Option<String>,
    attempts: Vec<ReceivedMessage>,
}

/// Runs one call to its end with these faults; the checker must find nothing to complain about.
pub fn tell(faults: &[String]) -> Outcome {
    tell_by(CHANNEL, faults)
}

/// The same by channels with these fields.
pub fn tell_by(channel: &str, faults: &[String]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path(), &faults.iter().map(String::as_str).collect::<Vec<_>>());
    let manifests = Manifests::write(&folder.path().join("manifests"), CUSTOMERS, 64, channel);
    let data = folder.path().join("data");
    let mut dev = Dev::start(&manifests.folder, &data, &sandbox);
    let call = dev.call("alert", &json!({"region": "north"})).must().expect(202).json();
    let id = call["id"].as_str().unwrap().to_owned();
    wait_for("the end of the call", || dev.is_done(&id).then_some(()));
    assert_eq!(dev.process.terminate().code(), Some(0), "{}", dev.process.printed());

    let ledger = Ledger::read(&data);
    let claims = Claims {
        acknowledged: vec![id],
        faults: 0,
        replicas: 1,
        window: 0,
        stories: Manifests::stories(CUSTOMERS),
        calls_max: 1,
    };
    // An answer that comes too late is one the provider gave well; the checker cannot know of the doubt.
    if !faults.iter().any(|fault| fault.contains("delay-ms=6000")) {
        let violations = check(&claims, &Record::read(&sandbox.record), &ledger);
        assert!(violations.is_empty(), "{violations:#?}\n{}", dev.process.printed());
    }
    Outcome::of(&ledger, sandbox.messages())
}

impl Outcome {
    fn of(ledger: &Ledger, messages: Vec<ReceivedMessage>) -> Self {
        let mut attempts = BTreeMap::<Mark, Vec<ReceivedMessage>>::new();
        for message in messages {
            let mark =
                Mark::find(message.content.text.as_deref().unwrap_or("")).expect("every message is marked");
            attempts.entry(mark).or_default().push(message);
        }
        let mut states = BTreeMap::new();
        for run in &ledger.runs {
            for delivery in &run.deliveries {
                let step = match run.scenario.as_str() {
                    "storm" => STORM_STEPS[usize::from(delivery.node)].unwrap(),
                    _ => "note",
                };
                let key = (run.scenario.clone(), delivery.customer.clone(), step.to_owned());
                states.insert(key, (word(delivery.state), delivery.reason.clone()));
            }
        }
        let deliveries = attempts.into_iter().map(|(mark, attempts)| {
            let key = (mark.scenario.clone(), mark.customer.clone(), mark.step.clone());
            let (state, reason) = states.remove(&key).expect("what was attempted is in the ledger");
            ((attempts[0].protocol, mark), Delivery { state, reason, attempts })
        });
        let deliveries = deliveries.collect();
        Self(deliveries, states.values().filter(|(state, _)| *state == "failed").count())
    }

    /// How many were refused before a provider saw the message.
    pub fn refused_unseen(&self) -> usize {
        self.1
    }

    /// So many messages of the protocol came to this state by attempts answered like this. All attempts of a
    /// message have the same id and say the same.
    #[track_caller]
    pub fn expect(&self, protocol: Protocol, count: usize, state: &str, answers: &[&str]) {
        let of_protocol =
            || self.0.iter().filter(|((of, _), _)| *of == protocol).map(|(_, delivery)| delivery);
        let found = of_protocol().filter(|delivery| delivery.is(state, answers)).count();
        let others: Vec<String> =
            of_protocol().filter(|delivery| !delivery.is("sent", &["ok"])).map(Delivery::in_words).collect();
        assert_eq!(found, count, "{protocol:?} {state} {answers:?}; not sent at once: {others:#?}");
        of_protocol().for_each(Delivery::expect_same);
    }

    /// All messages of the protocol but the [`crate::FAULTY`] ones, or all of them, came to this state like this.
    #[track_caller]
    pub fn expect_all_others(&self, protocol: Protocol, state: &str, answers: &[&str]) {
        let all = self.0.keys().filter(|(of, _)| *of == protocol).count();
        let like_this = self
            .0
            .iter()
            .filter(|((of, _), delivery)| *of == protocol && delivery.is(state, answers))
            .count();
        assert!(all >= 2 * crate::FAULTY, "the story has more messages than faulty ones");
        assert!(
            [all, all - crate::FAULTY].contains(&like_this),
            "{protocol:?}: {like_this} of {all} {state}"
        );
    }

    /// Every message of the protocol was sent in the end, and taken once.
    #[track_caller]
    pub fn expect_all_sent(&self, protocol: Protocol) {
        let of_protocol = || self.0.iter().filter(|((of, _), _)| *of == protocol).map(|(_, it)| it);
        let others: Vec<String> =
            of_protocol().filter(|it| it.state != "sent").map(Delivery::in_words).collect();
        assert!(others.is_empty() && of_protocol().count() > crate::FAULTY, "{protocol:?}: {others:#?}");
        let taken = |it: &Delivery| it.attempts.iter().filter(|attempt| attempt.taken).count();
        assert!(of_protocol().all(|it| taken(it) == 1), "{protocol:?}");
    }

    /// The shortest time between a refused attempt and the next one of the same message.
    pub fn shortest_wait(&self, protocol: Protocol) -> Duration {
        let of_protocol = self.0.iter().filter(|((of, _), _)| *of == protocol);
        let waits = of_protocol.flat_map(|(_, delivery)| {
            delivery.attempts.windows(2).map(|pair| pair[1].received_at.duration_since(pair[0].received_at))
        });
        waits.min().expect("something was tried again").unsigned_abs()
    }
}

impl Delivery {
    fn is(&self, state: &str, answers: &[&str]) -> bool {
        self.state == state
            && self.attempts.iter().map(|attempt| attempt.answered.as_str()).eq(answers.iter().copied())
    }

    fn in_words(&self) -> String {
        let answers: Vec<&str> = self.attempts.iter().map(|attempt| attempt.answered.as_str()).collect();
        format!("{} {answers:?}: {}", self.state, self.reason.as_deref().unwrap_or("no reason"))
    }

    fn expect_same(&self) {
        let first = &self.attempts[0].content;
        for later in &self.attempts[1..] {
            assert_eq!(later.content.message_id, first.message_id);
            assert_eq!((&later.content.to, &later.content.text), (&first.to, &first.text));
        }
    }
}

fn word(state: i64) -> &'static str {
    fanfare::domain::state::DeliveryState::from_code(state).unwrap().word()
}
