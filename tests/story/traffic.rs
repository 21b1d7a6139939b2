//! What goes on while servers are killed and worse: calls, changes of customers, events, edits of manifests.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Answer, Dev, Random, Request};
use crate::story::{Customers, Manifests};

/// When the next call no longer waits for the last one.
const OVERLAP_AFTER: Duration = Duration::from_secs(25);

/// Servers that come and go.
pub trait Asked: Sync {
    /// Sends a request to one of them; none if there is no server, or no whole answer came from it.
    fn ask(&self, request: impl FnOnce(&Dev) -> Request) -> Option<Answer>;
}

/// What the world did, and what it was answered.
#[derive(Default)]
pub struct Traffic {
    /// Set when the kills are over.
    pub over: AtomicBool,
    /// Ids of calls that were answered 202.
    pub acknowledged: Mutex<BTreeSet<String>>,
    /// Calls that were begun, each with a key of its own.
    pub calls: AtomicU32,
    /// Batches of changes, batches of events and edits that were made.
    pub changes: AtomicU32,
    pub events: AtomicU32,
    pub edits: AtomicU32,
}

impl Traffic {
    /// Ids of calls that were answered 202.
    pub fn acknowledged(&self) -> Vec<String> {
        self.acknowledged.lock().unwrap().iter().cloned().collect()
    }

    fn goes_on(&self, pause: Duration) -> bool {
        std::thread::sleep(pause);
        !self.over.load(Relaxed)
    }

    /// Keeps calls under way: the next one begins when the last one is done, or has gone on for a while, so that runs
    /// of several versions overlap. Each is repeated under its key until it is answered, as a provider would.
    pub fn call(&self, server: &impl Asked) {
        while self.goes_on(Duration::ZERO) {
            let number = self.calls.fetch_add(1, Relaxed);
            let id = loop {
                let request = |dev: &Dev| {
                    let request = dev.call("alert", &json!({"region": "north"}));
                    request.header("Idempotency-Key", &format!("call-{number}"))
                };
                match server.ask(request) {
                    Some(answer) if answer.status == 202 => break text(&answer.json()["id"]),
                    Some(answer) => must_come_again(&answer),
                    None => std::thread::sleep(Duration::from_millis(10)),
                }
            };
            self.acknowledged.lock().unwrap().insert(id.clone());
            let began = Instant::now();
            while began.elapsed() < OVERLAP_AFTER
                && !is_done(server, &id)
                && self.goes_on(Duration::from_millis(50))
            {}
        }
    }

    /// Gives customers other phones, takes phones away, gives and withdraws consents.
    pub fn change_customers(&self, server: &impl Asked, customers: Customers, mut random: Random) {
        while self.goes_on(Duration::from_millis(20)) {
            // Few enough that most are as they were when a message to them is tried again.
            let lines: Vec<Value> = (0..customers.count().div_ceil(200))
                .map(|_| {
                    let id = Customers::id(random.below(customers.count()));
                    let phone = match random.below(3) {
                        0 => Value::Null,
                        _ => Customers::phone(random.below(9_999_999)).into(),
                    };
                    let sms = random.below(2) == 0;
                    json!({"ids": {"registered": id}, "attributes": {"phone": phone}, "consents": {"sms": sms}})
                })
                .collect();
            let answer = server.ask(|dev| dev.api("POST", "/api/v1/customers").json(&json!(lines)));
            self.changes.fetch_add(u32::from(answer.is_some_and(|answer| answer.status == 200)), Relaxed);
        }
    }

    /// Sends events that the mails count.
    pub fn send_events(&self, server: &impl Asked, customers: Customers, mut random: Random) {
        while self.goes_on(Duration::from_millis(30)) {
            let lines: Vec<Value> = (0..20)
                .map(|_| {
                    let id = Customers::id(random.below(customers.count()));
                    json!({"ids": {"registered": id}, "type": "clicked", "properties": {"page": "storm"}})
                })
                .collect();
            let answer = server.ask(|dev| dev.api("POST", "/api/v1/events").json(&json!(lines)));
            self.events.fetch_add(u32::from(answer.is_some_and(|answer| answer.status == 200)), Relaxed);
        }
    }

    /// Edits the scenario and renames its nodes, whether the server stands or not.
    pub fn edit(&self, manifests: &Manifests, pause: Duration) {
        while self.goes_on(pause) {
            let version = self.edits.fetch_add(1, Relaxed) + 2;
            manifests.edit_storm(version);
        }
    }
}

/// Whether a call is at its end, as far as the server can be asked.
pub fn is_done(server: &impl Asked, id: &str) -> bool {
    let answer = server.ask(|dev| dev.ask_about(id)).filter(|answer| answer.status != 503);
    answer.is_some_and(|answer| crate::harness::is_done(&answer))
}

/// A refusal is a 503 that says when to come again, and is followed.
fn must_come_again(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.body);
    let after = answer.header("Retry-After").expect("a 503 says when to come again");
    assert!(after.parse::<u64>().is_ok_and(|seconds| seconds <= 60), "Retry-After: {after}");
    std::thread::sleep(Duration::from_millis(50));
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
