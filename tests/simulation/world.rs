//! The story that is simulated: a storm, a briefing and a follow-up that waits, and whom they are for.

use std::collections::{BTreeMap, BTreeSet};

use fanfare::compile::{Snapshot, Sources, compile};
use fanfare::domain::value::{Changes, Value};
use fanfare::store::customers::{CustomerWrite, EventWrite};
use serde_json::json;

use crate::checker::{Mark, Story};
use crate::clock;

/// The window of every channel.
pub const WINDOW: u32 = 8;

/// The sources of this version, and what comes of them. Versions differ in what the messages say.
pub fn compiled(version: usize) -> (Sources, Snapshot) {
    let sources: Sources = serde_json::from_value(sources(&format!("v{version}"))).unwrap();
    let compiled = compile(&sources);
    assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
    (sources, compiled.snapshot)
}

fn sources(version: &str) -> serde_json::Value {
    let secret = |key: &str| json!({"secretKeyRef": {"name": "providers", "key": key}});
    let retry = json!({"attempts": 20});
    json!({
        "namespace": "default",
        "triggers": {"alert": {"parameters": [{"name": "region", "type": "string", "example": "north"}]}},
        "channels": {
            "sms": {"window": WINDOW, "retry": retry, "twilio": {
                "accountSid": "AC0123456789abcdef0123456789abcdef", "from": "+17165550199",
                "authToken": secret("token"), "baseUrl": "http://sandbox"}},
            "mail": {"window": WINDOW, "retry": retry, "smtp": {
                "host": "sandbox", "port": 25, "tls": "None", "from": "warnings@example.org"}},
            "hook": {"window": WINDOW, "retry": retry, "webhook": {
                "url": "http://sandbox/hooks/storm", "signingSecret": secret("signing")}},
        },
        "scenarios": {"storm": storm(version), "briefing": briefing(version), "follow-up": follow_up(version)},
    })
}

fn message(channel: &str, consent: &str, content: serde_json::Value) -> serde_json::Value {
    let mut message = json!({"channelRef": {"name": channel}, "consent": consent});
    message.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
    message
}

fn email(scenario: &str, version: &str, step: &str) -> serde_json::Value {
    json!({"email": {"subject": "News", "text": Mark::template(scenario, version, step)}})
}

fn hook(scenario: &str, version: &str, step: &str) -> serde_json::Value {
    json!({"webhook": {"body": format!(r#"{{"mark": "{}"}}"#, Mark::template(scenario, version, step))}})
}

fn storm(version: &str) -> serde_json::Value {
    let sms = json!({"sms": {"body": Mark::template("storm", version, "sms")}});
    json!({
        "triggers": [{"triggerRef": {"name": "alert"}}],
        "audience": {"where": "customer.region == params.region"},
        "nodes": [
            {"name": "reach", "condition": {"if": "customer.phone is defined and consents.sms", "else": "by-mail"}},
            {"name": "by-sms", "message": message("sms", "sms", sms), "next": "End"},
            {"name": "by-mail", "message": message("mail", "None", email("storm", version, "mail"))},
            {"name": "by-hook", "message": message("hook", "None", hook("storm", version, "hook"))},
        ],
    })
}

fn briefing(version: &str) -> serde_json::Value {
    json!({
        "triggers": [{"triggerRef": {"name": "alert"}}],
        "audience": {"where": r#"events("policy_purchased", product="car").count() > 0"#},
        "nodes": [{"name": "note", "message": message("mail", "None", email("briefing", version, "note"))}],
    })
}

fn follow_up(version: &str) -> serde_json::Value {
    json!({
        "triggers": [{"triggerRef": {"name": "alert"}}],
        "audience": {"where": r#"events("policy_purchased", product="car").count() > 0"#},
        "nodes": [
            {"name": "calm-down", "wait": {"for": "300ms"}},
            {"name": "first", "message": message("mail", "None", email("follow-up", version, "first"))},
            {"name": "take-your-time", "wait": {"for": "20s"}},
            {"name": "second", "message": message("hook", "None", hook("follow-up", version, "second"))},
        ],
    })
}

/// The customers by number: where they live, how they are reached, whether they have a car.
pub struct Customers(pub u32);

fn id(n: u32) -> String {
    format!("c{n:04}")
}

fn is_in_the_north(n: u32) -> bool {
    n % 4 != 3
}

fn has_a_car(n: u32) -> bool {
    n.is_multiple_of(3)
}

impl Customers {
    pub fn lines(&self) -> Vec<CustomerWrite> {
        let text = |text: String| Value::from_json(&json!(text)).unwrap();
        let line = |n: u32| {
            let region = if is_in_the_north(n) { "north" } else { "south" };
            let mut attributes = Changes::from_iter([
                ("n".to_owned(), text(id(n))),
                ("region".to_owned(), text(region.to_owned())),
                ("email".to_owned(), text(format!("{}@example.org", id(n)))),
            ]);
            if n.is_multiple_of(2) {
                attributes.insert("phone".to_owned(), text(format!("+1716555{n:04}")));
            }
            let consents = BTreeMap::from([("sms".to_owned(), Some(n % 5 != 4))]);
            CustomerWrite { registered: id(n), attributes, consents, ..CustomerWrite::default() }
        };
        (0..self.0).map(line).collect()
    }

    pub fn events(&self) -> Vec<EventWrite> {
        let car = Value::from_json(&json!("car")).unwrap().unwrap();
        let event = |n: u32| EventWrite {
            registered: id(n),
            other_ids: BTreeMap::new(),
            event_type: "policy_purchased".into(),
            timestamp: clock::wall(std::time::Duration::ZERO),
            properties: [("product".to_owned(), car.clone())].into_iter().collect(),
        };
        (0..self.0).filter(|n| has_a_car(*n)).map(event).collect()
    }

    /// What the checker has to know.
    pub fn stories(&self) -> BTreeMap<String, Story> {
        let those = |which: fn(u32) -> bool| -> BTreeSet<String> {
            (0..self.0).filter(|n| which(*n)).map(id).collect()
        };
        let steps = [None, Some("sms"), Some("mail"), Some("hook")];
        let storm = Story::new(&steps, &[&["sms"], &["mail", "hook"]], those(is_in_the_north));
        let briefing = Story::new(&[Some("note")], &[&["note"]], those(has_a_car));
        let steps = [None, Some("first"), None, Some("second")];
        let follow_up = Story::new(&steps, &[&["first", "second"]], those(has_a_car));
        BTreeMap::from([
            ("storm".to_owned(), storm),
            ("briefing".to_owned(), briefing),
            ("follow-up".to_owned(), follow_up),
        ])
    }
}
