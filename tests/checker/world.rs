//! A small world in order: one call, one scenario, Ann with an SMS, Bob with a mail and a webhook.

use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::checker::{Claims, Ledger, Record, Story, Violation, check};

/// Those migrations of the ledger that the checker reads columns of.
const LEDGER: &str = concat!(
    include_str!("../../src/store/sqlite/migrations/ledger_1.sql"),
    include_str!("../../src/store/sqlite/migrations/ledger_7.sql"),
);
const CUSTOMERS: &str = include_str!("../../src/store/sqlite/migrations/customers_1.sql");

pub struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub fn in_order() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        let customers = Connection::open(world.folder.path().join("customers.db")).unwrap();
        customers.execute_batch(CUSTOMERS).unwrap();
        customers
            .execute_batch(
                "INSERT INTO customer VALUES (1, 'ann', '{}', '{}', '{}'), (2, 'bob', '{}', '{}', '{}')",
            )
            .unwrap();
        world.sql(LEDGER);
        world.sql(
            r#"INSERT INTO version VALUES ('v', 'storm: [[{{ call.id }}|storm|v1|sms|{{ customer.n }}]]', 0);
            INSERT INTO call (seq, id, trigger_name, received_at, version, state, http_status)
                VALUES (1, 'call-1', 'alert', 0, 'v', 2, 202);
            INSERT INTO call (seq, id, trigger_name, received_at, state, http_status)
                VALUES (9, 'refused', 'alert', 0, 6, 401);
            INSERT INTO run (id, call, scenario, state, audience, started_at) VALUES (1, 1, 'storm', 2, 2, 0);
            INSERT INTO chunk (run, n, first_key, last_key, size, position, state, counts)
                VALUES (1, 0, 1, 2, 2, 2, 1, '{"journeys":{"messaged":2,"withoutMessage":0},
                "deliveries":{"1":{"sent":1},"2":{"sent":1},"3":{"sent":1}}}');
            INSERT INTO chunk_customers VALUES (1, 0, x'0101');
            INSERT INTO delivery (run, customer, node, channel, state, attempt)
                VALUES (1, 1, 1, 'sms', 3, 1), (1, 2, 2, 'mail', 3, 1), (1, 2, 3, 'hook', 3, 1);"#,
        );
        for (customer, step) in [("ann", "sms"), ("bob", "mail"), ("bob", "hook")] {
            world.add_message(customer, step);
        }
        world
    }

    pub fn check(&self) -> Vec<Violation> {
        let steps = [None, Some("sms"), Some("mail"), Some("hook")];
        let audience = ["ann", "bob"].map(str::to_owned).into();
        let story = Story::new(&steps, &[&["sms"], &["mail", "hook"]], audience);
        let claims = Claims {
            acknowledged: vec!["call-1".to_owned()],
            faults: 1,
            replicas: 1,
            window: 2,
            stories: [("storm".to_owned(), story)].into(),
            calls_max: 1,
        };
        check(&claims, &Record::read(&self.record()), &Ledger::read(self.folder.path()))
    }

    /// Changes the ledger.
    pub fn sql(&self, statements: &str) {
        let ledger = Connection::open(self.folder.path().join("ledger.db")).unwrap();
        ledger.pragma_update(None, "foreign_keys", false).unwrap();
        ledger.execute_batch(statements).unwrap();
    }

    pub fn add_message(&self, customer: &str, step: &str) {
        let protocol = match step {
            "sms" => "twilio",
            "mail" => "smtp",
            _ => "webhook",
        };
        let mut message = json!({
            "seq": self.messages().len() + 1, "receivedAt": "2026-01-01T00:00:00Z", "protocol": protocol,
            "taken": true, "answered": "ok", "endpoint": "e", "from": "f", "to": [customer],
            "text": format!("Hello [[call-1|storm|v1|{step}|{customer}]]"),
        });
        if step != "sms" {
            message["messageId"] = format!("<{customer}-{step}>").into();
        }
        self.write_messages(&[self.messages(), vec![message]].concat());
    }

    pub fn drop_message(&self, customer: &str, step: &str) {
        let mut messages = self.messages();
        messages.retain(|message| !is(message, customer, step));
        self.write_messages(&messages);
    }

    pub fn repeat_message(&self, customer: &str, step: &str, change: impl Fn(&mut Value)) {
        let mut messages = self.messages();
        let mut again = messages.iter().find(|message| is(message, customer, step)).unwrap().clone();
        change(&mut again);
        again["seq"] = (messages.len() + 1).into();
        messages.push(again);
        self.write_messages(&messages);
    }

    pub fn change_message(&self, customer: &str, step: &str, change: impl Fn(&mut Value)) {
        let mut messages = self.messages();
        messages.iter_mut().filter(|message| is(message, customer, step)).for_each(change);
        self.write_messages(&messages);
    }

    fn record(&self) -> PathBuf {
        self.folder.path().join("sandbox.ndjson")
    }

    fn messages(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.record()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn write_messages(&self, messages: &[Value]) {
        let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
        std::fs::write(self.record(), lines).unwrap();
    }
}

fn is(message: &Value, customer: &str, step: &str) -> bool {
    message["text"].as_str().unwrap().contains(&format!("|{step}|{customer}]]"))
}
